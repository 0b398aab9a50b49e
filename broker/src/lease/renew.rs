//! Renewal: the target decides, by the recipe of now; the store writes down what it decided.

use std::sync::Arc;

use super::digest::overtake;
use super::{LeaseError, reach};
use crate::core::Core;
use crate::store::leases::{self, LeaseRow};
use crate::target::{Recipe, Refusal};

/// How often a recipe may turn out to be another one.
const TRIES: usize = 4;

/// What is asked for.
pub struct Renewal<'a> {
    /// The lease, as read in this request.
    pub lease: &'a LeaseRow,
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
                reach::ask(core, renewal.lease.target_id, |target| {
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
    leases::renewed(&core.store, std::slice::from_ref(lease_id), &[granted]).await?;
    Ok(granted)
}

async fn once(core: &Arc<Core>, renewal: &Renewal<'_>, recipe: &Recipe) -> Result<i64, LeaseError> {
    let (ttl, max_ttl) = (renewal.ttl_seconds, renewal.max_ttl_seconds);
    reach::ask(core, renewal.lease.target_id, |target| {
        let (lease_id, recipe) = (renewal.lease.lease_id.clone(), recipe.clone());
        async move {
            let digest = target.recipe_digest(&recipe).await?;
            let renewed = target.renew(&lease_id, ttl, max_ttl, &digest).await?;
            Ok(renewed.ttl_seconds)
        }
    })
    .await
}
