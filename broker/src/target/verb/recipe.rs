//! `define_role`, `drop_role`.

use std::time::Duration;

use tokio::time::Instant;

use crate::target::call::DEADLINE;
use crate::target::{Defined, Refusal, Target, TargetError};

/// A look at texts is a courtesy that nobody should wait for.
const LOOK_DEADLINE: Duration = Duration::from_secs(3);

/// What a role of the API becomes on a target. Texts are decoded already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// `<mount accessor>/<role>`.
    pub name: String,
    /// The role's revision in the store: an older one never replaces a newer.
    pub revision: i64,
    /// How a login is made.
    pub creation_statements: Vec<String>,
    /// Run besides the extension's own ending.
    pub revocation_statements: Vec<String>,
    /// Run besides the extension's own renewal.
    pub renewal_statements: Vec<String>,
    /// Groups its logins are members of.
    pub member_of: Vec<String>,
    /// Whether a group of its own holds what the statements grant.
    pub shares_grants: bool,
    /// Who gets what a login owns in the end.
    pub reassign_to: Option<String>,
    /// Or is it dropped?
    pub drop_owned: bool,
}

impl Target {
    /// The digest under which the recipe is known there; defines it unless this process did so at this revision.
    pub async fn recipe_digest(&self, recipe: &Recipe) -> Result<String, TargetError> {
        let known = self.recipes().get(&recipe.name).cloned();
        if let Some(known) = known.filter(|known| known.revision == recipe.revision) {
            return Ok(known.digest);
        }
        self.define_role(recipe).await
    }

    /// Defines a recipe, or makes it current; gives back its digest.
    pub async fn define_role(&self, recipe: &Recipe) -> Result<String, TargetError> {
        let (digest,): (String,) = self
            .row(Instant::now() + DEADLINE, &|| {
                sqlx::query_as(
                    "select leasehold.define_role($1, creation_statements => $2, revocation_statements => $3, \
                     renewal_statements => $4, default_ttl => null, max_ttl => null, revision => $5, scope => $6, \
                     member_of => $7::text[]::name[], grants => $8, reassign_to => $9::text::name, drop_owned => $10)",
                )
                .bind(&recipe.name)
                .bind(&recipe.creation_statements)
                .bind(&recipe.revocation_statements)
                .bind(&recipe.renewal_statements)
                .bind(recipe.revision)
                .bind(self.0.scope.name())
                .bind(&recipe.member_of)
                .bind(if recipe.shares_grants { "shared" } else { "own" })
                .bind(&recipe.reassign_to)
                .bind(recipe.drop_owned)
            })
            .await
            .map_err(|failure| failure.error)?;
        self.recipes().insert(
            recipe.name.clone(),
            Defined {
                revision: recipe.revision,
                digest: digest.clone(),
            },
        );
        Ok(digest)
    }

    /// Why a recipe that shares its grants can not do so, as the target reads its texts; `None` if it can.
    pub async fn obstacle(&self, recipe: &Recipe) -> Result<Option<String>, TargetError> {
        let found: Vec<(String,)> = self
            .rows(Instant::now() + LOOK_DEADLINE, &|| {
                sqlx::query_as(
                    "select what || ': ' || hint from leasehold.lint($1, grants => 'shared') \
                      where severity = 'error' limit 1",
                )
                .bind(&recipe.creation_statements)
            })
            .await
            .map_err(|failure| failure.error)?;
        Ok(found.into_iter().next().map(|(what,)| what))
    }

    /// Drops a recipe unless a newer revision is there. Its leases live on.
    pub async fn drop_role(&self, name: &str, revision: i64) -> Result<(), TargetError> {
        self.forget_recipe(name);
        let dropped: Result<(bool,), _> = self
            .row(Instant::now() + DEADLINE, &|| {
                sqlx::query_as("select leasehold.drop_role($1, $2, $3)")
                    .bind(name)
                    .bind(revision)
                    .bind(self.0.scope.name())
            })
            .await
            .map_err(|failure| failure.error);
        match dropped {
            Ok(_) => Ok(()),
            // A role of the same name was written since.
            Err(error) if error.refusal() == Some(Refusal::OtherRecipe) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What this process believed of a recipe has turned out wrong.
    pub fn forget_recipe(&self, name: &str) {
        self.recipes().remove(name);
    }

    fn recipes(&self) -> std::sync::MutexGuard<'_, std::collections::HashMap<String, Defined>> {
        self.0
            .recipes
            .lock()
            .expect("nothing panics while it holds the map of recipes")
    }
}
