//! `changes`, `ack_changes`: what happened to leases on the target's own account, kept there until acknowledged.

use tokio::time::Instant;

use crate::target::call::DEADLINE;
use crate::target::{Target, TargetError};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It has another end now: so many seconds from now.
    Renewed {
        /// Seconds left.
        ttl_seconds: i64,
    },
    /// No access is left.
    Ended,
}

/// One row of `changes`.
#[derive(Clone, Debug)]
pub struct Change {
    /// For the acknowledgement.
    pub id: i64,
    /// Lease id.
    pub lease_id: String,
    /// What happened.
    pub kind: ChangeKind,
}

impl Target {
    /// The oldest changes not acknowledged yet.
    pub async fn changes(&self, at_most: i32) -> Result<Vec<Change>, TargetError> {
        let rows: Vec<(i64, String, String, Option<i64>)> = self
            .rows(Instant::now() + DEADLINE, &|| {
                sqlx::query_as(
                    "select id, lease_id, kind, ttl_seconds from leasehold.changes($1, $2)",
                )
                .bind(at_most)
                .bind(self.0.scope.name())
            })
            .await
            .map_err(|failure| failure.error)?;
        Ok(rows
            .into_iter()
            .map(|(id, lease_id, kind, ttl_seconds)| Change {
                id,
                lease_id,
                kind: match kind.as_str() {
                    "renewed" => ChangeKind::Renewed {
                        ttl_seconds: ttl_seconds.unwrap_or(0),
                    },
                    _ => ChangeKind::Ended,
                },
            })
            .collect())
    }

    /// These have been written down here.
    pub async fn ack_changes(&self, ids: &[i64]) -> Result<(), TargetError> {
        let _removed: (i64,) = self
            .row(Instant::now() + DEADLINE, &|| {
                sqlx::query_as("select leasehold.ack_changes($1, $2)")
                    .bind(ids)
                    .bind(self.0.scope.name())
            })
            .await
            .map_err(|failure| failure.error)?;
        Ok(())
    }
}
