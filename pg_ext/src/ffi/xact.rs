//! What hangs on the end of the caller's transaction.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode, PgXactCallbackEvent, pg_sys, register_xact_callback};
use std::panic::{RefUnwindSafe, UnwindSafe};

/// Runs `then` after this transaction has committed and its rows are visible to others; not at all if it rolls
/// back. It runs where no error is allowed any more, so it may only touch shared memory.
pub fn after_commit(then: impl FnOnce() + UnwindSafe + RefUnwindSafe + 'static) {
    register_xact_callback(PgXactCallbackEvent::Commit, then);
}

/// Runs `then` if this transaction rolls back, under the same restriction as [`after_commit`].
pub fn after_abort(then: impl FnOnce() + UnwindSafe + RefUnwindSafe + 'static) {
    register_xact_callback(PgXactCallbackEvent::Abort, then);
}

/// Makes `PREPARE TRANSACTION` fail for this transaction. A prepared issue would reserve a name that nobody can
/// see, and a prepared verb would be forgotten by the wake-up that its commit owes.
pub fn refuse_prepare() {
    register_xact_callback(PgXactCallbackEvent::PrePrepare, || {
        ErrorReport::new(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            "cannot PREPARE a transaction that has used leasehold's functions",
            "refuse_prepare",
        )
        .set_hint("COMMIT it, or call the function in a transaction of its own.")
        .report(PgLogLevel::ERROR);
    });
}

/// True if this transaction has changed or locked rows. A transaction id alone does not count: asking through SPI may
/// take one.
pub fn has_written() -> bool {
    // SAFETY: reads this backend's own transaction state.
    unsafe {
        pg_sys::GetTopTransactionIdIfAny() != pg_sys::InvalidTransactionId
            && pg_sys::XactLastRecEnd != 0
    }
}

/// The database this process is connected to; 0 for none.
pub fn my_database() -> pg_sys::Oid {
    // SAFETY: a plain variable of this process.
    unsafe { pg_sys::MyDatabaseId }
}

/// Runs `work`, whose questions then see everything that is committed at this moment, whatever the isolation level of
/// the transaction. It must not write.
pub fn with_latest_snapshot<R>(work: impl FnOnce() -> R) -> R {
    // SAFETY: inside a transaction. After an error the snapshot goes with the (sub)transaction.
    unsafe {
        pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot());
        let result = work();
        pg_sys::PopActiveSnapshot();
        result
    }
}

/// Fails in a read-only transaction, and so on a standby, with PostgreSQL's own error: every verb writes.
pub fn refuse_read_only() {
    // SAFETY: looks at this transaction, or raises an ordinary error.
    unsafe { pg_sys::PreventCommandIfReadOnly(c"leasehold's functions".as_ptr()) }
}
