//! Trying again what has lost a race for an access list.

use crate::ffi::{latch, subxact};
use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::panic::{CaughtError, ErrorReportWithLevel};

/// So often is something tried.
const ATTEMPTS_MAX: u32 = 16;
/// The pauses between, in milliseconds, are at most two to the power of this.
const PAUSE_DOUBLED_MAX: u32 = 7;

/// Runs `work` in a subtransaction, again after a collision, told `again` before. Any other error is raised.
pub(super) fn until_done<T>(work: impl Fn() -> T, again: impl FnMut()) -> T {
    until_settled(work, again).unwrap_or_else(|error| error.rethrow())
}

/// As [`until_done`], but gives back the error.
pub(super) fn until_settled<T>(
    work: impl Fn() -> T,
    mut again: impl FnMut(),
) -> Result<T, CaughtError> {
    let mut attempt = 1;
    loop {
        match subxact::subtransaction(&work) {
            Err(error) if attempt < ATTEMPTS_MAX && collided(&error) => {
                again();
                latch::wait(rand::random_range(1..=1 << attempt.min(PAUSE_DOUBLED_MAX)));
                attempt += 1;
            }
            result => return result,
        }
    }
}

/// What PostgreSQL reported; `None` for a bug of ours.
pub(super) fn report(error: &CaughtError) -> Option<&ErrorReportWithLevel> {
    match error {
        CaughtError::PostgresError(report) | CaughtError::ErrorReport(report) => Some(report),
        CaughtError::RustPanic { .. } => None,
    }
}

/// Both messages are internal errors of the server's heap and as such never translated.
fn collided(error: &CaughtError) -> bool {
    report(error).is_some_and(|report| {
        report.sql_error_code() == PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED
            || matches!(
                report.message(),
                "tuple concurrently updated" | "tuple concurrently deleted"
            )
    })
}
