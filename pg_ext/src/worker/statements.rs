//! Ending statements in a cleaner: run once, in a transaction of their own.

use crate::catalog::litter;
use crate::ffi::txn;
use crate::lease::end;

/// Runs the ending statements of `lease`, and writes down that they ran or why they did not.
pub fn run(lease: i64) {
    let result = txn::run(|| {
        if let Err(reason) = end::run_statements(lease) {
            // Half an ending must not stay: roll back what came before the failure.
            pgrx::error!("{reason}");
        }
    });
    let error = result
        .err()
        .map(|trouble| format!("ending statements: {trouble}"));
    if let Err(trouble) = txn::run(|| litter::mark_statements_ran(lease, error.as_deref())) {
        pgrx::log!("leasehold cleaner can not write what came of the ending statements: {trouble}");
    }
}
