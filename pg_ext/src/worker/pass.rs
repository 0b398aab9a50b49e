//! One pass of a sweeper over its leases: fence what is due, drop what is ready, send cleaners for the rest. Each step
//! is a transaction of its own, of at most one batch, so that a crash between any two of them loses nothing.

mod held;

use super::board::Place;
use super::errands::{ERRAND_MAX_MS, Errands, Report};
use super::groups::Groups;
use super::heartbeat;
use super::hunt::Hunt;
use super::job::{Answer, Order};
use super::progress;
use super::upkeep::Upkeep;
use super::wake;
use crate::catalog::{ending, litter, restored};
use crate::core::backoff;
use crate::core::label::Installation;
use crate::ffi::{bgworker, clock, txn};
use crate::lease::end::{self, BATCH, Next};
use crate::lease::spread;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering::SeqCst;

/// How soon a lease is tried again whose row or login is held.
const HELD_AGAIN_US: i64 = 50_000;
/// How soon an owner is tried again whose children or leases somebody holds.
const STUCK_AGAIN_US: i64 = 250_000;
/// How often the worker asks itself whether its rows came out of a dump.
const SUSPECT_EVERY_MS: u64 = 5_000;
/// However far away the next end is.
const LOOK_AGAIN_US: i64 = 60_000_000;
/// After so many passes that had something due and got nothing done, somebody must be holding it.
const FRUITLESS_MAX: u32 = 20;
/// How soon cleaners are looked after.
const ERRANDS_PAUSE_MS: u64 = 20;

/// The state of a sweeper between passes: what it has under way. Nothing of it is needed after a restart.
pub struct Pass {
    place: &'static Place,
    installation: Installation,
    home: pg_sys::Oid,
    errands: Errands,
    /// Databases that were cleaned of a lease's login already in this attempt.
    visited: HashMap<i64, HashSet<u32>>,
    upkeep: Upkeep,
    groups: Groups,
    /// What was due before this instant has been fenced, or is held.
    fenced_until: TimestampWithTimeZone,
    /// When the next lease ends, or a held one is to be tried again, as far as is known.
    next_end: pg_sys::TimestampTz,
    starting: bool,
    suspected_ms: u64,
    /// Since when ends have failed, one pass after the other.
    failing_since: Option<pg_sys::TimestampTz>,
    /// Passes without a drop, one after the other, while one was due.
    fruitless: u32,
}

impl Pass {
    /// Nothing under way yet.
    pub fn new(
        place: &'static Place,
        installation: Installation,
        home: pg_sys::Oid,
        errands: Errands,
        groups: Groups,
    ) -> Self {
        Self {
            place,
            installation,
            home,
            errands,
            visited: HashMap::new(),
            upkeep: Upkeep::default(),
            groups,
            fenced_until: clock::now(),
            next_end: clock::wall(),
            starting: true,
            suspected_ms: 0,
            failing_since: None,
            fruitless: 0,
        }
    }

    /// True while something is under way that wants looking after.
    pub fn has_work(&self) -> bool {
        self.errands.any() || self.groups.any()
    }

    /// How long the sweeper may sleep at most because of it.
    pub fn pause_ms(&self) -> Option<u64> {
        self.has_work().then_some(ERRANDS_PAUSE_MS)
    }

    /// Runs a pass; when the next one is due. An end was `announced` for that instant; what nobody has announced is looked for
    /// when the rows known are `stale`, and else only what is due by them.
    pub fn run(
        &mut self,
        hunt: &mut Hunt,
        announced: pg_sys::TimestampTz,
        stale: bool,
    ) -> pg_sys::TimestampTz {
        if bgworker::in_recovery() {
            return self.guard_standby(hunt);
        }
        self.settle_in(hunt);
        self.next_end = self.next_end.min(announced);
        if stale || self.is_end_due() {
            self.see_to_ends(hunt);
        }
        self.collect();
        self.finish(hunt);
        if !self.errands.send(clock::monotonic_ms()) {
            for report in self.errands.drop_waiting() {
                self.fail(
                    report.order.lease,
                    "no background worker is free to clean: raise max_worker_processes",
                );
            }
        }
        self.groups.see_to();
        step("upkeep", || self.upkeep.run(clock::monotonic_ms()));
        let under_way = self.errands.leases();
        let attempt = step("attempts", || litter::next_attempt(&under_way)).flatten();
        self.next_end.min(self.patiently(attempt))
    }

    /// When to try the next drop again: what is due and stays may only wait for its sessions, but not for ever.
    fn patiently(&mut self, attempt: Option<pg_sys::TimestampTz>) -> pg_sys::TimestampTz {
        let attempt = attempt.unwrap_or(pg_sys::TimestampTz::MAX);
        let now = clock::wall();
        if attempt > now {
            self.fruitless = 0;
            return attempt;
        }
        self.fruitless = self.fruitless.saturating_add(1);
        if self.fruitless <= FRUITLESS_MAX {
            return attempt;
        }
        now + HELD_AGAIN_US
    }

