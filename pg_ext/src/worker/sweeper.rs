//! A sweeper: stands in one database that holds the extension, and ends its leases on time.
//!
//! It sleeps until the next end, is woken by commits that bring one nearer, and shows a sign of life at least twice a
//! second. It never waits for anybody: locked rows are passed by, and what takes time is a cleaner's errand.

use super::board::{Board, Place};
use super::errands::Errands;
use super::groups::Groups;
use super::hunt::Hunt;
use super::orphans::Orphans;
use super::pass::Pass;
use super::{heartbeat, wake};
use crate::core::label::Installation;
use crate::ffi::{bgworker, clock, databases, latch, settings, shmem, txn};
use pgrx::pg_sys;
use std::sync::atomic::Ordering::SeqCst;

/// The longest sleep: a sign of life is due, the clock may have jumped, and a backend may have lost its user.
const SLEEP_MAX_US: i64 = 500_000;
/// How long to wait for what is due and can not be done yet.
const PAUSE_MS: u64 = 5;
/// However quiet, the rows are looked at again after this long.
const LOOK_EVERY_MS: u64 = 10_000;

/// A sweeper's life; `index` is its place on the board.
pub fn main(index: usize) {
    bgworker::take_signals();
    let board = shmem::board().expect("a sweeper exists only where the library was preloaded");
    let place = &board.places[index];
    let me = bgworker::my_pid().unsigned_abs();
    if place.pid.compare_exchange(0, me, SeqCst, SeqCst).is_err() {
        // An earlier launcher's sweeper is still there.
        bgworker::finish();
    }
    bgworker::at_exit(at_exit);
    let database = pg_sys::Oid::from(place.database.load(SeqCst));
    bgworker::connect(database);
    settings::pin(c"200ms");
    place.announced.store(wake::NEVER, SeqCst);
    place.next_wake.store(wake::NEVER, SeqCst);
    place.latch.store(latch::mine(), SeqCst);

    // Until the extension is there (a restored database has its label first) there is nothing to enforce, and
    // no sign of life that would say otherwise.
    let installation = loop {
        match txn::run(|| home(database)) {
            Ok(Home::Ready(installation)) => break installation,
            Ok(Home::NoExtension) => {}
            Ok(Home::NoLabel) => bgworker::finish(),
            Err(trouble) => pgrx::log!("leasehold sweeper can not read its home: {trouble}"),
        }
        place.announced.store(wake::NEVER, SeqCst);
        latch::wait(1_000);
    };
    Sweeper {
        board,
        place,
        database,
        installation,
    }
    .live();
}

extern "C-unwind" fn at_exit(_code: i32, _argument: pg_sys::Datum) {
    let me = bgworker::my_pid().unsigned_abs();
    let Some(board) = shmem::board() else { return };
    for place in &board.places {
        if place.pid.load(SeqCst) == me {
            place.latch.store(0, SeqCst);
            place.pid.store(0, SeqCst);
        }
    }
    latch::set(board.launcher_latch.load(SeqCst));
}

enum Home {
    Ready(Installation),
    NoExtension,
    NoLabel,
}

fn home(database: pg_sys::Oid) -> Home {
    match databases::installation_at(database) {
        None => Home::NoLabel,
        Some(_) if !databases::has_extension() => Home::NoExtension,
        Some(installation) => Home::Ready(installation),
    }
}

struct Sweeper {
    board: &'static Board,
    place: &'static Place,
    database: pg_sys::Oid,
    installation: Installation,
}

impl Sweeper {
    fn live(&self) -> ! {
        let mut hunt = Hunt::default();
        let errands = Errands::new(self.board, self.database);
        let groups = Groups::new(self.board, self.installation, self.database);
        let mut pass = Pass::new(
            self.place,
            self.installation,
            self.database,
            errands,
            groups,
        );
        let mut orphans = Orphans::default();
        let mut looked_ms = 0;
        let mut next = pg_sys::TimestampTz::MIN;
        loop {
            heartbeat::beat(self.place);
            bgworker::reload_if_asked();
            let announced = self.place.announced.swap(wake::NEVER, SeqCst);
            let now_ms = clock::monotonic_ms();
            let stale = now_ms.saturating_sub(looked_ms) >= LOOK_EVERY_MS;
            hunt.look();
            orphans.look();
            if stale && !self.still_home() {
                bgworker::finish();
            }
            if stale || announced != wake::NEVER || clock::wall() >= next || pass.has_work() {
                next = pass.run(&mut hunt, announced, stale);
                looked_ms = clock::monotonic_ms();
            }
            let now = clock::wall();
            let mut until = next.min(now + SLEEP_MAX_US);
            self.place.next_wake.store(until, SeqCst);
            until = until.min(self.place.announced.load(SeqCst));
            let sleep_ms = u64::try_from((until - now + 999) / 1_000).unwrap_or(0);
            let pause_ms = match (hunt.pause_ms(), pass.pause_ms()) {
                (Some(hunt), Some(errands)) => Some(hunt.min(errands)),
                (hunt, errands) => hunt.or(errands),
            };
            latch::wait(match (sleep_ms, pause_ms) {
                // Due already, yet not done: it waits for a session to end, or for whoever holds it.
                (0, pause) => pause.unwrap_or(PAUSE_MS),
                (sleep, Some(pause)) => sleep.min(pause),
                (sleep, None) => sleep,
            });
        }
    }

    fn still_home(&self) -> bool {
        match txn::run(|| home(self.database)) {
            Ok(Home::Ready(installation)) => installation == self.installation,
            Ok(_) => false,
            Err(_) => true,
        }
    }
}
