//! Catching PostgreSQL's errors: with a subtransaction, whatever was written is undone; without one, only for
//! code that writes nothing and holds nothing.

use pgrx::pg_sys::panic::CaughtError;
use pgrx::{PgTryBuilder, pg_sys};
use std::panic::AssertUnwindSafe;

/// Runs `work`, which must write nothing and take no lock, and gives back the error it met.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, CaughtError> {
    PgTryBuilder::new(AssertUnwindSafe(|| Ok(work())))
        .catch_others(Err)
        .execute()
}

/// Runs `work` in a subtransaction. After an error everything it did is undone: rows, locks, user, settings.
pub fn subtransaction<T>(work: impl FnOnce() -> T) -> Result<T, CaughtError> {
    // SAFETY: the steps PL/pgSQL takes for a block with EXCEPTION: memory context and resource owner of the caller
    // are put back after the begin and after either end.
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let owner = pg_sys::CurrentResourceOwner;
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
        let result = caught(work);
        if result.is_ok() {
            pg_sys::ReleaseCurrentSubTransaction();
        } else {
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
        result
    }
}
