//! Revoke: the end of leases, now. A function can not commit, so what can be fenced at once is fenced in the caller's
//! transaction, and the sweeper, woken by the commit, does the rest.

use super::scope::Caller;
use super::{end, owner};
use crate::catalog::ends::{self, Ended};
use crate::catalog::leases;
use crate::core::error::Fault;
use crate::core::prefix;
use crate::ffi::{clock, durable, xact};
use crate::worker::wake;
use pgrx::spi::SpiClient;

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
    let ended = ends::by_id(db, &reach, lease_id, now, &caller.name)?;
    if ended.is_empty() {
        let fenced = leases::find(db, &reach, lease_id)?
            .iter()
            .any(|lease| !lease.active);
        return Ok(if fenced {
            Progress::Fenced
        } else {
            Progress::Gone
        });
    }
    Ok(if fence(&ended, now) {
        Progress::Fenced
    } else {
        Progress::Ending
    })
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
    let ended = ends::below(db, &reach, &range, now, &caller.name, at_most)?;
    fence(&ended, now);
    ends::left(db, &reach, &range, now, at_most)
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

/// Fences what can be fenced at once; true if that was all of it. The rest is due, for the sweeper. It also ends the
/// sessions of what is fenced, so it is woken in any case.
fn fence(ended: &[Ended], now: i64) -> bool {
    if ended.is_empty() {
        return true;
    }
    wake::at_commit(now);
    let locked: Vec<i64> = ended
        .iter()
        .filter(|lease| lease.locked)
        .map(|lease| lease.number)
        .collect();
    !locked.is_empty() && end::fence_now(&locked).len() == ended.len()
}
