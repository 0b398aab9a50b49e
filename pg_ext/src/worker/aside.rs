//! Stepping aside: a database that somebody drops, copies or renames has to be without other sessions, and a worker of
//! ours is one. So it leaves for the moment, and is back when the command has ended.

use super::board::Place;
use crate::ffi::{backends, clock, latch, shmem};
use pgrx::pg_sys;
use std::sync::atomic::Ordering::SeqCst;

/// Even if the command's process dies, the workers are back after this long.
const AWAY_MAX_MS: u64 = 10_000;
/// How long sessions of others may take to end before the command is left to fail.
const OTHERS_MS: u64 = 1_000;
/// How long our workers may take to leave; the server waits some seconds longer for them.
const LEAVE_MS: u64 = 3_000;

/// While it lives, the workers stay out of a database.
pub struct Aside(&'static Place);

/// Makes our workers leave `database`; `None` if there are none, or if the command can not succeed because others are
/// in there: a lease must not end late for nothing. `others_are_ended`: the command ends those itself.
pub fn step(database: pg_sys::Oid, others_are_ended: bool) -> Option<Aside> {
    let board = shmem::board()?;
    let place = board.place(database)?;
    let began_ms = clock::monotonic_ms();
    let waited = |limit_ms| clock::monotonic_ms().saturating_sub(began_ms) > limit_ms;
    while !others_are_ended && backends::any_client_in(database) {
        if waited(OTHERS_MS) {
            return None;
        }
        latch::wait(10);
    }
    place
        .away_until_ms
        .store(clock::monotonic_ms() + AWAY_MAX_MS, SeqCst);
    let aside = Aside(place);
    loop {
        let cleaners = board
            .jobs
            .iter()
            .filter(|job| job.database.load(SeqCst) == database.to_u32())
            .map(|job| job.cleaner.load(SeqCst));
        let ours: Vec<u32> = cleaners
            .chain([place.pid.load(SeqCst)])
            .filter(|&pid| pid != 0)
            .collect();
        if ours.is_empty() || waited(LEAVE_MS) {
            return Some(aside);
        }
        for pid in ours {
            backends::terminate_worker(pid, database);
        }
        latch::wait(10);
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.0.away_until_ms.store(0, SeqCst);
        if let Some(board) = shmem::board() {
            latch::set(board.launcher_latch.load(SeqCst));
        }
    }
}

/// True if the workers are to stay out of the database of `place` for now.
pub fn is_away(place: &Place) -> bool {
    clock::monotonic_ms() < place.away_until_ms.load(SeqCst)
}
