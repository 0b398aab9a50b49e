//! Inventory: what a store reads to see whether it and this database tell the same story, after one of them was restored.

use super::scope::Caller;
use crate::catalog::leases::{self, Lease};
use crate::core::error::Fault;
use pgrx::spi::SpiClient;

/// How many leases one call reads at most.
pub const BATCH_MAX: i64 = 10_000;

/// The active leases of a scope whose ids come after `after`, in order.
pub fn read(
    db: &mut SpiClient<'_>,
    caller: &Caller,
    after: &str,
    at_most: i64,
    scope: Option<&str>,
) -> Result<Vec<Lease>, Fault> {
    if !(1..=BATCH_MAX).contains(&at_most) {
        return Err(Fault::argument(
            format!("at_most is not between 1 and {BATCH_MAX}"),
            "Read on after the last id.",
        ));
    }
    let scope = caller.one(db, scope)?;
    leases::page(db, scope, after, at_most)
}
