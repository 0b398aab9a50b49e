//! Finishing: fenced leases without sessions and without anything that depends on them are dropped, many at a
//! time; of the others it is said what they still need.

use super::FEW;
use crate::catalog::ending::{self, Mark};
use crate::catalog::litter::{self, Fenced};
use crate::core::backoff;
use crate::core::label::Installation;
use crate::ffi::{drop as server, durable};
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys;
use std::collections::HashMap;

/// Why a lease whose login has lost its mark stays.
pub const BARE: &str = "the login has lost the mark of this lease: it is fenced and its sessions are ended, and it stays \
     until it is dropped by hand or labelled again (security label for leasehold on role …)";
/// Why a lease stays whose login's OID belongs to a role that is another's.
pub const FOREIGN: &str = "the role with the login's OID has another name or another's mark, so it is not touched: fence \
     and drop it by hand, or label it again (security label for leasehold on role …)";

/// How soon a login without its mark is looked at again: nothing else would notice that it was revived.
const BARE_AGAIN_SECONDS: i64 = 10;

/// What one batch of finishing did and found.
#[derive(Debug, Default)]
pub struct Finished {
    /// Leases that are gone once this transaction has committed.
    pub gone: Vec<i64>,
    /// Their logins.
    pub gone_logins: Vec<pg_sys::Oid>,
    /// Logins that may have sessions still and have to be hunted first.
    pub hunt: Vec<pg_sys::Oid>,
    /// Leases that need something done elsewhere before they can be dropped.
    pub needs: Vec<Next>,
    /// How many leases were looked at.
    pub looked_at: usize,
}

/// What a fenced lease needs before its login can be dropped.
#[derive(Debug, Clone)]
pub struct Next {
    /// The lease.
    pub lease: Fenced,
    /// The databases to visit first; all at once.
    pub databases: Vec<pg_sys::Oid>,
    /// Prepared transactions of the login, by name, for the reason if they stay.
    pub prepared: Vec<String>,
}

/// Drops up to `at_most` fenced leases whose attempt is due at `now`, except `except` and those whose login
/// `quiet` does not know to be without sessions. `home` is this database.
pub fn finish(
    installation: Installation,
    home: pg_sys::Oid,
    now: TimestampWithTimeZone,
    except: &[i64],
    at_most: usize,
    quiet: impl Fn(pg_sys::Oid) -> bool,
) -> Finished {
    let limit = i64::try_from(at_most).unwrap_or(i64::MAX);
    let candidates = litter::take_fenced(now, except, limit, None);
    apply(installation, candidates, home, now, quiet)
}

/// Drops one fenced lease, if its attempt is due at `now`.
pub fn finish_one(
    installation: Installation,
    home: pg_sys::Oid,
    now: TimestampWithTimeZone,
    number: i64,
    quiet: impl Fn(pg_sys::Oid) -> bool,
) -> Finished {
    let candidates = litter::take_fenced(now, &[], 1, Some(number));
    apply(installation, candidates, home, now, quiet)
}

impl Finished {
    /// Adds what another call has found.
    pub fn absorb(&mut self, other: Self) {
        self.gone.extend(other.gone);
        self.gone_logins.extend(other.gone_logins);
        self.hunt.extend(other.hunt);
        self.needs.extend(other.needs);
        self.looked_at += other.looked_at;
    }
}

fn apply(
    installation: Installation,
    candidates: Vec<(i64, Option<pg_sys::Oid>)>,
    home: pg_sys::Oid,
    now: TimestampWithTimeZone,
    quiet: impl Fn(pg_sys::Oid) -> bool,
) -> Finished {
    let mut finished = Finished {
        looked_at: candidates.len(),
        ..Finished::default()
    };
    // Many come here first to be hunted: what a lease needs is asked, at some cost, once its login is without sessions.
    let mut ready = Vec::new();
    let mut fresh = Vec::new();
    for (number, login) in candidates {
        let is_quiet = login.is_none_or(&quiet);
        if is_quiet { &mut ready } else { &mut fresh }.push(number);
    }
    if !fresh.is_empty() {
        for lease in litter::marks(installation, &fresh) {
            match lease.login.filter(|_| lease.mark.is_to_be_fenced()) {
                Some(login) => finished.hunt.push(login),
                None => ready.push(lease.number),
            }
        }
    }
    if ready.is_empty() {
        return finished;
    }
    let mut prepared = ByOwner::new();
    for each in litter::prepared() {
        prepared
            .entry(each.owner)
            .or_default()
            .push((each.database, each.gid));
    }

    for few in ready.chunks(FEW) {
        if !(finished.gone.is_empty() && finished.needs.is_empty()) {
            durable::so_far();
        }
        let done = apply_few(installation, few, home, now, &prepared, &quiet);
        finished.absorb(done);
    }
    finished
}

