//! The databases of the cluster, read from the shared catalogs by a process that is in none of them.

use super::label;
use super::xact;
use crate::core::error::Fault;
use crate::core::label::{GroupMark, Installation, Mark, PROVIDER};
use pgrx::{FromDatum, pg_sys};
use std::collections::HashSet;

// `pg_shseclabel`, whose fixed OID and columns pgrx does not name.
const SHARED_LABELS: pg_sys::Oid = pg_sys::Oid::from_u32(3592);
const OBJECT: i32 = 1;
const CLASS: i32 = 2;
const PROVIDER_COLUMN: i32 = 3;
const LABEL: i32 = 4;

/// A database that the label says is the home of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Home {
    /// Its OID.
    pub database: pg_sys::Oid,
    /// The installation that its label names.
    pub installation: Installation,
}

/// Every labelled database that can be connected to. Inside a transaction; it needs no database.
///
/// A dump that was restored beside its original carries the same label, and the same leases of the same logins. An
/// installation lives in the older of the two, whose OID is the lower one: the copy would end leases that have been renewed
/// since, and give out the numbers again that tell logins and groups apart.
pub fn homes() -> Vec<Home> {
    let mut databases = all();
    databases.sort_unstable_by_key(|database| database.to_u32());
    let mut seen = HashSet::new();
    databases
        .into_iter()
        .filter_map(|database| {
            let installation = label::installation(database)?;
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
    // SAFETY: pg_database is one of the catalogs that the server keeps open for processes without a database;
    // scan and table are closed before we return, and the tuples are read only between two fetches.
    unsafe {
        let table = pg_sys::table_open(pg_sys::DatabaseRelationId, pg_sys::AccessShareLock as i32);
        let scan = pg_sys::table_beginscan_catalog(table, 0, std::ptr::null_mut());
        loop {
            let tuple = pg_sys::heap_getnext(scan, pg_sys::ScanDirection::ForwardScanDirection);
            if tuple.is_null() {
                break;
            }
            let header = (*tuple).t_data;
            let row = header
                .cast::<u8>()
                .add(usize::from((*header).t_hoff))
                .cast::<pg_sys::FormData_pg_database>();
            // -2: invalid, half dropped.
            if (*row).datconnlimit != -2 {
                each(&*row);
            }
        }
        pg_sys::heap_endscan(scan);
        pg_sys::table_close(table, pg_sys::AccessShareLock as i32);
    }
}

/// A login with a mark of ours, or the group of a shared recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marked {
    /// The login, or the group.
    pub login: pg_sys::Oid,
    /// Whose it is.
    pub installation: Installation,
    /// The number in its label: of the lease, or of the group.
    pub number: i64,
}

/// Every login and every group of the cluster that carries a mark of ours, whichever installation's. Inside a transaction; it needs no
/// database.
pub fn marked_logins() -> Vec<Marked> {
    let mut found = Vec::new();
    // SAFETY: as in `scan`; pg_shseclabel is another of those catalogs, and its texts are copied before the next fetch.
    unsafe {
        let lock = pg_sys::AccessShareLock as i32;
        let table = pg_sys::table_open(SHARED_LABELS, lock);
        let scan = pg_sys::table_beginscan_catalog(table, 0, std::ptr::null_mut());
        loop {
            let tuple = pg_sys::heap_getnext(scan, pg_sys::ScanDirection::ForwardScanDirection);
            if tuple.is_null() {
                break;
            }
            let value = |column: i32| {
                let mut is_null = false;
                pg_sys::heap_getattr(tuple, column, (*table).rd_att, &mut is_null)
            };
            let oid = |column: i32| pg_sys::Oid::from(value(column).value() as u32);
            if oid(CLASS) != pg_sys::AuthIdRelationId {
                continue;
            }
            let text = |column: i32| String::from_datum(value(column), false);
            if text(PROVIDER_COLUMN).as_deref() != Some(PROVIDER) {
                continue;
            }
            let Some(label) = text(LABEL) else {
                continue;
            };
            let login = Mark::parse(&label).map(|mark| (mark.installation, mark.lease_number));
            let group =
                || GroupMark::parse(&label).map(|mark| (mark.installation, mark.group_number));
            if let Some((installation, number)) = login.or_else(group) {
                found.push(Marked {
                    login: oid(OBJECT),
                    installation,
                    number,
                });
            }
        }
        pg_sys::heap_endscan(scan);
        pg_sys::table_close(table, lock);
    }
    found
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
