//! Has a sweeper brought leases further? Told through shared memory, so that whoever waits for an end looks at rows only when
//! there is something to see.

use super::board::Place;
use crate::ffi::bell::Bell;
use crate::ffi::shmem;
use pgrx::pg_sys;

/// The sweeper has fenced or dropped leases, and that is committed.
pub fn made(place: &Place) {
    place.progress.ring();
}

/// What rings whenever that happens in `database`; `None` without a sweeper.
pub fn of(database: pg_sys::Oid) -> Option<&'static Bell> {
    Some(&shmem::board()?.place(database)?.progress)
}
