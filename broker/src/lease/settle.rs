//! Unconfirmed leases: what became of them is the target's to say.

use super::{LeaseError, errands};
use crate::core::Core;
use crate::store::{leases, unconfirmed};
use crate::target::{Outcome, Target};

/// Intents that old have lost their broker: one that lives has its answer, or has given up, after 20 s. Store and target
/// agree within 30 s of any crash.
pub(super) const AGE_SECONDS: i64 = 25;
/// Intents settled in one call.
const BATCH: i64 = 500;

/// Decides these: those that are there become leases, or end if their end has been asked for; the others are forgotten,
/// and will not come any more.
pub(super) async fn settle(
    core: &Core,
    target: &Target,
    lease_ids: &[String],
) -> Result<(), LeaseError> {
    if lease_ids.is_empty() {
        return Ok(());
    }
    let mut there = Vec::new();
    let mut gone = Vec::new();
    for settled in target.settle(lease_ids).await? {
        match settled.outcome {
            Outcome::Issued => there.push(settled.lease_id),
            Outcome::Cancelled | Outcome::Ended => gone.push(settled.lease_id),
        }
    }
    leases::remove(&core.store, &gone).await?;
    unconfirmed::confirm(&core.store, &there).await?;
    // Whatever fails from here on, these stay unconfirmed until the target says that they have ended.
    let ending = unconfirmed::ending_among(&core.store, &there).await?;
    if !ending.is_empty() {
        target.revoke(&ending).await?;
        core.errands.nudge(target.id());
    }
    Ok(())
}

/// Settles what has waited too long on a target.
pub(super) async fn settle_old(core: &Core, target: &Target) -> Result<(), LeaseError> {
    let old = unconfirmed::overdue(&core.store, target.id(), AGE_SECONDS, BATCH).await?;
    settle(core, target, &old).await
}

/// Writes down what targets have answered. What can not be written now is settled later.
pub(super) async fn confirm(core: &Core, errands: &errands::Errands) {
    let answered = errands.take_unconfirmed();
    if answered.is_empty() {
        return;
    }
    let written = core
        .warm
        .ask(async |store| unconfirmed::confirm(store, &answered).await)
        .await;
    if let Err(error) = written {
        tracing::warn!(leases = answered.len(), %error, "could not confirm leases; they will be settled");
    }
}
