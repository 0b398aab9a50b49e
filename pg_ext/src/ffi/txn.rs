//! Transactions of a worker's own. An error in one ends that transaction, not the worker.

use crate::core::trouble::Trouble;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::{PgSqlErrorCode, PgTryBuilder};
use std::panic::AssertUnwindSafe;

/// Runs `work` in a transaction of its own and commits it; an ERROR or a panic inside rolls it back and comes
/// out as the reason. A FATAL (the worker is told to end) is not caught. Only for workers, never inside a
/// statement: the caller must not be in a transaction.
pub fn run<R>(work: impl FnOnce() -> R) -> Result<R, Trouble> {
    let result = PgTryBuilder::new(AssertUnwindSafe(|| {
        // SAFETY: a worker outside a transaction; the snapshot is popped before the commit, as the server demands.
        unsafe {
            pg_sys::SetCurrentStatementStartTimestamp();
            pg_sys::StartTransactionCommand();
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        }
        let result = work();
        // SAFETY: as above; `work` may have committed the snapshot away through a command of its own.
        unsafe {
            if pg_sys::ActiveSnapshotSet() {
                pg_sys::PopActiveSnapshot();
            }
            pg_sys::CommitTransactionCommand();
        }
        Ok(result)
    }))
    .catch_others(|error| Err(describe(&error)))
    .catch_rust_panic(|error| Err(describe(&error)))
    .execute();
    // SAFETY: outside of any catch block; rolls back whatever the failed work has left, locks included.
    unsafe {
        if result.is_err() {
            pg_sys::AbortCurrentTransaction();
        }
        pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
        // Once a second, as a backend does: a pass is a dozen transactions.
        pg_sys::pgstat_report_stat(false);
    }
    result
}

/// An error that was caught, as a reason for people.
pub fn describe(error: &CaughtError) -> Trouble {
    match error {
        CaughtError::PostgresError(report)
        | CaughtError::ErrorReport(report)
        | CaughtError::RustPanic {
            ereport: report, ..
        } => Trouble {
            code: sqlstate(report.sql_error_code()),
            message: report.message().to_owned(),
            detail: report.detail().map(str::to_owned),
        },
    }
}

fn sqlstate(code: PgSqlErrorCode) -> String {
    let mut packed = code as u32;
    let mut text = String::with_capacity(5);
    for _ in 0..5 {
        text.push(char::from(b'0' + (packed & 0x3f) as u8));
        packed >>= 6;
    }
    text
}
