//! Renewal: the target decides, by the recipe of now; the store writes down what it decided.

use std::sync::Arc;

use super::{LeaseError, reach};
use crate::core::Core;
use crate::store::leases::{self, LeaseRow};
use crate::target::{Recipe, Refusal};

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
    let granted = match once(core, renewal).await {
        Err(LeaseError::Target(error))
            if matches!(
                error.refusal(),
                Some(Refusal::UnknownRecipe | Refusal::OtherRecipe)
            ) =>
        {
            reach::ask(core, renewal.lease.target_id, |target| {
                let name = renewal.recipe.name.clone();
                async move {
                    target.forget_recipe(&name);
                    Ok(())
                }
            })
            .await?;
            once(core, renewal).await?
        }
        other => other?,
    };
    leases::renewed(&core.store, std::slice::from_ref(lease_id), &[granted]).await?;
    Ok(granted)
}

async fn once(core: &Arc<Core>, renewal: &Renewal<'_>) -> Result<i64, LeaseError> {
    let (ttl, max_ttl) = (renewal.ttl_seconds, renewal.max_ttl_seconds);
    reach::ask(core, renewal.lease.target_id, |target| {
        let (lease_id, recipe) = (renewal.lease.lease_id.clone(), renewal.recipe.clone());
        async move {
            let digest = target.recipe_digest(&recipe).await?;
            let renewed = target.renew(&lease_id, ttl, max_ttl, &digest).await?;
            Ok(renewed.ttl_seconds)
        }
    })
    .await
}
