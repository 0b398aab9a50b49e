//! How the sweeper carries news of owners on to leases, in batches. `owner_ends` and `revoke_owner` write one row, however
//! many leases hang on it; this is the rest of their work. Both functions run as the extension.

use super::end::{Fenced, fence_owned};
use crate::catalog::spread::{self, Nearer};
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
    /// True if there may be more to do at once.
    pub more: bool,
    /// The scope and the name of the owner for whom nothing could be done, as somebody holds the rows of what is left below it.
    pub stuck: Option<(String, String)>,
}

/// Carries the news of one owner, none of those that are `stuck`, on to at most `at_most` of its children and of its leases.
/// Those of an owner that has ended are fenced here and now, rather than written twice.
pub fn spread(
    installation: Installation,
    now: TimestampWithTimeZone,
    stuck: &[(String, String)],
    at_most: usize,
) -> Step {
    Spi::connect_mut(|db| one(db, installation, now, stuck, at_most))
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
    stuck: &[(String, String)],
    at_most: usize,
) -> Result<Step, Fault> {
    let limit = i64::try_from(at_most).unwrap_or(i64::MAX);
    let now_us: i64 = now.into();
    let mut step = Step::default();
    let Some(nearer) = spread::take(db, stuck)? else {
        return Ok(step);
    };
    step.more = true;
    // Those below an owner that has ended know it once and for all, so that they can be told in batches.
    let told = match nearer.ended {
        true => spread::children(db, &nearer, now_us, limit)?,
        false => 0,
    };
    let Some(ends_at) = nearer.ends_at else {
        // It has more time than before after all.
        tell_all(db, nearer, false, now_us, &mut step)?;
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
    // Where the end has come, held leases have it noted beside them by now. An owner that will end later stays noted itself.
    let over = nearer.ended || ends_at <= now_us;
    let held = spread::held(db, &nearer, ends_at, over)? > 0 && !over;
    tell_all(db, nearer, held, now_us, &mut step)?;
    Ok(step)
}

/// The leases of this owner know, but for those that are `held`. What is below an owner that lives on is told all at once, as it
/// leads to no note of its own: told in turns, who was told first would be told again, for ever. What somebody holds stays.
fn tell_all(
    db: &mut SpiClient<'_>,
    nearer: Nearer,
    held: bool,
    now_us: i64,
    step: &mut Step,
) -> Result<(), Fault> {
    if !held && !nearer.ended {
        spread::children(db, &nearer, now_us, i64::MAX)?;
    }
    if held || spread::has_children_left(db, &nearer)? {
        step.stuck = Some((nearer.scope, nearer.owner));
        return Ok(());
    }
    spread::done(db, &nearer)
}
