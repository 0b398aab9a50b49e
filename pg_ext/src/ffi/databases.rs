//! The databases of the cluster, read from the shared catalogs by a process that is in none of them.

use super::label;
use crate::core::label::Installation;
use pgrx::pg_sys;

/// A database that the label says is the home of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Home {
    /// Its OID.
    pub database: pg_sys::Oid,
    /// The installation that its label names.
    pub installation: Installation,
}

/// Every labelled database that can be connected to. Inside a transaction; it needs no database.
pub fn homes() -> Vec<Home> {
    let mut homes = Vec::new();
    for database in all() {
        if let Some(installation) = label::installation(database) {
            homes.push(Home {
                database,
                installation,
            });
        }
    }
    homes
}

/// Every database but those that a failed `DROP DATABASE` has left invalid.
pub fn all() -> Vec<pg_sys::Oid> {
    let mut found = Vec::new();
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
                found.push((*row).oid);
            }
        }
        pg_sys::heap_endscan(scan);
        pg_sys::table_close(table, pg_sys::AccessShareLock as i32);
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
    // SAFETY: a catalog lookup inside a transaction.
    unsafe { pg_sys::get_extension_oid(c"leasehold".as_ptr(), true) != pg_sys::InvalidOid }
}
