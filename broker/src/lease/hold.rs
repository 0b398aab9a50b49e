//! Long work on something that any broker may go on with when its own one dies: while it lasts, others are told so.

use std::future::Future;
use std::time::Duration;

/// Does the work, and says that it is being done every so often.
pub(super) async fn holding<T, Said>(
    every: Duration,
    say: impl Fn() -> Said,
    work: impl Future<Output = T>,
) -> T
where
    Said: Future<Output = sqlx::Result<()>>,
{
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(every) => {
                if let Err(error) = say().await {
                    // Another broker may join in: all of it can be done twice.
                    tracing::debug!(%error, "could not say that something is being worked on");
                }
            }
        }
    }
}