    /// Fences whatever has to end now, and finds out when the next end is.
    fn see_to_ends(&mut self, hunt: &mut Hunt) {
        self.next_end = clock::wall() + LOOK_AGAIN_US;
        let absorbed = step("requests", || ending::absorb_end_requests(clock::now())).is_some();
        let (fenced, again) = self.fence(hunt);
        let again = again
            .min(self.watch_held())
            .min(self.watch_tables(absorbed && fenced));
        let after = self.fenced_until;
        let due = step("next", || litter::next_end(after)).flatten();
        self.next_end = self.next_end.min(again).min(due.unwrap_or(again));
    }

    /// True if a lease is to end now: what takes long looks again and again, for an end does not wait for a drop.
    fn is_end_due(&mut self) -> bool {
        let announced = self.place.announced.swap(wake::NEVER, SeqCst);
        self.next_end = self.next_end.min(announced);
        self.next_end <= clock::wall()
    }

    /// At the start, and when it looks as if rows had been restored meanwhile, matches leases with logins again.
    fn settle_in(&mut self, hunt: &mut Hunt) {
        let now_ms = clock::monotonic_ms();
        if now_ms.saturating_sub(self.suspected_ms) < SUSPECT_EVERY_MS {
            return;
        }
        let installation = self.installation;
        let suspect = || self.starting || restored::is_suspect(installation);
        match step("suspect", suspect) {
            Some(true) => {
                let settled = step("settle in", || {
                    restored::settle_in(installation, clock::now())
                });
                let ended = || ending::ended_logins(installation, clock::now());
                let logins = step("start", ended).unwrap_or_default();
                hunt.add(&logins);
                self.starting = settled.is_none();
                self.next_end = clock::wall();
            }
            Some(false) => {}
            None => return,
        }
        self.suspected_ms = now_ms;
    }

    /// Fences everything that is due, in batches; false if something failed, and when what is held is to be tried again. What
    /// ends with an owner takes turns with what ends by itself, so that neither waits for very many of the other.
    fn fence(&mut self, hunt: &mut Hunt) -> (bool, pg_sys::TimestampTz) {
        let mut well = true;
        let mut held: Vec<i64> = Vec::new();
        let mut stuck = Vec::new();
        let mut again = pg_sys::TimestampTz::MAX;
        loop {
            heartbeat::beat(self.place);
            let (installation, now) = (self.installation, clock::now());
            let news = step("owners", || {
                spread::spread(installation, now, &stuck, BATCH)
            });
            well &= news.is_some();
            let news = news.unwrap_or_default();
            again = again.min(self.take_in(news.fenced, &mut held, hunt));
            if let Some(owner) = news.stuck {
                again = again.min(clock::wall() + STUCK_AGAIN_US);
                stuck.push(owner);
            }
            let now = clock::now();
            let due = step("fence", || end::fence_due(installation, now, &held, BATCH));
            let Some(due) = due else {
                return (false, clock::wall() + HELD_AGAIN_US);
            };
            let more = news.more || due.looked_at >= BATCH;
            again = again.min(self.take_in(due, &mut held, hunt));
            if !more {
                self.fenced_until = now;
                return (well, again);
            }
        }
    }

    /// Hunts the logins of a batch that is fenced, and sees to those that are held.
    fn take_in(
        &mut self,
        batch: end::Fenced,
        held: &mut Vec<i64>,
        hunt: &mut Hunt,
    ) -> pg_sys::TimestampTz {
        if !batch.numbers.is_empty() {
            progress::made(self.place);
        }
        hunt.add(&batch.logins);
        hunt.look();
        let mut again = pg_sys::TimestampTz::MAX;
        for (number, login) in batch.held {
            again = clock::wall() + HELD_AGAIN_US;
            // The login itself may hold its row: in an open transaction, or in a prepared one, which only a
            // visit to its database can end.
            held.push(number);
            // Not hunted: whoever holds it may still give its lease another end.
            end::end_those_of(&[login]);
            self.free_from_prepared(number, login);
        }
        again
    }

    /// Drops what is ready, and hands out errands for what is not.
    fn finish(&mut self, hunt: &mut Hunt) {
        loop {
            heartbeat::beat(self.place);
            if self.is_end_due() {
                self.see_to_ends(hunt);
            }
            let except = self.errands.leases();
            let (installation, home) = (self.installation, self.home);
            let batch = step("finish", || {
                end::finish(installation, home, clock::now(), &except, BATCH, |login| {
                    hunt.is_quiet(login)
                })
            });
            // One lease can spoil a batch (somebody locks its role): then each is tried alone, so that it
            // spoils nobody else's.
            let batch = match batch {
                Some(batch) => batch,
                None => match self.finish_alone(hunt, &except) {
                    Some(batch) => batch,
                    None => return,
                },
            };
            hunt.forget(&batch.gone_logins);
            for number in &batch.gone {
                self.visited.remove(number);
            }
            hunt.add(&batch.hunt);
            hunt.look();
            let has_progress = !batch.gone.is_empty();
            if has_progress {
                progress::made(self.place);
                self.fruitless = 0;
            }
            for next in batch.needs {
                self.send_for(next);
            }
            self.report_stubborn(hunt);
            if batch.looked_at < BATCH || !has_progress {
                return;
            }
        }
    }

