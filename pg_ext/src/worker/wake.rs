//! How a commit that brings the next end nearer wakes the sweeper, without a lock and without a needless wake-up.
//!
//! The committer lowers `announced`, then looks at `next_wake`; the sweeper takes `announced` away before it
//! looks at the rows, and looks at it again after it has written `next_wake`. Whatever the order, either the
//! sweeper sees the row, or it sees the announcement, or the committer sets its latch.

use super::board::Place;
use crate::ffi::{latch, shmem, xact};
use pgrx::pg_sys;
use std::cell::Cell;
use std::sync::atomic::Ordering::SeqCst;

/// `announced` when nothing is: later than any instant, and what zeroed memory is turned into at a start.
pub const NEVER: pg_sys::TimestampTz = i64::MAX;

thread_local! {
    /// The nearest end announced by the transaction under way.
    static NEAREST: Cell<Option<pg_sys::TimestampTz>> = const { Cell::new(None) };
}

/// After this transaction has committed, wakes this database's sweeper if it means to sleep past `at`. Call it
/// as often as you like: only the nearest instant of a transaction counts. A rollback forgets it.
pub fn at_commit(at: pg_sys::TimestampTz) {
    let before = NEAREST.get();
    NEAREST.set(Some(before.map_or(at, |nearest| nearest.min(at))));
    if before.is_none() {
        xact::after_commit(|| {
            if let Some(nearest) = NEAREST.take() {
                now(nearest);
            }
        });
        xact::after_abort(|| NEAREST.set(None));
    }
}

/// Wakes the launcher after this transaction has committed: a database has got or lost its label, or is about to.
pub fn launcher_at_commit() {
    xact::after_commit(|| {
        if let Some(board) = shmem::board() {
            board.labelled.fetch_add(1, SeqCst);
            latch::set(board.launcher_latch.load(SeqCst));
        }
    });
}

fn now(at: pg_sys::TimestampTz) {
    let Some(place) = shmem::board().and_then(|board| board.place(xact::my_database())) else {
        return;
    };
    announce(place, at);
}

fn announce(place: &Place, at: pg_sys::TimestampTz) {
    place.announced.fetch_min(at, SeqCst);
    if at < place.next_wake.load(SeqCst) {
        latch::set(place.latch.load(SeqCst));
    }
}
