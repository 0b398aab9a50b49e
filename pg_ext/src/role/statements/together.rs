//! All statements of a text together: under the locks they need, once more from the beginning if they lose a race for
//! an access list, and with an error that says what we know better than PostgreSQL.
//!
//! From the beginning, because a statement that has succeeded holds rows of the catalog that the winner of the
//! race may be waiting for: trying the loser alone again could go on for ever.

use super::locks::{self, Collisions, Reach};
use super::{Statement, StatementError, Step};
use crate::catalog::acl;
use crate::core::error::Fault;
use crate::ffi::{latch, subxact};
use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::panic::{CaughtError, ErrorReport, ErrorReportWithLevel};

/// So often is everything tried.
const ATTEMPTS_MAX: u32 = 16;
/// The pauses between, in milliseconds, are at most two to the power of this.
const PAUSE_DOUBLED_MAX: u32 = 7;

/// Does `work`, which works off `steps` in order, calling [`super::run`] for those that are PostgreSQL's; it may be
/// called again, after everything it wrote has been undone. An error that a statement meets is raised as PostgreSQL raised it,
/// without the verifier; ours come back. Call it late: the locks are held until the transaction ends, others
/// wait. Steps that are all the extension's own take no lock.
pub fn together<T>(steps: &[Step], mut work: impl FnMut() -> Result<T, Fault>) -> Result<T, Fault> {
    let statements: Vec<&Statement> = steps.iter().filter_map(Step::statement).collect();
    if statements.is_empty() {
        return work();
    }
    let mut reach = locks::reach(&statements);
    let mut attempt = 1;
    loop {
        let result = subxact::undone_unless_ok(|| {
            locks::take(&reach)?;
            work()
        });
        match result {
            Ok(result) => return result,
            Err(error) if attempt < ATTEMPTS_MAX && collided(&error) => {
                Collisions::remember(&statements);
                reach = Reach::Everything;
                latch::wait(rand::random_range(1..=1 << attempt.min(PAUSE_DOUBLED_MAX)));
                attempt += 1;
            }
            Err(error) => return Err(explain(error, statements[0].secret.as_deref()).into()),
        }
    }
}

/// Did it lose a race? Both messages are internal errors of the server's heap and as such never translated.
fn collided(error: &CaughtError) -> bool {
    report(error).is_some_and(|report| {
        report.sql_error_code() == PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED
            || matches!(
                report.message(),
                "tuple concurrently updated" | "tuple concurrently deleted"
            )
    })
}

/// How PostgreSQL says that the restricted context forbids something.
const RESTRICTED: [&str; 2] = [
    "within security-restricted operation",
    "within security-definer function",
];

/// Our own error where we know better, else raises PostgreSQL's again.
fn explain(error: CaughtError, secret: Option<&str>) -> StatementError {
    let Some(found) = report(&error) else {
        error.rethrow()
    };
    let code = found.sql_error_code();
    if code == PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED
        && found.message().starts_with("row is too big")
        && let Some(object) = acl::fullest()
    {
        return StatementError::AccessListFull { object };
    }
    if code == PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE
        && RESTRICTED
            .iter()
            .any(|words| found.message().contains(words))
    {
        return StatementError::Restricted {
            message: found.message().to_owned(),
        };
    }
    if code == PgSqlErrorCode::ERRCODE_ACTIVE_SQL_TRANSACTION
        && let Some(what) = found
            .message()
            .strip_suffix(" cannot be executed from a function")
    {
        raise(found, |_| {
            format!("{what} cannot run inside a transaction block")
        });
    }
    if let Some(secret) = secret
        && [Some(found.message()), found.detail(), found.hint()]
            .into_iter()
            .flatten()
            .any(|shown| shown.contains(secret))
    {
        raise(found, |shown| shown.replace(secret, "***"));
    }
    error.rethrow()
}

/// What PostgreSQL reported; `None` for a bug of ours.
fn report(error: &CaughtError) -> Option<&ErrorReportWithLevel> {
    match error {
        CaughtError::PostgresError(report) | CaughtError::ErrorReport(report) => Some(report),
        CaughtError::RustPanic { .. } => None,
    }
}

/// Raises `found` again in other words.
fn raise(found: &ErrorReportWithLevel, words: impl Fn(&str) -> String) -> ! {
    let mut report = ErrorReport::new(found.sql_error_code(), words(found.message()), "together");
    if let Some(detail) = found.detail() {
        report = report.set_detail(words(detail));
    }
    if let Some(hint) = found.hint() {
        report = report.set_hint(words(hint));
    }
    report.report(pgrx::PgLogLevel::ERROR);
    unreachable!("an ERROR does not return")
}
