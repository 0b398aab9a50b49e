//! The catalog caches of this backend.

use pgrx::pg_sys;

/// Takes in what others have committed, so that catalog rows are read anew.
pub fn accept() {
    // SAFETY: inside a transaction; what a lock on a table would do as well.
    unsafe { pg_sys::AcceptInvalidationMessages() }
}

/// Makes this transaction's own changes of the catalogs visible to what comes next.
pub fn see_own_changes() {
    // SAFETY: inside a transaction that is not in parallel mode.
    unsafe { pg_sys::CommandCounterIncrement() }
}
