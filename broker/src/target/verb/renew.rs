//! `renew`.

use tokio::time::Instant;

use super::seconds;
use crate::target::call::DEADLINE;
use crate::target::{Target, TargetError};

/// A lease after its renewal.
#[derive(Clone, Copy, Debug)]
pub struct Renewed {
    /// Seconds it has from now.
    pub ttl_seconds: i64,
}

impl Target {
    /// Gives a lease `ttl_seconds` from now, capped by `max_ttl_seconds` from its issue.
    pub async fn renew(
        &self,
        lease_id: &str,
        ttl_seconds: i64,
        max_ttl_seconds: i64,
        digest: &str,
    ) -> Result<Renewed, TargetError> {
        let (ttl_seconds,): (i64,) = self
            .row(Instant::now() + DEADLINE, &|| {
                sqlx::query_as(
                    "select ttl_seconds from leasehold.renew($1, ttl => $2, max_ttl => $3, digest => $4, scope => $5)",
                )
                .bind(lease_id)
                .bind(seconds(ttl_seconds))
                .bind(seconds(max_ttl_seconds))
                .bind(digest)
                .bind(&self.0.scope.name)
            })
            .await
            .map_err(|failure| failure.error)?;
        Ok(Renewed { ttl_seconds })
    }
}
