//! Is anybody enforcing the leases of a database? Answered from shared memory, without a transaction.

use super::board::Place;
use crate::ffi::{clock, shmem};
use pgrx::pg_sys;
use std::sync::atomic::Ordering::SeqCst;

/// After this long without a sign of life nothing is issued any more.
pub const STALE_AFTER_MS: u64 = 5_000;

/// True if the sweeper of `database` showed itself within the last five seconds. False without preload.
pub fn fresh(database: pg_sys::Oid) -> bool {
    age_ms(database).is_some_and(|age| age <= STALE_AFTER_MS)
}

/// Milliseconds since the sweeper of `database` last showed itself; `None` if it never did.
pub fn age_ms(database: pg_sys::Oid) -> Option<u64> {
    let beat = shmem::board()?.place(database)?.beat_ms.load(SeqCst);
    (beat != 0).then(|| clock::monotonic_ms().saturating_sub(beat))
}

/// The sweeper's sign of life.
pub fn beat(place: &Place) {
    place.beat_ms.store(clock::monotonic_ms(), SeqCst);
}

/// The process id of the sweeper of `database`, while there is one.
pub fn sweeper_pid(database: pg_sys::Oid) -> Option<i32> {
    let pid = shmem::board()?.place(database)?.pid.load(SeqCst);
    i32::try_from(pid).ok().filter(|&pid| pid != 0)
}