type ByOwner = HashMap<pg_sys::Oid, Vec<(pg_sys::Oid, String)>>;

fn apply_few(
    installation: Installation,
    ready: &[i64],
    home: pg_sys::Oid,
    now: TimestampWithTimeZone,
    prepared: &ByOwner,
    quiet: impl Fn(pg_sys::Oid) -> bool,
) -> Finished {
    let mut finished = Finished::default();
    let mut rearmed = Vec::new();
    let mut drop = Vec::new();
    for lease in litter::needs(installation, ready) {
        match (lease.mark, lease.login) {
            (Mark::Foreign, _) => {
                ending::mark_failed(
                    lease.number,
                    FOREIGN,
                    backoff::wait_seconds(lease.attempts + 1),
                );
            }
            // Since the first look it has been labelled again, or a session has begun: a sweep by hand looks anew each time.
            (Mark::Ours | Mark::Bare, Some(login)) if !quiet(login) => finished.hunt.push(login),
            (Mark::Bare, login) => {
                rearmed.extend(login.filter(|_| lease.armed));
                ending::mark_failed(
                    lease.number,
                    BARE,
                    backoff::wait_seconds(lease.attempts + 1).min(BARE_AGAIN_SECONDS),
                );
            }
            (Mark::Ours, Some(login)) => {
                if lease.armed {
                    rearmed.push(login);
                }
                match needs(lease, home, prepared.get(&login)) {
                    Ok(number) => {
                        finished.gone.push(number);
                        drop.push(login);
                    }
                    Err(next) => finished.needs.push(*next),
                }
            }
            (Mark::Absent, _) | (Mark::Ours, None) => match needs(lease, home, None) {
                Ok(number) => finished.gone.push(number),
                Err(next) => finished.needs.push(*next),
            },
        }
    }
    if !rearmed.is_empty() {
        let locked = ending::lock_logins(&rearmed);
        ending::disarm(&locked, now);
    }
    if !drop.is_empty() {
        server::roles(&litter::lock_names(&drop));
    }
    if !finished.gone.is_empty() {
        litter::mark_gone(&finished.gone);
    }
    finished.gone_logins = drop;
    finished
}

/// What `lease` needs; its number if it needs nothing.
fn needs(
    lease: Fenced,
    home: pg_sys::Oid,
    prepared: Option<&Vec<(pg_sys::Oid, String)>>,
) -> Result<i64, Box<Next>> {
    // What belongs to the whole cluster is cleaned from here.
    let mut databases: Vec<pg_sys::Oid> = lease
        .databases
        .iter()
        .map(|&database| {
            if database == pg_sys::InvalidOid {
                home
            } else {
                database
            }
        })
        .collect();
    databases.extend(
        prepared
            .into_iter()
            .flatten()
            .map(|(database, _)| *database),
    );
    if lease.statements {
        databases.push(home);
    }
    if databases.is_empty() {
        return Ok(lease.number);
    }
    databases.sort_unstable_by_key(|database| database.to_u32());
    databases.dedup();
    // The recipe's own ending statements come before our cleaning, everywhere.
    if lease.statements {
        databases = vec![home];
    }
    let prepared = prepared
        .into_iter()
        .flatten()
        .map(|(_, gid)| gid.clone())
        .collect();
    Err(Box::new(Next {
        lease,
        databases,
        prepared,
    }))
}
