//! Fencing: the login can not log in by any method and lends nothing to anybody, from the commit on.

use super::FEW;
use crate::catalog::ending::{self, Mark, Marked, Why};
use crate::core::label::Installation;
use crate::ffi::{clock, databases, durable, xact};
use crate::lease::spread;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys;
use std::collections::HashSet;

/// What one batch of fencing did.
#[derive(Debug, Default)]
pub struct Fenced {
    /// The leases that are fenced once this transaction has committed.
    pub numbers: Vec<i64>,
    /// Their logins, whose sessions are to be ended after the commit.
    pub logins: Vec<pg_sys::Oid>,
    /// Leases whose login's own row is held by somebody, the login itself perhaps: number and login.
    pub held: Vec<(i64, pg_sys::Oid)>,
    /// How many leases were looked at.
    pub looked_at: usize,
}

impl Fenced {
    /// Adds what another batch did.
    pub fn absorb(&mut self, other: Self) {
        self.numbers.extend(other.numbers);
        self.logins.extend(other.logins);
        self.held.extend(other.held);
        self.looked_at += other.looked_at;
    }
}

/// Fences what is due at `now`, at most `at_most` and none of `except`. Leases that somebody has locked are passed by.
pub fn fence_due(
    installation: Installation,
    now: TimestampWithTimeZone,
    except: &[i64],
    at_most: usize,
) -> Fenced {
    let limit = i64::try_from(at_most).unwrap_or(i64::MAX);
    let looked_at = limit.saturating_add(i64::try_from(except.len()).unwrap_or(0));
    spread::postpone(now.into(), looked_at);
    let due = ending::take_due(installation, now, except, limit);
    apply(&due, now, Why::Due)
}

/// Fences these active leases, whose rows the caller has locked and whose owner has ended.
pub fn fence_owned(
    installation: Installation,
    now: TimestampWithTimeZone,
    numbers: &[i64],
) -> Fenced {
    let due = ending::lock_active(installation, numbers);
    apply(&due, now, Why::Owner)
}

/// What a revocation could do at once.
pub struct Revoked {
    /// The leases whose rows its transaction has locked.
    pub locked: Vec<i64>,
    /// Those of them that are fenced once it has committed.
    pub fenced: HashSet<i64>,
}

/// Locks and fences these active leases of this database, as far as it can be done without waiting; `None` where nobody enforces.
/// They are revoked by `by`. With the rights of the extension.
pub fn fence_now(numbers: &[i64], by: &str) -> Option<Revoked> {
    let installation = databases::installation_at(xact::my_database())?;
    let due = ending::lock_active(installation, numbers);
    let fenced = apply(&due, clock::now(), Why::Revoked(by)).numbers;
    Some(Revoked {
        locked: due.iter().map(|lease| lease.number).collect(),
        fenced: fenced.into_iter().collect(),
    })
}

fn apply(due: &[Marked], now: TimestampWithTimeZone, why: Why<'_>) -> Fenced {
    let mut all = Fenced::default();
    for few in due.chunks(FEW) {
        if all.looked_at > 0 {
            durable::so_far();
        }
        all.absorb(apply_few(few, now, why));
    }
    all
}

fn apply_few(due: &[Marked], now: TimestampWithTimeZone, why: Why<'_>) -> Fenced {
    let ours: Vec<pg_sys::Oid> = due
        .iter()
        .filter(|lease| lease.mark.is_to_be_fenced())
        .filter_map(|lease| lease.login)
        .collect();
    let locked = if ours.is_empty() {
        Vec::new()
    } else {
        ending::lock_logins(&ours)
    };
    let half: HashSet<_> = if locked.is_empty() {
        HashSet::new()
    } else {
        ending::disarm(&locked, now).into_iter().collect()
    };
    let locked: HashSet<_> = locked.into_iter().collect();

    let mut fenced = Fenced {
        looked_at: due.len(),
        ..Fenced::default()
    };
    let mut bare = Vec::new();
    let mut foreign = Vec::new();
    let mut dropped = Vec::new();
    for lease in due {
        match (lease.mark, lease.login) {
            (Mark::Ours | Mark::Bare, Some(login))
                if locked.contains(&login) && !half.contains(&login) =>
            {
                fenced.logins.push(login);
                match lease.mark {
                    Mark::Bare => bare.push(lease.number),
                    _ => fenced.numbers.push(lease.number),
                }
            }
            (Mark::Ours | Mark::Bare, Some(login)) => fenced.held.push((lease.number, login)),
            // Nothing to fence: somebody has dropped it, or there never was one.
            (Mark::Absent, Some(_)) => dropped.push(lease.number),
            (Mark::Absent | Mark::Ours | Mark::Bare, None) => fenced.numbers.push(lease.number),
            (Mark::Foreign, _) => foreign.push(lease.number),
        }
    }
    let of_dropped = match why {
        Why::Revoked(_) => why,
        _ => Why::Lost("external"),
    };
    ending::mark_fenced(&fenced.numbers, now, why, None);
    ending::mark_fenced(&dropped, now, of_dropped, None);
    ending::mark_fenced(&bare, now, why, Some(super::finish::BARE));
    ending::mark_fenced(&foreign, now, why, Some(super::finish::FOREIGN));
    fenced.numbers.extend(bare);
    fenced.numbers.extend(dropped);
    fenced.numbers.extend(foreign);
    fenced
}
