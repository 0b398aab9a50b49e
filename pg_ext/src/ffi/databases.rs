//! The databases of the cluster, read from the shared catalogs by a process that is in none of them.

use super::rows::each_row;
use super::{label, marked, xact};
use crate::core::error::Fault;
use crate::core::label::Installation;
use pgrx::pg_sys;
use std::collections::{HashMap, HashSet};

/// A database that the label says is the home of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Home {
    /// Its OID.
    pub database: pg_sys::Oid,
    /// The installation that its label names.
    pub installation: Installation,
}

/// Every labelled database that can be connected to. Inside a transaction.
///
/// A dump that was restored beside its original carries the same label, and the same leases of the same logins. An
/// installation lives in the older of the two, whose OID is the lower one: the copy would end leases that have been renewed
/// since, and give out the numbers again that tell logins and groups apart.
pub fn homes() -> Vec<Home> {
    homes_among(all(), label::installation)
}

/// [`homes`] for a process without a database. It knows no index of the shared catalogs, so that each label asked for by itself
/// would be one reading of the labels of all logins; this is one reading in all.
pub fn homes_without_index() -> Vec<Home> {
    let mut labels = HashMap::new();
    marked::each_label(pg_sys::DatabaseRelationId, |database, label| {
        if let Some(installation) = Installation::parse(label) {
            labels.insert(database, installation);
        }
    });
    homes_among(all(), |database| labels.get(&database).copied())
}

fn homes_among(
    mut databases: Vec<pg_sys::Oid>,
    installation: impl Fn(pg_sys::Oid) -> Option<Installation>,
) -> Vec<Home> {
    databases.sort_unstable_by_key(|database| database.to_u32());
    let mut seen = HashSet::new();
    databases
        .into_iter()
        .filter_map(|database| {
            let installation = installation(database)?;
            seen.insert(installation).then_some(Home {
                database,
                installation,
            })
        })
        .collect()
}

/// The installation that lives in `database`; none in a copy beside its original, whatever its label.
pub fn installation_at(database: pg_sys::Oid) -> Option<Installation> {
    let own = label::installation(database)?;
    let is_copy = all()
        .into_iter()
        .any(|other| other.to_u32() < database.to_u32() && label::installation(other) == Some(own));
    (!is_copy).then_some(own)
}

/// The installation that lives in this database.
pub fn own_installation() -> Result<Installation, Fault> {
    installation_at(xact::my_database()).ok_or(Fault::NobodyEnforces {
        why: "this database has lost the label of its installation, or is a copy beside the original",
        cure: "select * from leasehold.check() tells which; a copy is dropped, or gets a label of its own: SECURITY LABEL FOR leasehold ON DATABASE … IS 'a uuid'.",
    })
}

/// Every database but those that a failed `DROP DATABASE` has left invalid.
pub fn all() -> Vec<pg_sys::Oid> {
    let mut found = Vec::new();
    scan(|row| found.push(row.oid));
    found
}

/// A database that a worker with no business of its own can work from; `None` if there is none that takes connections
/// and is not a template.
pub fn any_open() -> Option<pg_sys::Oid> {
    let mut found = Vec::new();
    scan(|row| {
        if row.datallowconn && !row.datistemplate {
            found.push(row.oid);
        }
    });
    found.into_iter().min_by_key(|database| database.to_u32())
}

/// True if `database` is a template, which everybody with CREATEDB may copy.
pub fn is_template(database: pg_sys::Oid) -> bool {
    let mut found = false;
    scan(|row| found |= row.oid == database && row.datistemplate);
    found
}

fn scan(mut each: impl FnMut(&pg_sys::FormData_pg_database)) {
    each_row(pg_sys::DatabaseRelationId, |row| {
        // SAFETY: a row of pg_database.
        let database: &pg_sys::FormData_pg_database = unsafe { row.fixed() };
        // -2: invalid, half dropped.
        if database.datconnlimit != -2 {
            each(database);
        }
    });
}

/// True if a PostgreSQL role with this OID exists.
pub fn role_exists(role: pg_sys::Oid) -> bool {
    // SAFETY: a lookup in a syscache of a shared catalog, inside a transaction.
    unsafe {
        pg_sys::SearchSysCacheExists(
            pg_sys::SysCacheIdentifier::AUTHOID as i32,
            pg_sys::Datum::from(role),
            pg_sys::Datum::from(0),
            pg_sys::Datum::from(0),
            pg_sys::Datum::from(0),
        )
    }
}

/// True if the extension is installed in the database that this process is in.
pub fn has_extension() -> bool {
    extension().is_some()
}

/// The extension as it is installed in the database that this process is in.
pub fn extension() -> Option<pg_sys::Oid> {
    // SAFETY: a catalog lookup inside a transaction.
    let found = unsafe { pg_sys::get_extension_oid(c"leasehold".as_ptr(), true) };
    (found != pg_sys::InvalidOid).then_some(found)
}
