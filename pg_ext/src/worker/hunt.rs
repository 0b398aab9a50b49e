//! The hunt for sessions of ended logins. A backend may be starting up while we look, so a login counts as quiet only
//! after two looks in a row without a backend; and a login that is not dropped yet is never let out of sight.

use crate::ffi::{backends, clock};
use pgrx::pg_sys;
use std::collections::{HashMap, HashSet};

/// Looks in a row without a backend that make a login quiet.
const LOOKS: u8 = 2;
/// A pause between two looks of a fresh hunt, and of one that has gone on for a while.
const PAUSE_MS: (u64, u64) = (1, 50);
/// When a hunt has gone on for a while.
const STUBBORN_AFTER_MS: u64 = 1_000;

/// The logins that are hunted.
#[derive(Default)]
pub struct Hunt {
    /// Those that may have a backend still. A look costs as much as these are, however many are quiet.
    fresh: HashMap<pg_sys::Oid, Trace>,
    /// Those that were seen without one often enough; one that shows itself again is fresh again.
    quiet: HashSet<pg_sys::Oid>,
}

struct Trace {
    looks_without: u8,
    since_ms: u64,
    pids: Vec<i32>,
}

impl Trace {
    fn since(since_ms: u64) -> Self {
        Self {
            looks_without: 0,
            since_ms,
            pids: Vec::new(),
        }
    }
}

impl Hunt {
    /// Hunts `logins` from now on; one that is hunted already goes on as before.
    pub fn add(&mut self, logins: &[pg_sys::Oid]) {
        let since_ms = clock::monotonic_ms();
        for &login in logins {
            if !self.quiet.contains(&login) {
                let fresh = self.fresh.entry(login);
                fresh.or_insert_with(|| Trace::since(since_ms));
            }
        }
    }

    /// Hunts these and no others: what looked due may have been renewed.
    pub fn only(&mut self, logins: &[pg_sys::Oid]) {
        let wanted: HashSet<pg_sys::Oid> = logins.iter().copied().collect();
        self.fresh.retain(|login, _| wanted.contains(login));
        self.quiet.retain(|login| wanted.contains(login));
        self.add(logins);
    }

    /// Stops hunting `logins`: they are dropped. The launcher's look for backends without a user goes on for ever.
    pub fn forget(&mut self, logins: &[pg_sys::Oid]) {
        for login in logins {
            self.fresh.remove(login);
            self.quiet.remove(login);
        }
    }

    /// Ends every backend of a hunted login that there is now.
    pub fn look(&mut self) {
        if self.fresh.is_empty() && self.quiet.is_empty() {
            return;
        }
        let hunted = |user| self.fresh.contains_key(&user) || self.quiet.contains(&user);
        let backends = backends::others(hunted);
        for trace in self.fresh.values_mut() {
            trace.pids.clear();
        }
        let now_ms = clock::monotonic_ms();
        for backend in backends {
            self.quiet.remove(&backend.user);
            let fresh = self.fresh.entry(backend.user);
            let trace = fresh.or_insert_with(|| Trace::since(now_ms));
            backends::terminate(backend);
            trace.pids.push(backend.pid);
        }
        let quiet = &mut self.quiet;
        self.fresh.retain(|&login, trace| {
            let seen = !trace.pids.is_empty();
            trace.looks_without = if seen { 0 } else { trace.looks_without + 1 };
            let stays = trace.looks_without < LOOKS;
            if !stays {
                quiet.insert(login);
            }
            stays
        });
    }

    /// True if `login` is hunted and was seen without a backend often enough.
    pub fn is_quiet(&self, login: pg_sys::Oid) -> bool {
        self.quiet.contains(&login)
    }

    /// How long until the next look is needed; `None` while all hunted logins are quiet.
    pub fn pause_ms(&self) -> Option<u64> {
        let now_ms = clock::monotonic_ms();
        self.fresh
            .values()
            .map(|trace| match now_ms.saturating_sub(trace.since_ms) {
                0..STUBBORN_AFTER_MS => PAUSE_MS.0,
                _ => PAUSE_MS.1,
            })
            .min()
    }

    /// Logins whose sessions do not end although they were told to a while ago, with the backends' pids.
    pub fn stubborn(&self) -> Vec<(pg_sys::Oid, Vec<i32>)> {
        let now_ms = clock::monotonic_ms();
        self.fresh
            .iter()
            .filter(|(_, trace)| {
                !trace.pids.is_empty() && now_ms.saturating_sub(trace.since_ms) > STUBBORN_AFTER_MS
            })
            .map(|(&login, trace)| (login, trace.pids.clone()))
            .collect()
    }
}
