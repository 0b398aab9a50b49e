//! Why the extension can not be dropped yet.

use crate::catalog::status;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};

/// An error if a lease is not gone: without the extension nobody would end it.
pub fn refuse_if_live() {
    let live = status::count_live();
    if live > 0 {
        ErrorReport::new(
            PgSqlErrorCode::ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
            format!("cannot drop extension leasehold because {live} leases are not gone"),
            "refuse_if_live",
        )
        .set_hint("End them first (select leasehold.revoke_prefix('')) and wait until leasehold.leases is empty.")
        .report(PgLogLevel::ERROR);
    }
}
