//! The errands that a sweeper has out: it posts them, goes on with its own work, and collects what has come back.

use super::board::Board;
use super::job::{Answer, ITEMS_MAX, Job, Order};
use crate::ffi::bgworker::{self, Handle, Status};
use pgrx::pg_sys;
use std::collections::HashMap;
use std::sync::atomic::Ordering::SeqCst;

/// A cleaner has this long for one errand before it is told to end.
pub const ERRAND_MAX_MS: u64 = 15_000;

/// The errands under way.
pub struct Errands {
    board: &'static Board,
    home: pg_sys::Oid,
    out: Vec<Out>,
    waiting: HashMap<u32, Vec<Order>>,
}

struct Out {
    job: &'static Job,
    handle: Handle,
    database: pg_sys::Oid,
    since_ms: u64,
    ended: bool,
}

/// What came of one lease in one database.
pub struct Report {
    /// The order.
    pub order: Order,
    /// The database that was visited.
    pub database: pg_sys::Oid,
    /// What came of it.
    pub answer: Answer,
    /// Whether the visit came to any lease at all. If so, those without an answer only had no turn.
    pub visited: bool,
    /// Whether the cleaner was at the ending statements of this one when it was told to end, because it took too long.
    pub took_too_long: bool,
}

impl Errands {
    /// No errand yet. Frees the jobs that an earlier sweeper of this database has left, if their cleaners have ended.
    pub fn new(board: &'static Board, home: pg_sys::Oid) -> Self {
        let errands = Self {
            board,
            home,
            out: Vec::new(),
            waiting: HashMap::new(),
        };
        errands.free_abandoned();
        errands
    }

    fn free_abandoned(&self) {
        let me = bgworker::my_pid().unsigned_abs();
        for job in &self.board.jobs {
            let poster = job.poster.load(SeqCst);
            let abandoned = poster != 0
                && poster != me
                && job.home.load(SeqCst) == self.home.to_u32()
                && job.cleaner.load(SeqCst) == 0;
            if abandoned {
                job.free();
            }
        }
    }

    /// The leases that are under way, so that nobody else takes them up.
    pub fn leases(&self) -> Vec<i64> {
        let out = self
            .out
            .iter()
            .flat_map(|out| out.job.used())
            .map(|item| item.read().lease);
        let waiting = self.waiting.values().flatten().map(|order| order.lease);
        out.chain(waiting).collect()
    }

    /// Puts an order down for `database`; it leaves with the next [`Errands::send`].
    pub fn add(&mut self, database: pg_sys::Oid, order: Order) {
        self.waiting
            .entry(database.to_u32())
            .or_default()
            .push(order);
    }

    /// Sends cleaners off as far as jobs and worker slots are free. Returns the databases whose errand could not
    /// start for lack of a worker slot.
    pub fn send(&mut self, now_ms: u64) -> bool {
        let databases: Vec<u32> = self.waiting.keys().copied().collect();
        for database in databases {
            // One visit at a time: two cleaners in one database would only wait for each other.
            if self.out.iter().any(|out| out.database.to_u32() == database) {
                continue;
            }
            let Some(mut orders) = self.waiting.remove(&database) else {
                continue;
            };
            let rest = orders.split_off(orders.len().min(ITEMS_MAX));
            let oid = pg_sys::Oid::from(database);
            let me = bgworker::my_pid().unsigned_abs();
            let posted = self
                .board
                .jobs
                .iter()
                .enumerate()
                .find(|(_, job)| job.post(me, self.home, oid, &orders));
            let Some((index, job)) = posted else {
                orders.extend(rest);
                self.waiting.insert(database, orders);
                self.free_abandoned();
                return true;
            };
            let argument = i32::try_from(index).expect("a job's index is small");
            let handle = bgworker::start("leasehold cleaner", "leasehold_cleaner", argument);
            let Some(handle) = handle else {
                job.free();
                orders.extend(rest);
                self.waiting.insert(database, orders);
                return false;
            };
            self.out.push(Out {
                job,
                handle,
                database: oid,
                since_ms: now_ms,
                ended: false,
            });
            if !rest.is_empty() {
                self.waiting.insert(database, rest);
            }
        }
        true
    }

    /// Gives up what waits, so that its leases can be tried again later.
    pub fn drop_waiting(&mut self) -> Vec<Report> {
        self.waiting
            .drain()
            .flat_map(|(database, orders)| {
                orders.into_iter().map(move |order| Report {
                    order,
                    database: pg_sys::Oid::from(database),
                    answer: Answer::None,
                    visited: false,
                    took_too_long: false,
                })
            })
            .collect()
    }

    /// What has come back since the last call.
    pub fn collect(&mut self, now_ms: u64) -> Vec<Report> {
        let mut reports = Vec::new();
        self.out.retain_mut(|out| {
            if out.handle.status() != Status::Stopped {
                if now_ms.saturating_sub(out.since_ms) > ERRAND_MAX_MS {
                    out.ended = true;
                    out.handle.terminate();
                }
                return true;
            }
            let visited = out
                .job
                .used()
                .iter()
                .any(|item| item.answered() != Answer::None);
            for item in out.job.used() {
                let unanswered = item.answered() == Answer::None;
                reports.push(Report {
                    visited,
                    took_too_long: out.ended && unanswered && item.has_begun(),
                    order: item.read(),
                    database: out.database,
                    answer: item.answered(),
                });
            }
            out.job.free();
            false
        });
        reports
    }

    /// True if a cleaner is out or waits to be sent.
    pub fn any(&self) -> bool {
        !self.out.is_empty() || !self.waiting.is_empty()
    }
}
