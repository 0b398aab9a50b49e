//! One call on a target: a connection, a deadline, and what is known when it fails.

use std::time::Duration;

use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::QueryAs;
use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::connect::unreachable;
use super::{Target, TargetError};

/// How long a call may take unless it says otherwise.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);
/// Pauses between attempts grow from the first to the second.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// A failure after any number of attempts.
pub(super) struct Failure {
    /// The last attempt's.
    pub error: TargetError,
    /// An attempt before the last got no answer: it may still be under way, whatever the last one says.
    pub in_doubt: bool,
}

/// A call with its arguments, ready to be sent again: every verb of the seam may be repeated.
pub(super) type Build<'a, R> =
    &'a (dyn Fn() -> QueryAs<'a, Postgres, R, PgArguments> + Send + Sync + 'a);

impl Target {
    /// Sends a call until there is an answer or the deadline has passed. A first attempt that finds no server at all is
    /// not repeated: nothing is in doubt, and the caller can say so at once.
    pub(super) async fn rows<'a, R>(
        &self,
        deadline: Instant,
        build: Build<'a, R>,
    ) -> Result<Vec<R>, Failure>
    where
        R: for<'r> sqlx::FromRow<'r, PgRow> + Send + Unpin,
    {
        let mut in_doubt = false;
        let mut pause = BACK_OFF.0;
        loop {
            let error = match self.attempt(deadline, build()).await {
                Ok(rows) => return Ok(rows),
                Err(error) => error,
            };
            in_doubt |= matches!(error, TargetError::Unknown(_));
            let again = in_doubt && error.is_absence() && Instant::now() + pause < deadline;
            if !again {
                return Err(Failure { error, in_doubt });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(BACK_OFF.1);
        }
    }

    /// The same, for calls that give exactly one row.
    pub(super) async fn row<'a, R>(
        &self,
        deadline: Instant,
        build: Build<'a, R>,
    ) -> Result<R, Failure>
    where
        R: for<'r> sqlx::FromRow<'r, PgRow> + Send + Unpin,
    {
        let mut rows = self.rows(deadline, build).await?;
        rows.pop().ok_or_else(|| Failure {
            error: TargetError::Unfit(
                "the extension gave no row; is it older than this broker?".into(),
            ),
            in_doubt: false,
        })
    }

    /// Room for a call that runs statements of a recipe.
    pub(super) async fn room_for_statements(
        &self,
        deadline: Instant,
    ) -> Result<SemaphorePermit<'_>, TargetError> {
        match timeout_at(deadline, self.0.statements.acquire()).await {
            Ok(Ok(room)) => Ok(room),
            Ok(Err(_)) | Err(_) => Err(TargetError::Unreachable {
                address: self.0.address.clone(),
                why: "all connections for statements of roles are in use, or wait for locks".into(),
            }),
        }
    }

    /// Whether it answers at all.
    pub async fn ping(&self) -> Result<(), TargetError> {
        let _one: (i32,) = self
            .row(Instant::now() + DEADLINE, &|| sqlx::query_as("select 1"))
            .await
            .map_err(|failure| failure.error)?;
        Ok(())
    }

    async fn attempt<'q, R>(
        &self,
        deadline: Instant,
        query: QueryAs<'q, Postgres, R, PgArguments>,
    ) -> Result<Vec<R>, TargetError>
    where
        R: for<'r> sqlx::FromRow<'r, PgRow> + Send + Unpin,
    {
        let inner = &self.0;
        let failed = |error| unreachable(&inner.address, &error, None);
        let refused = inner.greetings.next_refusal();
        // The pool tries a server that refuses connections, or that is not the right one, again and again; nobody is to wait
        // for that.
        let mut connection = tokio::select! {
            biased;
            acquired = timeout_at(deadline, inner.warm.acquire()) => {
                acquired.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(failed)
            }
            refusal = refused => Err(refusal),
            nobody = inner.knock.until_refused() => Err(failed(sqlx::Error::Io(nobody))),
        }?;
        match timeout_at(deadline, query.fetch_all(&mut *connection)).await {
            Ok(Ok(rows)) => {
                connection.keep();
                Ok(rows)
            }
            Ok(Err(error)) => {
                if error.as_database_error().is_none() {
                    connection.close();
                }
                Err(TargetError::of_call(error))
            }
            Err(_) => {
                // Whatever still comes over this connection is nobody's answer.
                drop(connection.detach());
                Err(TargetError::Unknown("the deadline has passed".into()))
            }
        }
    }
}
