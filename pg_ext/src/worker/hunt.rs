//! The hunt for sessions of ended logins. A backend may be starting up while we look, so a login counts as quiet only
//! after two looks in a row without a backend; and a login that is not dropped yet is never let out of sight.

use crate::ffi::{backends, clock};
use pgrx::pg_sys;
use std::collections::HashMap;

/// Looks in a row without a backend that make a login quiet.
const LOOKS: u8 = 2;
/// A pause between two looks of a fresh hunt, and of one that has gone on for a while.
const PAUSE_MS: (u64, u64) = (2, 50);
/// When a hunt has gone on for a while.
const STUBBORN_AFTER_MS: u64 = 1_000;

/// The logins that are hunted.
#[derive(Default)]
pub struct Hunt {
    quarry: HashMap<pg_sys::Oid, Trace>,
}

struct Trace {
    looks_without: u8,
    since_ms: u64,
    pids: Vec<i32>,
}

impl Hunt {
    /// Hunts `logins` from now on; one that is hunted already goes on as before.
    pub fn add(&mut self, logins: &[pg_sys::Oid]) {
        let since_ms = clock::monotonic_ms();
        for &login in logins {
            self.quarry.entry(login).or_insert(Trace {
                looks_without: 0,
                since_ms,
                pids: Vec::new(),
            });
        }
    }

    /// Stops hunting `logins`: they are dropped. The launcher's look for backends without a user goes on for ever.
    pub fn forget(&mut self, logins: &[pg_sys::Oid]) {
        for login in logins {
            self.quarry.remove(login);
        }
    }

    /// Ends every backend of a hunted login that there is now.
    pub fn look(&mut self) {
        if self.quarry.is_empty() {
            return;
        }
        let backends = backends::others(|user| self.quarry.contains_key(&user));
        for trace in self.quarry.values_mut() {
            trace.pids.clear();
        }
        for backend in backends {
            if let Some(trace) = self.quarry.get_mut(&backend.user) {
                backends::terminate(backend);
                trace.pids.push(backend.pid);
            }
        }
        let now_ms = clock::monotonic_ms();
        for trace in self.quarry.values_mut() {
            if trace.pids.is_empty() {
                trace.looks_without = trace.looks_without.saturating_add(1).min(LOOKS);
            } else {
                if trace.looks_without == LOOKS {
                    trace.since_ms = now_ms;
                }
                trace.looks_without = 0;
            }
        }
    }

    /// True if `login` is hunted and was seen without a backend often enough.
    pub fn is_quiet(&self, login: pg_sys::Oid) -> bool {
        self.quarry
            .get(&login)
            .is_some_and(|trace| trace.looks_without >= LOOKS)
    }

    /// How long until the next look is needed; `None` while all hunted logins are quiet.
    pub fn pause_ms(&self) -> Option<u64> {
        let now_ms = clock::monotonic_ms();
        self.quarry
            .values()
            .filter(|trace| trace.looks_without < LOOKS)
            .map(|trace| match now_ms.saturating_sub(trace.since_ms) {
                0..STUBBORN_AFTER_MS => PAUSE_MS.0,
                _ => PAUSE_MS.1,
            })
            .min()
    }

    /// Logins whose sessions do not end although they were told to a while ago, with the backends' pids.
    pub fn stubborn(&self) -> Vec<(pg_sys::Oid, Vec<i32>)> {
        let now_ms = clock::monotonic_ms();
        self.quarry
            .iter()
            .filter(|(_, trace)| {
                !trace.pids.is_empty() && now_ms.saturating_sub(trace.since_ms) > STUBBORN_AFTER_MS
            })
            .map(|(&login, trace)| (login, trace.pids.clone()))
            .collect()
    }
}
