//! The notice board in shared memory: who is alive, and who wants to be woken when. Atomics but for the bells, so that it can
//! be read and written without a lock, and zeroed memory with its bells hung is an empty board. Never a truth: rows are.

use super::job::{JOBS_MAX, Job};
use crate::ffi::bell::Bell;
use pgrx::pg_sys;
use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering::SeqCst};

/// How many databases of one cluster may hold the extension.
pub const DATABASES_MAX: usize = 64;

/// The whole board.
#[repr(C)]
pub struct Board {
    /// The latch of the launcher; 0 while there is none.
    pub launcher_latch: AtomicUsize,
    /// How often a database's label may have changed; only that it changes means anything.
    pub labelled: AtomicU64,
    /// One place for each labelled database, given out by the launcher.
    pub places: [Place; DATABASES_MAX],
    /// The cleaners' errands.
    pub jobs: [Job; JOBS_MAX],
}

/// What is known of one database's sweeper.
#[repr(C)]
pub struct Place {
    /// The database's OID; 0 is a free place.
    pub database: AtomicU32,
    /// The process id of the sweeper; 0 while there is none.
    pub pid: AtomicU32,
    /// Its latch; 0 while there is none.
    pub latch: AtomicUsize,
    /// When it last showed that it is alive, on the monotonic clock.
    pub beat_ms: AtomicU64,
    /// When it means to wake next, on the wall clock.
    pub next_wake: AtomicI64,
    /// The nearest end that a commit has announced since the sweeper last looked.
    pub announced: AtomicI64,
    /// Rings when leases were fenced or dropped here.
    pub progress: Bell,
    /// Until when on the monotonic clock nobody of ours is to be in the database; 0 for no such wish.
    pub away_until_ms: AtomicU64,
}

impl Place {
    /// Makes the place free again.
    pub fn clear(&self) {
        self.beat_ms.store(0, SeqCst);
        self.next_wake.store(0, SeqCst);
        self.announced.store(0, SeqCst);
        self.away_until_ms.store(0, SeqCst);
        self.database.store(0, SeqCst);
    }
}

impl Board {
    /// What zeroed memory lacks.
    pub fn hang_bells(&self) {
        for place in &self.places {
            place.progress.hang();
        }
    }

    /// Frees the errands of sweepers that have ended in databases that hold the extension no more: no sweeper comes after them.
    pub fn free_jobs_of_gone(&self, homes: &HashSet<u32>) {
        for job in &self.jobs {
            let (poster, home) = (job.poster.load(SeqCst), job.home.load(SeqCst));
            // The launcher's own errands have no home.
            if poster == 0 || home == 0 || homes.contains(&home) {
                continue;
            }
            let lives = self
                .places
                .iter()
                .any(|place| place.pid.load(SeqCst) == poster);
            if !lives && job.cleaner.load(SeqCst) == 0 {
                job.free();
            }
        }
    }

    /// The place of `database`, if the launcher has given it one.
    pub fn place(&self, database: pg_sys::Oid) -> Option<&Place> {
        self.places
            .iter()
            .find(|place| place.database.load(SeqCst) == database.to_u32())
    }
}
