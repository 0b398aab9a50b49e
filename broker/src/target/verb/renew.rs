//! `renew`: renewals of one recipe that come at the same moment go in one call, one transaction, one commit.
//!
//! One that is refused, or whose login somebody holds, is asked for again, alone and beside the others: only there it is waited
//! for. A renewal may be sent again.

use std::sync::Arc;

use sqlx::postgres::types::PgInterval;
use tokio::time::Instant;

use super::{TOGETHER, answer, seconds};
use crate::gather::Gather;
use crate::target::call::DEADLINE;
use crate::target::{Recipe, Target, TargetError};

/// Where renewals come together. The answers are whole seconds from now.
pub(in crate::target) type Renewals = Gather<Asked, Result<i64, TargetError>>;

/// One renewal, waiting.
#[derive(Clone)]
pub(in crate::target) struct Asked {
    lease_id: String,
    ttl_seconds: i64,
    max_ttl_seconds: i64,
    digest: String,
}

/// A new, empty place.
pub(in crate::target) fn renewals() -> Arc<Renewals> {
    Gather::new(TOGETHER)
}

const RENEW: &str = "select ordinal, ttl_seconds from leasehold.renew_leases($1, $2, $3, $4, $5) where sqlstate is null";

impl Target {
    /// Gives a lease `ttl_seconds` from now, capped by `max_ttl_seconds` from its issue; the seconds it has then.
    pub async fn renew(
        &self,
        lease_id: &str,
        ttl_seconds: i64,
        max_ttl_seconds: i64,
        recipe: &Recipe,
    ) -> Result<i64, TargetError> {
        let asked = Asked {
            lease_id: lease_id.to_owned(),
            ttl_seconds,
            max_ttl_seconds,
            digest: self.recipe_digest(recipe).await?,
        };
        // Statements of the recipe's own lock what nobody here knows: such a renewal has a transaction for itself.
        if !recipe.renewal_statements.is_empty() {
            let _room = self.room_for_statements(Instant::now() + DEADLINE).await?;
            return self.renew_one(&asked).await;
        }
        let target = self.clone();
        let run = move |batch: Vec<Asked>| {
            let target = target.clone();
            async move { target.renew_all(&batch).await }
        };
        match self.0.renewals.ask(asked.clone(), |_, _| true, run).await {
            Some(renewed) => renewed,
            None => self.renew_one(&asked).await,
        }
    }

    async fn renew_one(&self, asked: &Asked) -> Result<i64, TargetError> {
        let (ttl_seconds,): (i64,) = self
            .row(Instant::now() + DEADLINE, &|| {
                sqlx::query_as(
                    "select ttl_seconds from leasehold.renew($1, ttl => $2, max_ttl => $3, digest => $4, scope => $5)",
                )
                .bind(&asked.lease_id)
                .bind(seconds(asked.ttl_seconds))
                .bind(seconds(asked.max_ttl_seconds))
                .bind(&asked.digest)
                .bind(self.0.scope.name())
            })
            .await
            .map_err(|failure| failure.error)?;
        Ok(ttl_seconds)
    }

    async fn renew_all(&self, batch: &[Asked]) -> Vec<Option<Result<i64, TargetError>>> {
        let texts = |of: fn(&Asked) -> &str| -> Vec<&str> { batch.iter().map(of).collect() };
        let lengths = |of: fn(&Asked) -> i64| -> Vec<PgInterval> {
            batch.iter().map(|asked| seconds(of(asked))).collect()
        };
        let (ids, digests) = (texts(|a| &a.lease_id), texts(|a| &a.digest));
        let (ttls, max_ttls) = (lengths(|a| a.ttl_seconds), lengths(|a| a.max_ttl_seconds));
        let renewed: Result<Vec<(i32, i64)>, _> = self
            .rows(Instant::now() + DEADLINE, &|| {
                sqlx::query_as(RENEW)
                    .bind(&ids)
                    .bind(&ttls)
                    .bind(&max_ttls)
                    .bind(&digests)
                    .bind(self.0.scope.name())
            })
            .await;
        let mut answers: Vec<Option<Result<i64, TargetError>>> = vec![None; batch.len()];
        for (ordinal, seconds) in renewed.into_iter().flatten() {
            answer(&mut answers, ordinal, Ok(seconds));
        }
        answers
    }
}
