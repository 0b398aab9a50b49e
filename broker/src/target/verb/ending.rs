//! `revoke_leases`, `await_ended`.

use std::time::Duration;

use tokio::time::Instant;

use super::microseconds;
use crate::target::call::DEADLINE;
use crate::target::{Target, TargetError};

/// How far an end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseState {
    /// Still in force.
    Active,
    /// No access is left but for the sessions named beside it.
    Fenced,
    /// Nothing is left, or it never was.
    Gone,
}

/// One row of `await_ended`.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Lease id.
    pub lease_id: String,
    /// How far it has come.
    pub state: LeaseState,
    /// Sessions still alive.
    pub pids: Vec<i32>,
    /// Why it is not gone.
    pub last_error: Option<String>,
}

impl Target {
    /// Ends these leases: from the commit of this call on, or as soon as the sweeper gets to it.
    pub async fn revoke(&self, lease_ids: &[String]) -> Result<(), TargetError> {
        let _left: (i64,) = self
            .row(Instant::now() + DEADLINE, &|| {
                sqlx::query_as("select leasehold.revoke_leases($1, $2)")
                    .bind(lease_ids)
                    .bind(self.0.scope.name())
            })
            .await
            .map_err(|failure| failure.error)?;
        Ok(())
    }

    /// Waits until no access is left, at most `timeout`; one row a lease.
    pub async fn await_ended(
        &self,
        lease_ids: &[String],
        timeout: Duration,
    ) -> Result<Vec<Ended>, TargetError> {
        type Row = (String, String, Option<Vec<i32>>, Option<String>);
        let wait = i64::try_from(timeout.as_micros()).unwrap_or(i64::MAX);
        let rows: Vec<Row> = self
            .rows(Instant::now() + timeout + DEADLINE, &|| {
                sqlx::query_as(
                    "select lease_id, state, pids, last_error from leasehold.await_ended($1, $2, $3)",
                )
                .bind(lease_ids)
                .bind(microseconds(wait))
                .bind(self.0.scope.name())
            })
            .await
            .map_err(|failure| failure.error)?;
        Ok(rows
            .into_iter()
            .map(|(lease_id, state, pids, last_error)| Ended {
                lease_id,
                state: match state.as_str() {
                    "gone" => LeaseState::Gone,
                    "fenced" => LeaseState::Fenced,
                    _ => LeaseState::Active,
                },
                pids: pids.unwrap_or_default(),
                last_error,
            })
            .collect())
    }
}
