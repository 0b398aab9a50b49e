//! The table of leases that are not gone, as the verbs read and write it. How a lease ends is not written here.

use super::plan::rows;
use super::time::{instant, micros};
use crate::core::error::Fault;
use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use pgrx::pg_sys::Oid;
use pgrx::spi::SpiClient;

/// A new lease, as it is written.
pub struct NewLease<'a> {
    /// Its internal number.
    pub number: i64,
    /// Whose it is.
    pub scope: &'a str,
    /// Its id within the scope.
    pub lease_id: &'a str,
    /// The recipe, and the digest of its text.
    pub role: (&'a str, &'a str),
    /// The login, unless the recipe's statements made none.
    pub login: Option<(&'a str, Oid)>,
    /// What it is tied to besides its own end.
    pub owner: Option<&'a str>,
    /// Who it is for, as people read it.
    pub display_name: Option<&'a str>,
    /// Who called.
    pub issued_by: (&'a str, Oid),
    /// When.
    pub issued_at: i64,
    /// Its own end.
    pub expires_at: i64,
    /// An end of the caller's that binds renewals.
    pub cap_at: Option<i64>,
    /// What renewals can not pass.
    pub max_expires_at: i64,
    /// The earliest end of all.
    pub due_at: i64,
    /// Whose rights its ending statements run with.
    pub definer: (&'a str, Oid),
    /// Its ending statements, in case the recipe is dropped; none for the default.
    pub revocation: Option<Vec<String>>,
    /// Who gets what the login owns in the end.
    pub reassign_to: Option<(&'a str, Oid)>,
    /// Or is it dropped?
    pub drop_owned: bool,
}

/// A lease that is not gone, as the verbs need it.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Its internal number.
    pub number: i64,
    /// Whose it is.
    pub scope: String,
    /// Its id within the scope.
    pub lease_id: String,
    /// The recipe's name.
    pub role: String,
    /// The login's name at the issue.
    pub login: Option<String>,
    /// The login; what counts.
    pub login_oid: Option<Oid>,
    /// What it is tied to.
    pub owner: Option<String>,
    /// When it was issued.
    pub issued_at: i64,
    /// Its own end.
    pub expires_at: i64,
    /// An end that binds renewals.
    pub cap_at: Option<i64>,
    /// What renewals can not pass.
    pub max_expires_at: i64,
    /// The earliest end of all.
    pub due_at: i64,
    /// False once it is fenced.
    pub active: bool,
}

macro_rules! columns {
    () => {
        "lease_number, scope, lease_id, role_name, login::text, login_oid, owner, issued_at, expires_at, cap_at,
         max_expires_at, due_at, state = 'active'"
    };
}

const INSERT: &str = "insert into leasehold.live_leases (lease_number, scope, lease_id, role_name, digest, login, login_oid, owner,
                display_name, issued_by, issued_by_oid, issued_at, expires_at, cap_at, max_expires_at, due_at, definer,
                definer_oid, revocation_statements, reassign_to, reassign_to_oid, drop_owned)
         values ($1, $2, $3, $4, $5, $6::name, $7, $8, $9, $10::name, $11, $12, $13, $14, $15, $16, $17::name, $18, $19,
                 $20::name, $21, $22)";
const BY_NUMBER: &str = concat!(
    "select ",
    columns!(),
    " from leasehold.live_leases where lease_number = $1"
);
const LOCK: &str = concat!(
    "select ",
    columns!(),
    " from leasehold.live_leases where scope = any($1) and lease_id = $2 for update"
);
const FIND: &str = concat!(
    "select ",
    columns!(),
    " from leasehold.live_leases where scope = any($1) and lease_id = $2"
);
const PAGE: &str = concat!(
    "select ",
    columns!(),
    " from leasehold.live_leases
          where scope = $1 and lease_id > $2 and state = 'active' order by lease_id limit $3"
);
const RENEW: &str = "update leasehold.live_leases set expires_at = $2, max_expires_at = $3, due_at = $4 where lease_number = $1";

/// Writes a new lease.
pub fn insert(db: &mut SpiClient<'_>, new: &NewLease<'_>) -> Result<(), Fault> {
    let args: [DatumWithOid<'_>; 22] = [
        new.number.into(),
        new.scope.into(),
        new.lease_id.into(),
        new.role.0.into(),
        new.role.1.into(),
        new.login.map(|(name, _)| name).into(),
        new.login.map(|(_, login)| login).into(),
        new.owner.into(),
        new.display_name.into(),
        new.issued_by.0.into(),
        new.issued_by.1.into(),
        instant(new.issued_at).into(),
        instant(new.expires_at).into(),
        new.cap_at.map(instant).into(),
        instant(new.max_expires_at).into(),
        instant(new.due_at).into(),
        new.definer.0.into(),
        new.definer.1.into(),
        new.revocation.clone().into(),
        new.reassign_to.map(|(name, _)| name).into(),
        new.reassign_to.map(|(_, role)| role).into(),
        new.drop_owned.into(),
    ];
    rows(db, INSERT, &args).map(|_| ())
}

/// The lease of that number, unless it is gone.
pub fn by_number(db: &mut SpiClient<'_>, number: i64) -> Result<Option<Lease>, Fault> {
    Ok(read(rows(db, BY_NUMBER, &[number.into()])?)?.pop())
}

/// The leases of that id in any of the scopes (at most one in each); their rows stay locked.
pub fn lock(
    db: &mut SpiClient<'_>,
    scopes: &[String],
    lease_id: &str,
) -> Result<Vec<Lease>, Fault> {
    read(rows(db, LOCK, &[scopes.to_vec().into(), lease_id.into()])?)
}

/// The same without a lock.
pub fn find(
    db: &mut SpiClient<'_>,
    scopes: &[String],
    lease_id: &str,
) -> Result<Vec<Lease>, Fault> {
    read(rows(db, FIND, &[scopes.to_vec().into(), lease_id.into()])?)
}

/// The active leases of a scope whose ids come after `after`, in order.
pub fn page(
    db: &mut SpiClient<'_>,
    scope: &str,
    after: &str,
    at_most: i64,
) -> Result<Vec<Lease>, Fault> {
    let args = [scope.into(), after.into(), at_most.into()];
    read(rows(db, PAGE, &args)?)
}

/// Moves the ends of a lease whose row is locked.
pub fn renew(
    db: &mut SpiClient<'_>,
    number: i64,
    expires_at: i64,
    max_expires_at: i64,
    due_at: i64,
) -> Result<(), Fault> {
    let args: [DatumWithOid<'_>; 4] = [
        number.into(),
        instant(expires_at).into(),
        instant(max_expires_at).into(),
        instant(due_at).into(),
    ];
    rows(db, RENEW, &args).map(|_| ())
}

fn read(table: pgrx::spi::SpiTupleTable<'_>) -> Result<Vec<Lease>, Fault> {
    let absent = || Fault::Internal("a column of leasehold.live_leases is null".into());
    table
        .map(|row| {
            let at = |column| -> Result<Option<i64>, Fault> {
                Ok(row.get::<TimestampWithTimeZone>(column)?.map(micros))
            };
            Ok(Lease {
                number: row.get(1)?.ok_or_else(absent)?,
                scope: row.get(2)?.ok_or_else(absent)?,
                lease_id: row.get(3)?.ok_or_else(absent)?,
                role: row.get(4)?.ok_or_else(absent)?,
                login: row.get(5)?,
                login_oid: row.get(6)?,
                owner: row.get(7)?,
                issued_at: at(8)?.ok_or_else(absent)?,
                expires_at: at(9)?.ok_or_else(absent)?,
                cap_at: at(10)?,
                max_expires_at: at(11)?.ok_or_else(absent)?,
                due_at: at(12)?.ok_or_else(absent)?,
                active: row.get(13)?.ok_or_else(absent)?,
            })
        })
        .collect()
}
