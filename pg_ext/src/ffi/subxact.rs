//! Catching PostgreSQL's errors: with a subtransaction, whatever was written is undone; without one, only for
//! code that writes nothing and holds nothing.

use pgrx::pg_sys::panic::CaughtError;
use pgrx::{PgTryBuilder, pg_sys};
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;

/// Runs `work`, which must write nothing and take no lock, and gives back the error it met.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, CaughtError> {
    PgTryBuilder::new(AssertUnwindSafe(|| Ok(work())))
        .catch_others(Err)
        .execute()
}

/// Runs `work` in a subtransaction. After an error everything it did is undone: rows, locks, user, settings.
pub fn subtransaction<T>(work: impl FnOnce() -> T) -> Result<T, CaughtError> {
    match undone_unless_ok(|| Ok::<T, Infallible>(work()))? {
        Ok(done) => Ok(done),
    }
}

/// As [`subtransaction`], and everything is undone as well if `work` returns an error.
pub fn undone_unless_ok<T, E>(
    work: impl FnOnce() -> Result<T, E>,
) -> Result<Result<T, E>, CaughtError> {
    // SAFETY: the steps PL/pgSQL takes for a block with EXCEPTION: memory context and resource owner of the caller
    // are put back after the begin and after either end.
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let owner = pg_sys::CurrentResourceOwner;
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
        let result = caught(work);
        if matches!(result, Ok(Ok(_))) {
            pg_sys::ReleaseCurrentSubTransaction();
        } else {
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
        result
    }
}
