//! The one place where a refusal becomes a PostgreSQL error.

use crate::core::error::Fault;
use crate::ffi::report;
use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::panic::ErrorReport;

impl From<Fault> for ErrorReport {
    fn from(fault: Fault) -> Self {
        report::arm(fault.state());
        // The code given here is replaced by the armed one; pgrx has no name for ours.
        let error = ErrorReport::new(
            PgSqlErrorCode::ERRCODE_RAISE_EXCEPTION,
            fault.to_string(),
            "leasehold",
        );
        match fault.hint() {
            Some(hint) => error.set_hint(hint),
            None => error,
        }
    }
}
