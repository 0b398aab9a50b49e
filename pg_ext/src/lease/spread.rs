//! How the sweeper carries news of owners on to leases, in batches. `owner_ends` and `revoke_owner` write one row, however
//! many leases hang on it; this is the rest of their work. Both functions run as the extension.

use super::end::{Fenced, fence_owned};
use crate::catalog::spread;
use crate::core::error::Fault;
use crate::core::label::Installation;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::panic::{ErrorReport, ErrorReportable};
use pgrx::spi::{Spi, SpiClient};

/// What one step came to.
#[derive(Debug, Default)]
pub struct Step {
    /// What was fenced, for its owner's end has come.
    pub fenced: Fenced,
    /// True if there is more to do at once. Leases whose row somebody holds do not count: the next pass finds them.
    pub more: bool,
}

/// Carries the news of one owner on to at most `at_most` of its children and of its leases. Those of an owner that has
/// ended are fenced here and now, rather than written twice.
pub fn spread(installation: Installation, now: TimestampWithTimeZone, at_most: usize) -> Step {
    Spi::connect_mut(|db| one(db, installation, now, at_most))
        .map_err(ErrorReport::from)
        .unwrap_or_report()
}

/// Gives leases that are due by an owner's former end the time their owners have now. It looks at the `at_most` that
/// are due longest, so that whoever then ends as many ends none of those too early.
pub fn postpone(now: i64, at_most: i64) {
    Spi::connect_mut(|db| spread::postpone(db, now, at_most))
        .map_err(ErrorReport::from)
        .unwrap_or_report()
}

fn one(
    db: &mut SpiClient<'_>,
    installation: Installation,
    now: TimestampWithTimeZone,
    at_most: usize,
) -> Result<Step, Fault> {
    let limit = i64::try_from(at_most).unwrap_or(i64::MAX);
    let now_us: i64 = now.into();
    let mut step = Step::default();
    let Some(nearer) = spread::take(db)? else {
        return Ok(step);
    };
    step.more = true;
    let told = spread::children(db, &nearer, now_us, limit)?;
    let Some(ends_at) = nearer.ends_at else {
        // It has more time than before after all.
        spread::done(db, &nearer)?;
        return Ok(step);
    };
    let leases = spread::later(db, &nearer, ends_at, limit)?;
    if told > 0 || !leases.is_empty() {
        if ends_at > now_us {
            spread::move_to(db, &leases, ends_at)?;
        } else {
            step.fenced = fence_owned(installation, now, &leases);
            // Whose login somebody holds is due from now on, and tried again as such.
            let held: Vec<i64> = step.fenced.held.iter().map(|&(number, _)| number).collect();
            spread::move_to(db, &held, ends_at)?;
        }
        return Ok(step);
    }
    // For an owner that has ended the ends of held leases are noted by now. One that will end later stays noted itself.
    if spread::held(db, &nearer, ends_at)? == 0 || nearer.ended {
        spread::done(db, &nearer)?;
    } else {
        step.more = false;
    }
    Ok(step)
}
