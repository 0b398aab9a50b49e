//! The digest under which a target knows a recipe; and what to do where it knows a later one than the store.

use super::LeaseError;
use crate::core::Core;
use crate::store::roles;
use crate::target::{Recipe, Refusal, Target};
use uuid::Uuid;

/// Makes the recipe of a role current on a target. None: the role is not what was read any more, so read it again.
pub async fn digest(
    core: &Core,
    target: &Target,
    mount_id: Uuid,
    role: &str,
    recipe: &Recipe,
) -> Result<Option<String>, LeaseError> {
    match target.recipe_digest(recipe).await {
        Ok(digest) => Ok(Some(digest)),
        Err(error) if error.refusal() == Some(Refusal::OtherRecipe) => {
            overtake(core, mount_id, role, recipe.revision).await?;
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// A target has a later text of a role than this revision. Where the store has no later one either, it was restored and has
/// forgotten that text: what it has now is what holds, so it gets a revision beyond.
pub(super) async fn overtake(
    core: &Core,
    mount_id: Uuid,
    role: &str,
    revision: i64,
) -> Result<Option<i64>, LeaseError> {
    let newer = roles::overtake_revision(&core.store, mount_id, role, revision).await?;
    if newer.is_some() {
        tracing::warn!(
            role,
            "a target has a later text of this role than the store: has the store been restored? The store's is put in force"
        );
    }
    Ok(newer)
}
