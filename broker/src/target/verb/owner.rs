//! `owner_ends`, `revoke_owner`: tokens, as targets know them.

use tokio::time::Instant;

use super::microseconds;
use crate::target::call::DEADLINE;
use crate::target::{Target, TargetError};

/// A token on a target: by its accessor, never by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The token's accessor.
    pub accessor: String,
    /// What is left of it, in microseconds; None = never ends.
    pub ttl_microseconds: Option<i64>,
    /// The token's revision in the store.
    pub revision: i64,
}

impl Target {
    /// Tells when an owner ends, and whose child it is. Nothing happens if something newer is known there.
    pub async fn owner_ends(&self, owner: &Owner, parent: Option<&str>) -> Result<(), TargetError> {
        let _news: (bool,) = self
            .row(Instant::now() + DEADLINE, &|| {
                sqlx::query_as("select leasehold.owner_ends($1, $2, $3, $4, $5)")
                    .bind(&owner.accessor)
                    .bind(parent)
                    .bind(owner.ttl_microseconds.map(microseconds))
                    .bind(owner.revision)
                    .bind(self.0.scope.name())
            })
            .await
            .map_err(|failure| failure.error)?;
        Ok(())
    }

    /// Ends an owner for ever, and with it its children and the leases of them all.
    pub async fn revoke_owner(&self, accessor: &str) -> Result<(), TargetError> {
        let _done: (bool,) = self
            .row(Instant::now() + DEADLINE, &|| {
                sqlx::query_as("select true from (select leasehold.revoke_owner($1, $2)) as done")
                    .bind(accessor)
                    .bind(self.0.scope.name())
            })
            .await
            .map_err(|failure| failure.error)?;
        Ok(())
    }
}
