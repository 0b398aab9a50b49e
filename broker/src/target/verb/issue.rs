//! `issue`, `settle`.

use sqlx::postgres::types::PgInterval;
use tokio::time::Instant;

use super::{Owner, left, microseconds, seconds};
use crate::secret::Verifier;
use crate::target::call::{DEADLINE, Failure};
use crate::target::{Target, TargetError};

/// One request for a login. The request id is the lease id: sent again, it gives the same lease.
#[derive(Clone, Debug)]
pub struct Issue {
    /// Name of the recipe.
    pub recipe: String,
    /// Digest it must have.
    pub digest: String,
    /// Lease id and request id.
    pub lease_id: String,
    /// Name of the login to make.
    pub login: String,
    /// SCRAM verifier of its password; the password itself stays here.
    pub verifier: Verifier,
    /// Lifetime in seconds.
    pub ttl_seconds: i64,
    /// Ceiling in seconds from now.
    pub max_ttl_seconds: i64,
    /// An end of its own that binds renewals (a batch token's), in microseconds from now.
    pub cap_microseconds: Option<i64>,
    /// The token, its parent, and so on to the top.
    pub owners: Vec<Owner>,
    /// When what is left of them and of `cap_microseconds` was read.
    pub read_at: Instant,
    /// For people who read `leasehold.leases`.
    pub display_name: String,
}

/// What became of a request whose answer nobody saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The lease is there.
    Issued,
    /// It never was and never will be.
    Cancelled,
    /// It was, and has ended.
    Ended,
}

/// One row of `settle`.
#[derive(Clone, Debug)]
pub struct Settled {
    /// Lease id.
    pub lease_id: String,
    /// What became of it.
    pub outcome: Outcome,
}

impl Issue {
    /// Its owners as they were at `read_at`.
    pub fn read_again(&mut self, owners: Vec<Owner>, read_at: Instant) {
        let passed = read_at.saturating_duration_since(self.read_at);
        self.cap_microseconds = self.cap_microseconds.map(|cap| left(cap, passed));
        (self.owners, self.read_at) = (owners, read_at);
    }

    /// What is left of its own end now. The call may be sent long after that was read, and more than once.
    pub(super) fn cap(&self) -> Option<PgInterval> {
        self.cap_microseconds
            .map(|left| microseconds(self.left_of(left)))
    }

    /// What is left of its owners now.
    pub(super) fn owner_ttls(&self) -> impl Iterator<Item = Option<PgInterval>> {
        let ttls = self.owners.iter().map(|owner| owner.ttl_microseconds);
        ttls.map(|ttl| ttl.map(|left| microseconds(self.left_of(left))))
    }

    fn left_of(&self, left_microseconds: i64) -> i64 {
        left(left_microseconds, self.read_at.elapsed())
    }
}

impl Target {
    /// Makes a login; sent again by request id until there is an answer. On failure `in_doubt` says whether a lease may
    /// still come of it: then the request must be settled before its record goes.
    pub async fn issue(
        &self,
        request: &Issue,
        deadline: Instant,
    ) -> Result<(), (TargetError, bool)> {
        let _room = self
            .room_for_statements(deadline)
            .await
            .map_err(|error| (error, false))?;
        self.issue_at_once(request, deadline).await
    }

    /// The same, for what locks nothing that others hold for long.
    pub(super) async fn issue_at_once(
        &self,
        request: &Issue,
        deadline: Instant,
    ) -> Result<(), (TargetError, bool)> {
        let accessors: Vec<&str> = request.owners.iter().map(|o| o.accessor.as_str()).collect();
        let revisions: Vec<i64> = request.owners.iter().map(|owner| owner.revision).collect();
        let issued: Result<(i64,), Failure> = self
            .row(deadline, &|| {
                sqlx::query_as(
                    "select ttl_seconds from leasehold.issue($1, ttl => $2, max_ttl => $3, cap => $4, owners => $5, \
                     owner_ttls => $6, owner_revisions => $7, display_name => $8, login => $9, verifier => $10, \
                     request_id => $11, digest => $12, scope => $13)",
                )
                .bind(&request.recipe)
                .bind(seconds(request.ttl_seconds))
                .bind(seconds(request.max_ttl_seconds))
                .bind(request.cap())
                .bind(&accessors)
                .bind(request.owner_ttls().collect::<Vec<_>>())
                .bind(&revisions)
                .bind(&request.display_name)
                .bind(&request.login)
                .bind(request.verifier.expose())
                .bind(&request.lease_id)
                .bind(&request.digest)
                .bind(self.0.scope.name())
            })
            .await;
        match issued {
            Ok(_) => Ok(()),
            Err(Failure { error, in_doubt }) => Err((without(error, &request.verifier), in_doubt)),
        }
    }

    /// Decides requests whose outcome is unknown: those that have not come yet never will.
    pub async fn settle(&self, lease_ids: &[String]) -> Result<Vec<Settled>, TargetError> {
        let rows: Vec<(String, String)> = self
            .rows(Instant::now() + DEADLINE, &|| {
                sqlx::query_as("select request_id, outcome from leasehold.settle($1, $2)")
                    .bind(lease_ids)
                    .bind(self.0.scope.name())
            })
            .await
            .map_err(|failure| failure.error)?;
        rows.into_iter()
            .map(|(lease_id, outcome)| {
                let outcome = match outcome.as_str() {
                    "issued" => Outcome::Issued,
                    "cancelled" => Outcome::Cancelled,
                    "ended" => Outcome::Ended,
                    _ => {
                        return Err(TargetError::Unfit(format!(
                            "the extension settled a request as {outcome:?}, which this broker does not know"
                        )));
                    }
                };
                Ok(Settled { lease_id, outcome })
            })
            .collect()
    }
}

/// Statements of a recipe can make the server quote what was put into them.
fn without(error: TargetError, verifier: &Verifier) -> TargetError {
    let mask = |text: String| text.replace(verifier.expose(), "{{password}}");
    match error {
        TargetError::Refused { refusal, message } => TargetError::Refused {
            refusal,
            message: mask(message),
        },
        TargetError::Sql { sqlstate, message } => TargetError::Sql {
            sqlstate,
            message: mask(message),
        },
        other => other,
    }
}
