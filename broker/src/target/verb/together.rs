//! Issues of one recipe that come at the same moment: one call, one transaction, one commit.
//!
//! All of them or none: where one is refused, or nobody knows, each is asked for alone. Nothing is made twice, since a request
//! id makes one lease whoever asks and how often.

use std::sync::Arc;

use sqlx::postgres::types::PgInterval;
use tokio::time::Instant;

use super::{Issue, Owner, TOGETHER, answer, seconds};
use crate::gather::Gather;
use crate::target::{Target, TargetError};

/// Where issues come together.
pub(in crate::target) type Together = Gather<Asked, Answer>;

/// One issue, waiting, and until when.
type Asked = (Issue, Instant);

/// What a batch says to each of its members.
#[derive(Clone)]
pub(in crate::target) enum Answer {
    Issued,
    /// Of a batch of one: what the call itself would say.
    Refused(TargetError, bool),
    Alone {
        /// Whether the batch may have been done after all.
        in_doubt: bool,
    },
}

/// A new, empty place.
pub(in crate::target) fn together() -> Arc<Together> {
    Gather::of_halves(TOGETHER)
}

/// One recipe, so that every member takes the same locks in the same order.
fn alike((one, _): &Asked, (other, _): &Asked) -> bool {
    one.recipe == other.recipe && one.digest == other.digest
}

const ISSUE: &str = "\
select ordinal from leasehold.issue_many($1, $2, ttls => $3, max_ttls => $4, caps => $5, owners => $6, owner_ttls => $7, \
       owner_revisions => $8, owner_counts => $9, display_names => $10, logins => $11, verifiers => $12, digest => $13, \
       scope => $14) where sqlstate is null";

impl Target {
    /// As [`Target::issue`], together with others if there are any.
    pub async fn issue_together(
        &self,
        request: &Issue,
        deadline: Instant,
    ) -> Result<(), (TargetError, bool)> {
        let own = self.clone();
        let run = move |batch: Vec<Asked>| {
            let target = own.clone();
            async move {
                match batch.as_slice() {
                    // The plain call costs the server less than the one for many.
                    [(alone, deadline)] => {
                        vec![Some(match target.issue_at_once(alone, *deadline).await {
                            Ok(()) => Answer::Issued,
                            Err((error, in_doubt)) => Answer::Refused(error, in_doubt),
                        })]
                    }
                    batch => target.issue_batch(batch).await,
                }
            }
        };
        let asked = (request.clone(), deadline);
        let in_doubt = match self.0.issues.ask(asked, alike, run).await {
            Some(Answer::Issued) => return Ok(()),
            Some(Answer::Refused(error, in_doubt)) => return Err((error, in_doubt)),
            Some(Answer::Alone { in_doubt }) => in_doubt,
            None => true,
        };
        let alone = self.issue(request, deadline).await;
        alone.map_err(|(error, doubtful)| (error, in_doubt || doubtful))
    }

    async fn issue_batch(&self, batch: &[Asked]) -> Vec<Option<Answer>> {
        let Some(deadline) = batch.iter().map(|(_, deadline)| *deadline).min() else {
            return Vec::new();
        };
        let batch: Vec<&Issue> = batch.iter().map(|(issue, _)| issue).collect();
        let texts =
            |of: fn(&Issue) -> &str| batch.iter().map(|issue| of(issue)).collect::<Vec<&str>>();
        let (ids, logins) = (texts(|a| &a.lease_id), texts(|a| &a.login));
        let verifiers = texts(|a| a.verifier.expose());
        let names = texts(|a| &a.display_name);
        let lengths = |of: fn(&Issue) -> i64| batch.iter().map(|a| seconds(of(a))).collect();
        let ttls: Vec<PgInterval> = lengths(|a| a.ttl_seconds);
        let max_ttls: Vec<PgInterval> = lengths(|a| a.max_ttl_seconds);
        let owners: Vec<&Owner> = batch.iter().flat_map(|asked| &asked.owners).collect();
        let counts: Vec<i32> = batch
            .iter()
            .map(|asked| i32::try_from(asked.owners.len()).unwrap_or(i32::MAX))
            .collect();
        let accessors: Vec<&str> = owners.iter().map(|o| o.accessor.as_str()).collect();
        let revisions: Vec<i64> = owners.iter().map(|owner| owner.revision).collect();
        let made: Result<Vec<(i32,)>, _> = self
            .rows(deadline, &|| {
                sqlx::query_as(ISSUE)
                    .bind(&batch[0].recipe)
                    .bind(&ids)
                    .bind(&ttls)
                    .bind(&max_ttls)
                    .bind(batch.iter().map(|asked| asked.cap()).collect::<Vec<_>>())
                    .bind(&accessors)
                    .bind(
                        batch
                            .iter()
                            .flat_map(|asked| asked.owner_ttls())
                            .collect::<Vec<_>>(),
                    )
                    .bind(&revisions)
                    .bind(&counts)
                    .bind(&names)
                    .bind(&logins)
                    .bind(&verifiers)
                    .bind(&batch[0].digest)
                    .bind(self.0.scope.name())
            })
            .await;
        let (made, in_doubt) = match made {
            Ok(made) => (made, false),
            Err(failure) => (Vec::new(), failure.in_doubt),
        };
        let mut answers = vec![Some(Answer::Alone { in_doubt }); batch.len()];
        for (ordinal,) in made {
            answer(&mut answers, ordinal, Answer::Issued);
        }
        answers
    }
}
