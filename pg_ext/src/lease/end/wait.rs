//! Waiting until leases have ended.

use crate::catalog::status::{self, Standing};
use crate::ffi::bell::Bell;
use crate::ffi::{backends, clock, latch, xact};
use crate::worker::progress;
use std::collections::HashSet;

/// The longest wait.
pub const WAIT_MAX_MS: u64 = 60_000;
/// How long to wait for the drop, once no access is left.
const LITTER_MS: u64 = 2_000;
/// How soon rows and sessions are looked at again although the sweeper has not moved.
const LOOK_AGAIN_MS: u64 = 50;

/// How a lease stands at the end of the wait.
pub struct Ended {
    /// What the catalog says.
    pub standing: Standing,
    /// The backends of its login that are still there.
    pub pids: Vec<i32>,
}

/// Waits until all of these leases are gone; from two seconds on it is enough that no access is left (all are fenced
/// and without sessions); at the latest until `timeout_ms` has passed. The caller's transaction must not have written:
/// it could wait for itself.
pub fn await_ended(lease_ids: &[String], scopes: &[String], timeout_ms: u64) -> Vec<Ended> {
    let began_ms = clock::monotonic_ms();
    let over_ms = began_ms + timeout_ms.min(WAIT_MAX_MS);
    loop {
        let bell = progress::of(xact::my_database()).map(Bell::listen);
        let now = xact::with_latest_snapshot(|| look(lease_ids, scopes));
        let now_ms = clock::monotonic_ms();
        let gone = now.iter().all(|each| each.standing.state == "gone");
        let safe = now
            .iter()
            .all(|each| each.standing.state != "active" && each.pids.is_empty());
        if gone || now_ms >= over_ms || (safe && now_ms - began_ms >= LITTER_MS) {
            return now;
        }
        match bell {
            Some(bell) => bell.wait(LOOK_AGAIN_MS.min(over_ms - now_ms)),
            // Somebody may end leases by hand, and only rows tell.
            None => latch::wait(match now_ms - began_ms {
                0..1_000 => 10,
                _ => LOOK_AGAIN_MS,
            }),
        }
    }
}

fn look(lease_ids: &[String], scopes: &[String]) -> Vec<Ended> {
    let standings = status::of(lease_ids, scopes);
    let logins: HashSet<_> = standings
        .iter()
        .filter_map(|standing| standing.login)
        .collect();
    let backends = if logins.is_empty() {
        Vec::new()
    } else {
        backends::others(|user| logins.contains(&user))
    };
    standings
        .into_iter()
        .map(|standing| {
            let of_it = |backend: &&backends::Backend| Some(backend.user) == standing.login;
            let pids = backends
                .iter()
                .filter(of_it)
                .map(|backend| backend.pid)
                .collect();
            Ended { standing, pids }
        })
        .collect()
}
