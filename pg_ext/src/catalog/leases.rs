//! The table of leases that are not gone, as the verbs read and write it. How a lease ends is not written here.

use super::plan::rows;
use super::time::{instant, micros};
use crate::core::error::Fault;
use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use pgrx::pg_sys::Oid;
use pgrx::spi::SpiClient;

/// What leases that are written together have in common.
pub struct Common<'a> {
    /// Whose they are.
    pub scope: &'a str,
    /// The recipe, and the digest of its text.
    pub role: (&'a str, &'a str),
    /// Who called.
    pub issued_by: (&'a str, Oid),
    /// When.
    pub issued_at: i64,
    /// Whose rights their ending statements run with.
    pub definer: (&'a str, Oid),
    /// Their ending statements, in case the recipe is dropped; none for the default.
    pub revocation: Option<Vec<String>>,
    /// Who gets what the logins own in the end.
    pub reassign_to: Option<(&'a str, Oid)>,
    /// Or is it dropped?
    pub drop_owned: bool,
}

/// A new lease, as it is written.
pub struct NewLease<'a> {
    /// Its internal number.
    pub number: i64,
    /// Its id within the scope.
    pub lease_id: &'a str,
    /// The login, unless the recipe's statements made none.
    pub login: Option<(&'a str, Oid)>,
    /// What it is tied to besides its own end.
    pub owner: Option<&'a str>,
    /// Who it is for, as people read it.
    pub display_name: Option<&'a str>,
    /// Its own end.
    pub expires_at: i64,
    /// An end of the caller's that binds renewals.
    pub cap_at: Option<i64>,
    /// What renewals can not pass.
    pub max_expires_at: i64,
    /// The earliest end of all.
    pub due_at: i64,
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
    /// Somebody has asked for its end, or an owner of it has ended.
    pub called: bool,
}

/// The ends that a lease has from now on.
pub struct Moved {
    /// Its internal number.
    pub number: i64,
    /// Its own end.
    pub expires_at: i64,
    /// What renewals can not pass.
    pub max_expires_at: i64,
    /// The earliest end of all.
    pub due_at: i64,
}

macro_rules! columns {
    () => {
        "lease_number, scope, lease_id, role_name, login::text, login_oid, owner, issued_at, expires_at, cap_at,
         max_expires_at, due_at, state = 'active', cause is not null"
    };
}

const INSERT: &str = "insert into leasehold.live_leases (lease_number, scope, lease_id, role_name, digest, login, login_oid, owner,
                display_name, issued_by, issued_by_oid, issued_at, expires_at, cap_at, max_expires_at, due_at, definer,
                definer_oid, revocation_statements, reassign_to, reassign_to_oid, drop_owned)
         select n.lease_number, $1, n.lease_id, $2, $3, n.login::name, n.login_oid, n.owner, n.display_name, $4::name, $5, $6,
                n.expires_at, n.cap_at, n.max_expires_at, n.due_at, $7::name, $8, $9, $10::name, $11, $12
           from unnest($13::bigint[], $14::text[], $15::text[], $16::oid[], $17::text[], $18::text[], $19::timestamptz[],
                       $20::timestamptz[], $21::timestamptz[], $22::timestamptz[])
                  as n (lease_number, lease_id, login, login_oid, owner, display_name, expires_at, cap_at, max_expires_at,
                        due_at)";
const BY_NUMBER: &str = concat!(
    "select ",
    columns!(),
    " from leasehold.live_leases where lease_number = $1"
);
const LOCK: &str = concat!(
    "select l.* from unnest($2::text[]) as n (lease_id)
          cross join lateral (select ",
    columns!(),
    " from leasehold.live_leases l where l.scope = any($1) and l.lease_id = n.lease_id offset 0 for update) l"
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
const RENEW: &str = "update leasehold.live_leases l
            set expires_at = r.expires_at, max_expires_at = r.max_expires_at, due_at = r.due_at
           from unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[])
                  as r (lease_number, expires_at, max_expires_at, due_at)
          where l.lease_number = r.lease_number";

/// Writes new leases.
pub fn insert(
    db: &mut SpiClient<'_>,
    common: &Common<'_>,
    new: &[NewLease<'_>],
) -> Result<(), Fault> {
    fn each<'a, T>(new: &[NewLease<'a>], of: impl Fn(&NewLease<'a>) -> T) -> Vec<T> {
        new.iter().map(of).collect()
    }
    let args: [DatumWithOid<'_>; 22] = [
        common.scope.into(),
        common.role.0.into(),
        common.role.1.into(),
        common.issued_by.0.into(),
        common.issued_by.1.into(),
        instant(common.issued_at).into(),
        common.definer.0.into(),
        common.definer.1.into(),
        common.revocation.clone().into(),
        common.reassign_to.map(|(name, _)| name).into(),
        common.reassign_to.map(|(_, role)| role).into(),
        common.drop_owned.into(),
        each(new, |one| one.number).into(),
        each(new, |one| one.lease_id).into(),
        each(new, |one| one.login.map(|(name, _)| name)).into(),
        each(new, |one| one.login.map(|(_, login)| login)).into(),
        each(new, |one| one.owner).into(),
        each(new, |one| one.display_name).into(),
        each(new, |one| instant(one.expires_at)).into(),
        each(new, |one| one.cap_at.map(instant)).into(),
        each(new, |one| instant(one.max_expires_at)).into(),
        each(new, |one| instant(one.due_at)).into(),
    ];
    rows(db, INSERT, &args).map(|_| ())
}

/// The lease of that number, unless it is gone.
pub fn by_number(db: &mut SpiClient<'_>, number: i64) -> Result<Option<Lease>, Fault> {
    Ok(read(rows(db, BY_NUMBER, &[number.into()])?)?.pop())
}

/// The leases of these ids in any of the scopes (at most one in each); their rows stay locked, in the order of their ids.
pub fn lock(
    db: &mut SpiClient<'_>,
    scopes: &[String],
    lease_ids: &[&str],
) -> Result<Vec<Lease>, Fault> {
    let mut lease_ids = lease_ids.to_vec();
    lease_ids.sort_unstable();
    lease_ids.dedup();
    let args = [scopes.to_vec().into(), lease_ids.into()];
    read(rows(db, LOCK, &args)?)
}

/// The leases of that id in any of the scopes, without a lock.
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

/// Moves the ends of leases whose rows are locked.
pub fn renew(db: &mut SpiClient<'_>, moved: &[Moved]) -> Result<(), Fault> {
    let numbers: Vec<i64> = moved.iter().map(|one| one.number).collect();
    let instants = |of: fn(&Moved) -> i64| -> Vec<TimestampWithTimeZone> {
        moved.iter().map(|one| instant(of(one))).collect()
    };
    let args: [DatumWithOid<'_>; 4] = [
        numbers.into(),
        instants(|one| one.expires_at).into(),
        instants(|one| one.max_expires_at).into(),
        instants(|one| one.due_at).into(),
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
                called: row.get(14)?.ok_or_else(absent)?,
            })
        })
        .collect()
}
