//! Renewal: the target decides, by the recipe of now; the store writes down what it decided.

use std::sync::Arc;

use super::digest::overtake;
use super::reach::RoleAt;
use super::{LeaseError, reach};
use crate::core::Core;
use crate::gather::{self, Gather};
use crate::logical::Fault;
use crate::store::configs::{self, ConfigRow};
use crate::store::leases::{self, LeaseRow};
use crate::store::together::together;
use crate::target::{Recipe, Refusal, Target, TargetError};
use crate::warm::Lent;

/// How often a recipe may turn out to be another one.
const TRIES: usize = 4;

/// Where renewals come together that targets have granted: lease ids and seconds from now. One batch at a time: two could
/// wait for each other's rows in a circle.
pub struct Renewals(Arc<Gather<(String, i64), ()>>);

impl Default for Renewals {
    fn default() -> Self {
        Renewals(Gather::new(gather::AT_MOST))
    }
}

/// What is asked for.
pub struct Renewal<'a> {
    /// The lease, as read in this request.
    pub lease: &'a LeaseRow,
    /// The configuration of its role, as it is now: a way to its target, if it still leads there.
    pub config: &'a ConfigRow,
    /// The recipe of its role, as it is now.
    pub recipe: &'a Recipe,
    /// Seconds from now.
    pub ttl_seconds: i64,
    /// Ceiling in seconds from its issue.
    pub max_ttl_seconds: i64,
}

/// Renews a lease; gives back the seconds it has from now.
pub async fn renew(core: &Arc<Core>, renewal: &Renewal<'_>) -> Result<i64, LeaseError> {
    let lease_id = &renewal.lease.lease_id;
    let mut recipe = renewal.recipe.clone();
    let mut tries = 1;
    let granted = loop {
        let error = match once(core, renewal, &recipe).await {
            Err(LeaseError::Target(error)) if tries < TRIES => error,
            other => break other?,
        };
        match error.refusal() {
            Some(Refusal::UnknownRecipe | Refusal::OtherRecipe) if tries == 1 => {
                let ways = ways(core, renewal).await?;
                reach::ask_through(core, renewal.lease.target_id, ways, |target| {
                    let name = recipe.name.clone();
                    async move {
                        target.forget_recipe(&name);
                        Ok(())
                    }
                })
                .await?;
            }
            Some(Refusal::OtherRecipe) => {
                let (mount_id, role) = (renewal.lease.mount_id, &renewal.lease.role);
                match overtake(core, mount_id, role, recipe.revision).await? {
                    Some(revision) => recipe.revision = revision,
                    None => return Err(error.into()),
                }
            }
            _ => return Err(error.into()),
        }
        tries += 1;
    };
    note(core, lease_id, granted).await?;
    Ok(granted)
}

/// Writes down what was granted, with others if there are any.
async fn note(core: &Core, lease_id: &str, granted: i64) -> Result<(), Fault> {
    // Of two for one lease that come together either may be written: the target's own word follows.
    let noted = (lease_id.to_owned(), granted);
    match together(&core.renewals.0, &core.warm, noted, note_all).await {
        Some(()) => Ok(()),
        None => Ok(leases::renewed(&core.store, &[lease_id.to_owned()], &[granted]).await?),
    }
}

async fn note_all(mut store: Lent, batch: Vec<(String, i64)>) -> sqlx::Result<Vec<Option<()>>> {
    let (ids, seconds): (Vec<String>, Vec<i64>) = batch.into_iter().unzip();
    leases::renewed(&mut *store, &ids, &seconds).await?;
    store.keep();
    Ok(vec![Some(()); ids.len()])
}

async fn once(core: &Arc<Core>, renewal: &Renewal<'_>, recipe: &Recipe) -> Result<i64, LeaseError> {
    let ask = |target: Target| {
        let (lease_id, recipe) = (renewal.lease.lease_id.clone(), recipe.clone());
        let (ttl, max_ttl) = (renewal.ttl_seconds, renewal.max_ttl_seconds);
        async move { target.renew(&lease_id, ttl, max_ttl, &recipe).await }
    };
    let (lease, config) = (renewal.lease, renewal.config);
    if config.target_id == Some(lease.target_id)
        && config.allows(&lease.role)
        && let Ok(target) = reach::reach_config(core, config).await
    {
        match ask(target).await {
            // Another way may lead there.
            Err(TargetError::Unreachable { .. } | TargetError::Unfit(_)) => {}
            renewed => return Ok(renewed?),
        }
    }
    let ways = ways(core, renewal).await?;
    reach::ask_through(core, lease.target_id, ways, ask).await
}

/// A renewal may define the recipe anew: so it goes through those that may, else through the one that the lease came through.
async fn ways(core: &Core, renewal: &Renewal<'_>) -> Result<Vec<ConfigRow>, LeaseError> {
    let lease = renewal.lease;
    let role = RoleAt {
        mount_id: lease.mount_id,
        role: &lease.role,
        db_name: &renewal.config.name,
    };
    let mut ways = reach::ways_for_role(core, lease.target_id, role).await?;
    if ways.is_empty() {
        ways.extend(configs::of_lease(&core.store, &lease.lease_id).await?);
    }
    Ok(ways)
}
