//! `inventory`: the active leases of a scope, for a store that compares itself with the target.

use tokio::time::Instant;

use crate::target::call::DEADLINE;
use crate::target::{Target, TargetError};

/// A lease as its target knows it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Held {
    /// Lease id.
    pub lease_id: String,
    /// Name of its recipe.
    pub role: String,
    /// Name of its login; None where the recipe makes none.
    pub login: Option<String>,
    /// Accessor of the token it was made for.
    pub owner: Option<String>,
    /// Seconds since its issue.
    pub age_seconds: i64,
    /// Seconds to its own end.
    pub ttl_seconds: i64,
    /// Its maximum, from its issue.
    pub max_ttl_seconds: i64,
    /// An end that binds renewals (a batch token's), from its issue.
    pub cap_seconds: Option<i64>,
}

impl Target {
    /// At most `at_most` leases whose ids come after `after`, in order of their bytes.
    pub async fn inventory(&self, after: &str, at_most: i32) -> Result<Vec<Held>, TargetError> {
        self.rows(Instant::now() + DEADLINE, &|| {
            sqlx::query_as(
                "select lease_id, role, login, owner, age_seconds, ttl_seconds, max_ttl_seconds, cap_seconds \
                   from leasehold.inventory($1, $2, $3)",
            )
            .bind(after)
            .bind(at_most)
            .bind(self.0.scope.name())
        })
        .await
        .map_err(|failure| failure.error)
    }
}
