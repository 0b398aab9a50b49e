//! The launcher: one for the cluster, in no database. It finds the databases that hold the extension by their
//! labels, and keeps a sweeper running in each. It reads shared catalogs only, from one end to the other, and runs no SQL.

use super::aside;
use super::board::{Board, Place};
use super::homes::Homes;
use super::orphans::Orphans;
use super::strangers::Strangers;
use crate::ffi::bgworker::{self, Handle, Status};
use crate::ffi::{clock, latch, settings, shmem};
use pgrx::pg_sys;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering::SeqCst;

/// How often the launcher looks around, unless it is woken.
const LOOK_EVERY_MS: u64 = 500;
/// A sweeper that dies young is not started again before this has passed since its last start.
const RESTART_AFTER_MS: u64 = 500;

/// How often logins of unknown installations are looked for.
const STRANGERS_EVERY_MS: u64 = 30_000;

/// Registers the launcher with the postmaster; only while preloading.
pub fn register() {
    bgworker::register_static("leasehold launcher", "leasehold_launcher");
}

/// The launcher's life.
pub fn main() {
    bgworker::take_signals();
    bgworker::connect_to_none();
    settings::pin(c"200ms");
    let board =
        shmem::board().expect("a static worker exists only where the library was preloaded");
    bgworker::at_exit(at_exit);
    board.launcher_latch.store(latch::mine(), SeqCst);

    let mut launcher = Launcher {
        board,
        homes: Homes::default(),
        started: HashMap::new(),
        orphans: Orphans::default(),
        strangers: Strangers::new(board),
        strangers_ms: 0,
        labelled: HashSet::new(),
        complained: false,
    };
    loop {
        bgworker::reload_if_asked();
        launcher.look_around();
        latch::wait(LOOK_EVERY_MS);
    }
}

extern "C-unwind" fn at_exit(_code: i32, _argument: pg_sys::Datum) {
    if let Some(board) = shmem::board() {
        board.launcher_latch.store(0, SeqCst);
    }
}

struct Launcher {
    board: &'static Board,
    homes: Homes,
    /// The sweepers that this launcher has started, by database.
    started: HashMap<u32, Started>,
    orphans: Orphans,
    strangers: Strangers,
    strangers_ms: u64,
    /// The labelled databases of the last look.
    labelled: HashSet<u32>,
    /// True while a lack of worker slots has been logged and not been cured.
    complained: bool,
}

struct Started {
    handle: Handle,
    at_ms: u64,
}

impl Launcher {
    fn look_around(&mut self) {
        if let Some(homes) = self.homes.look(self.board) {
            let homes: Vec<pg_sys::Oid> = homes.iter().map(|home| home.database).collect();
            let labelled = homes.iter().map(|home| home.to_u32()).collect();
            self.leave_all_but(&labelled);
            if labelled != self.labelled {
                // One that is gone may have left logins behind.
                self.strangers_ms = 0;
                self.labelled = labelled;
            }
            for home in homes {
                self.keep_running(home);
            }
        }
        let now_ms = clock::monotonic_ms();
        if now_ms.saturating_sub(self.strangers_ms) >= STRANGERS_EVERY_MS
            && !bgworker::in_recovery()
        {
            self.strangers_ms = now_ms;
            self.strangers.look(now_ms);
        }
        self.strangers.collect(now_ms);
        // Where there are sweepers, they do it, and find a user by an index.
        let sweeps = |place: &Place| place.pid.load(SeqCst) != 0;
        if !self.board.places.iter().any(sweeps) {
            self.orphans.look();
        }
    }

    /// Frees the places of databases that are gone or no longer hold the extension.
    fn leave_all_but(&mut self, labelled: &HashSet<u32>) {
        for place in &self.board.places {
            let database = place.database.load(SeqCst);
            if database == 0 || labelled.contains(&database) {
                continue;
            }
            if place.pid.load(SeqCst) == 0 {
                self.started.remove(&database);
                place.clear();
            } else if let Some(started) = self.started.get(&database) {
                started.handle.terminate();
            }
            // A sweeper that an earlier launcher has started looks at its label itself, and leaves.
        }
        self.board.free_jobs_of_gone(labelled);
    }

    fn keep_running(&mut self, database: pg_sys::Oid) {
        let Some((index, place)) = self.place_for(database) else {
            pgrx::log!(
                "more than {} databases hold leasehold: no worker for database {database}",
                super::board::DATABASES_MAX
            );
            return;
        };
        if place.pid.load(SeqCst) != 0 || aside::is_away(place) {
            return;
        }
        if let Some(started) = self.started.get(&database.to_u32()) {
            let young = clock::monotonic_ms().saturating_sub(started.at_ms) < RESTART_AFTER_MS;
            if young || started.handle.status() != Status::Stopped {
                return;
            }
        }
        let argument = i32::try_from(index).expect("a place's index is small");
        match bgworker::start("leasehold sweeper", "leasehold_sweeper", argument) {
            Some(handle) => {
                self.complained = false;
                let at_ms = clock::monotonic_ms();
                self.started
                    .insert(database.to_u32(), Started { handle, at_ms });
            }
            None if self.complained => {}
            None => {
                self.complained = true;
                pgrx::log!(
                    "no background worker is free for leasehold in database {database}: raise max_worker_processes"
                );
            }
        }
    }

    /// The place of `database`, taken now if it has none yet.
    fn place_for(&self, database: pg_sys::Oid) -> Option<(usize, &'static Place)> {
        let mut places = self.board.places.iter().enumerate();
        let of =
            |wanted: u32| move |(_, place): &(usize, &Place)| place.database.load(SeqCst) == wanted;
        places.clone().find(of(database.to_u32())).or_else(|| {
            let free = places.find(of(0))?;
            free.1.database.store(database.to_u32(), SeqCst);
            Some(free)
        })
    }
}
