//! Has a sweeper brought leases further? Answered from shared memory, so that whoever waits for an end looks at rows only
//! when there is something to see.

use super::board::Place;
use crate::ffi::shmem;
use pgrx::pg_sys;
use std::sync::atomic::Ordering::SeqCst;

/// The sweeper has fenced or dropped leases, and that is committed.
pub fn made(place: &Place) {
    place.progress.fetch_add(1, SeqCst);
}

/// How often that has happened in `database`; another number is progress, whichever it is. `None` without a sweeper.
pub fn seen(database: pg_sys::Oid) -> Option<u64> {
    let place = shmem::board()?.place(database)?;
    Some(place.progress.load(SeqCst))
}
