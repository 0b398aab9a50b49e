//! Long work on something that any broker may go on with when its own one dies: while it lasts, others are told so.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

/// Does the work, and says that it is being done every so often, beside it: the one may wait for a row that the other holds.
pub(super) async fn holding<T, Said>(
    every: Duration,
    say: impl Fn() -> Said,
    work: impl Future<Output = T>,
) -> T
where
    Said: Future<Output = sqlx::Result<()>>,
{
    tokio::select! {
        done = work => done,
        never = say_for_ever(every, say) => match never {},
    }
}

async fn say_for_ever<Said>(every: Duration, say: impl Fn() -> Said) -> Infallible
where
    Said: Future<Output = sqlx::Result<()>>,
{
    loop {
        tokio::time::sleep(every).await;
        if let Err(error) = say().await {
            // Another broker may join in: all of it can be done twice.
            tracing::debug!(%error, "could not say that something is being worked on");
        }
    }
}
