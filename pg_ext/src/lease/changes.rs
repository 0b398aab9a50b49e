//! What a broker's store has not heard yet, and its word that it has.

use super::scope::Caller;
use crate::catalog::outbox::{self, Change};
use crate::core::error::Fault;
use crate::ffi::xact;
use pgrx::spi::SpiClient;

/// How many changes one call reads or acknowledges at most.
pub const BATCH_MAX: i64 = 10_000;

/// The oldest changes that are not acknowledged.
pub fn read(
    db: &mut SpiClient<'_>,
    caller: &Caller,
    at_most: i64,
    scope: Option<&str>,
) -> Result<Vec<Change>, Fault> {
    if !(1..=BATCH_MAX).contains(&at_most) {
        return Err(Fault::argument(
            format!("at_most is not between 1 and {BATCH_MAX}"),
            "Acknowledge what was read, and read on.",
        ));
    }
    let reach = caller.reach(db, scope)?;
    outbox::read(db, &reach, at_most)
}

/// Forgets changes that the store has; how many of them were still there.
pub fn acknowledge(
    db: &mut SpiClient<'_>,
    caller: &Caller,
    ids: &[i64],
    scope: Option<&str>,
) -> Result<i64, Fault> {
    let reach = caller.reach(db, scope)?;
    xact::refuse_prepare();
    outbox::acknowledge(db, ids, &reach)
}