    /// Ends the leases of a batch one by one; those that fail are put off.
    fn finish_alone(&mut self, hunt: &mut Hunt, except: &[i64]) -> Option<end::Finished> {
        let (installation, home) = (self.installation, self.home);
        let numbers = step("finish", || {
            litter::take_fenced(clock::now(), except, BATCH as i64, None)
                .into_iter()
                .map(|(number, _)| number)
                .collect::<Vec<_>>()
        })?;
        let mut all = end::Finished::default();
        for number in numbers {
            heartbeat::beat(self.place);
            // Each may wait for a lock, and there may be hundreds of them.
            if self.is_end_due() {
                self.see_to_ends(hunt);
            }
            hunt.look();
            let result = txn::run(|| {
                end::finish_one(installation, home, clock::now(), number, |login| {
                    hunt.is_quiet(login)
                })
            });
            match result {
                Ok(one) => all.absorb(one),
                Err(trouble) => self.fail(number, &trouble.to_string()),
            }
        }
        Some(all)
    }

    /// Puts down the errands for a lease that needs cleaning; a database that was cleaned and is still named
    /// means that something new depends on the login, or that the visit could not see it.
    fn send_for(&mut self, next: Next) {
        let number = next.lease.number;
        let visited = self.visited.entry(number).or_default();
        let again = next
            .databases
            .iter()
            .any(|database| visited.contains(&database.to_u32()));
        if again {
            let mut reason =
                String::from("something depends on the login again after it was cleaned away");
            if !next.prepared.is_empty() {
                reason = format!("prepared transaction {} holds it", next.prepared.join(", "));
            }
            self.fail(number, &reason);
            return;
        }
        for database in next.databases {
            let at_home = database == self.home;
            self.errands.add(
                database,
                Order {
                    lease: number,
                    login: next.lease.login,
                    reassign_to: next.lease.reassign_to,
                    drop_owned: next.lease.drop_owned,
                    statements: at_home && next.lease.statements,
                    prepared_only: false,
                    stranger: false,
                    group: false,
                },
            );
        }
    }

    /// Takes in what the cleaners have found.
    fn collect(&mut self) {
        for report in self.errands.collect(clock::monotonic_ms()) {
            let number = report.order.lease;
            if report.took_too_long {
                self.took_too_long(&report);
                continue;
            }
            match report.answer {
                Answer::Clean => {
                    // Ending statements come first and alone, so their database may be needed once more.
                    if !report.order.statements && !report.order.prepared_only {
                        self.visited
                            .entry(number)
                            .or_default()
                            .insert(report.database.to_u32());
                    }
                }
                Answer::Failed(reason) => {
                    let reason = format!("{}: {reason}", self.name(report.database));
                    self.fail(number, &reason);
                }
                // Its turn comes with the next visit.
                Answer::None if report.visited => {}
                Answer::None | Answer::Elsewhere(_) => {
                    let reason = format!("{} could not be visited", self.name(report.database));
                    self.fail(number, &reason);
                }
            }
        }
    }

    /// Ending statements had to be stopped. They are tried once, however that went.
    fn took_too_long(&mut self, report: &Report) {
        let number = report.order.lease;
        let reason = format!(
            "ending statements: stopped after {} s",
            ERRAND_MAX_MS / 1_000
        );
        step("statements", || {
            litter::mark_statements_ran(number, Some(&reason));
        });
        self.fail(number, &reason);
    }

    fn name(&self, database: pg_sys::Oid) -> String {
        let name = step("name", || litter::database_name(database)).flatten();
        name.map_or_else(
            || format!("database {database}"),
            |name| format!("database \"{name}\""),
        )
    }

    fn report_stubborn(&mut self, hunt: &Hunt) {
        for (login, pids) in hunt.stubborn() {
            let pids: Vec<String> = pids.iter().map(i32::to_string).collect();
            let reason = format!(
                "session {} does not end although it was told to",
                pids.join(", ")
            );
            step("stubborn", || litter::put_off_login(login, &reason));
        }
    }

    /// Writes why a lease stays, and puts its next attempt off.
    fn fail(&mut self, number: i64, reason: &str) {
        self.visited.remove(&number);
        step("fail", || {
            let attempts = litter::attempts(number).unwrap_or(0);
            ending::mark_failed(
                number,
                reason,
                backoff::wait_seconds(attempts.saturating_add(1)),
            );
        });
    }

    /// On a standby nothing can be written, but a session of an ended lease would live on.
    fn guard_standby(&self, hunt: &mut Hunt) -> pg_sys::TimestampTz {
        let installation = self.installation;
        if let Some(logins) = step("guard", || ending::ended_logins(installation, clock::now())) {
            hunt.only(&logins);
            hunt.look();
        }
        clock::wall() + 500_000
    }
}

/// One transaction; what goes wrong in it is logged, and the pass goes on with the next.
fn step<R>(what: &str, work: impl FnOnce() -> R) -> Option<R> {
    match txn::run(work) {
        Ok(result) => Some(result),
        Err(trouble) => {
            pgrx::log!("leasehold sweeper ({what}): {trouble}");
            None
        }
    }
}
