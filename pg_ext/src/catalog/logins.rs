//! The rows of logins in `pg_authid`, as far as a verb has to wait for them.

use super::labels::label_of;
use super::plan::rows;
use crate::core::error::Fault;
use crate::core::label::Installation;
use pgrx::pg_sys::Oid;
use pgrx::spi::SpiClient;

// An OID alone is nobody's: after a restore it may be another role's.
const LOCK: &str = concat!(
    "select a.oid, a.rolname::text,
                coalesce(s.label = $1 || '/' || x.number::text, a.rolname = x.name)
           from rows from (pg_catalog.unnest($2::oid[]), pg_catalog.unnest($3::bigint[]), pg_catalog.unnest($4::text[])) x (login, number, name)
           join pg_catalog.pg_authid a on a.oid = x.login ",
    label_of!("a.oid"),
    "for update of a skip locked"
);

/// A login as its lease knows it.
pub struct Known<'a> {
    /// Its OID.
    pub login: Oid,
    /// Its name when it was made.
    pub name: &'a str,
    /// The number of its lease.
    pub number: i64,
}

/// A row of `pg_authid` that this transaction has locked.
pub struct Locked {
    /// The role.
    pub login: Oid,
    /// What it is called now.
    pub name: String,
    /// Whether it is the login of that lease: by its mark, or by its name if somebody has taken the mark off.
    pub ours: bool,
}

/// Locks the rows of these logins; gives back those it has got. The others are another transaction's, or are not there.
pub fn lock(
    db: &mut SpiClient<'_>,
    installation: Installation,
    logins: &[Known<'_>],
) -> Result<Vec<Locked>, Fault> {
    let oids: Vec<Oid> = logins.iter().map(|known| known.login).collect();
    let numbers: Vec<i64> = logins.iter().map(|known| known.number).collect();
    let names: Vec<&str> = logins.iter().map(|known| known.name).collect();
    let args = [
        installation.to_string().into(),
        oids.into(),
        numbers.into(),
        names.into(),
    ];
    rows(db, LOCK, &args)?
        .map(|row| {
            Ok(Locked {
                login: row.get(1)?.unwrap_or(Oid::INVALID),
                name: row.get(2)?.unwrap_or_default(),
                ours: row.get(3)?.unwrap_or(false),
            })
        })
        .collect()
}
