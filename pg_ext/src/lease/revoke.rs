//! Revoke: the end of leases, now. A function can not commit, so what can be fenced at once is fenced in the caller's
//! transaction, and the sweeper, woken by the commit, does the rest.

use super::end::{self, Revoked};
use super::owner;
use super::scope::Caller;
use crate::catalog::{ends, leases};
use crate::core::error::Fault;
use crate::core::prefix;
use crate::ffi::{clock, durable, xact};
use crate::worker::wake;
use pgrx::spi::SpiClient;
use std::collections::HashSet;

/// How many leases one call ends at most.
pub const BATCH_MAX: i64 = 10_000;

/// How far a revocation has come when the caller's transaction commits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// No login is possible any more.
    Fenced,
    /// It is due; the sweeper ends it.
    Ending,
    /// There is no such lease.
    Gone,
}

impl Progress {
    /// As callers read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fenced => "fenced",
            Self::Ending => "ending",
            Self::Gone => "gone",
        }
    }
}

/// Ends the lease of that id; one that is not there is as good as ended.
pub fn lease(
    db: &mut SpiClient<'_>,
    caller: &Caller,
    lease_id: &str,
    scope: Option<&str>,
) -> Result<Progress, Fault> {
    let reach = caller.reach(db, scope)?;
    let now = begin();
    let wanted = ends::by_ids(db, &reach, &[lease_id.to_owned()], now)?;
    if !wanted.is_empty() {
        let whole = end(db, caller, &wanted, now)?;
        return Ok(if whole {
            Progress::Fenced
        } else {
            Progress::Ending
        });
    }
    let left = leases::find(db, &reach, lease_id)?;
    Ok(match left.iter().map(|lease| lease.active).max() {
        None => Progress::Gone,
        Some(false) => Progress::Fenced,
        Some(true) => Progress::Ending,
    })
}

/// Ends the leases of these ids; how many of them are not fenced when the caller's transaction commits.
pub fn leases(
    db: &mut SpiClient<'_>,
    caller: &Caller,
    lease_ids: &[String],
    scope: Option<&str>,
) -> Result<i64, Fault> {
    if i64::try_from(lease_ids.len()).is_ok_and(|count| count > BATCH_MAX) {
        return Err(Fault::argument(
            format!("more than {BATCH_MAX} lease_ids"),
            "Call again for the others.",
        ));
    }
    let reach = caller.reach(db, scope)?;
    let now = begin();
    let mut lease_ids = lease_ids.to_vec();
    lease_ids.sort_unstable();
    lease_ids.dedup();
    let wanted = ends::by_ids(db, &reach, &lease_ids, now)?;
    let whole = end(db, caller, &wanted, now)?;
    if whole && reach.len() == 1 && wanted.len() == lease_ids.len() {
        // An id is one lease in one scope, so that none is left to count.
        return Ok(0);
    }
    ends::count_active(db, &reach, &lease_ids)
}

/// Ends at most `at_most` leases whose id lies under `prefix`; how many are left, counted no further than that.
pub fn prefix(
    db: &mut SpiClient<'_>,
    caller: &Caller,
    prefix: &str,
    at_most: i64,
    scope: Option<&str>,
) -> Result<i64, Fault> {
    if !(1..=BATCH_MAX).contains(&at_most) {
        return Err(Fault::argument(
            format!("at_most is not between 1 and {BATCH_MAX}"),
            "Call again until nothing is left.",
        ));
    }
    let reach = caller.reach(db, scope)?;
    let now = begin();
    let range = prefix::range(prefix);
    let wanted = ends::within(db, &reach, &range, now, at_most)?;
    end(db, caller, &wanted, now)?;
    let left = ends::within(db, &reach, &range, now, at_most)?;
    Ok(i64::try_from(left.len()).unwrap_or(at_most))
}

/// Ends an owner, and with it everything below: one row now, the rest by the sweeper.
pub fn owner(
    db: &mut SpiClient<'_>,
    caller: &Caller,
    owner: &str,
    scope: Option<&str>,
) -> Result<(), Fault> {
    let scope = caller.one(db, scope)?;
    let now = begin();
    owner::end(db, scope, owner, now)?;
    wake::at_commit(now);
    Ok(())
}

fn begin() -> i64 {
    durable::ensure();
    xact::refuse_prepare();
    clock::wall()
}

/// Fences what can be fenced at once; true if that was all of it. The rest is due from now on, for the sweeper, which
/// also ends the sessions of what is fenced.
fn end(db: &mut SpiClient<'_>, caller: &Caller, wanted: &[i64], now: i64) -> Result<bool, Fault> {
    if wanted.is_empty() {
        return Ok(true);
    }
    wake::at_commit(now);
    let Revoked { locked, fenced } = match end::fence_now(wanted, &caller.name) {
        Some(revoked) => revoked,
        None => Revoked {
            locked: ends::lock(db, wanted)?,
            fenced: HashSet::new(),
        },
    };
    if locked.len() < wanted.len() {
        let ours: HashSet<i64> = locked.iter().copied().collect();
        let held: Vec<i64> = wanted
            .iter()
            .copied()
            .filter(|number| !ours.contains(number))
            .collect();
        ends::ask(db, &held, &caller.name)?;
    }
    let rest: Vec<i64> = locked
        .into_iter()
        .filter(|number| !fenced.contains(number))
        .collect();
    if !rest.is_empty() {
        ends::due(db, &rest, now, &caller.name)?;
    }
    Ok(fenced.len() == wanted.len())
}
