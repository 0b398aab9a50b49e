//! How the sweeper carries news of owners on to leases, in batches. `owner_ends` and `revoke_owner` write one row, however
//! many leases hang on it; this is the rest of their work. Both functions run as the extension.

use crate::catalog::spread;
use crate::core::error::Fault;
use pgrx::pg_sys::panic::{ErrorReport, ErrorReportable};
use pgrx::spi::{Spi, SpiClient};

/// Carries the news of one owner on to at most `at_most` of its children and of its leases; true if there is more to do
/// at once. Leases whose row somebody holds do not count as more to do: the next pass finds them.
pub fn spread(now: i64, at_most: i64) -> bool {
    Spi::connect_mut(|db| one(db, now, at_most))
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

fn one(db: &mut SpiClient<'_>, now: i64, at_most: i64) -> Result<bool, Fault> {
    let Some(nearer) = spread::take(db)? else {
        return Ok(false);
    };
    let told = spread::children(db, &nearer, now, at_most)?;
    let Some(ends_at) = nearer.ends_at else {
        // It has more time than before after all.
        spread::done(db, &nearer)?;
        return Ok(true);
    };
    let batch = spread::leases(db, &nearer, ends_at, at_most)?;
    if told > 0 || batch.moved > 0 {
        return Ok(true);
    }
    // For an owner that has ended the ends of held leases are noted by now. One that will end later stays noted itself.
    if batch.held == 0 || nearer.ended {
        spread::done(db, &nearer)?;
        return Ok(true);
    }
    Ok(false)
}
