//! Tokens as owners of leases: their ends and renewals, durable in the store first, then told to the targets.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use super::outbox;
use crate::core::Core;
use crate::logical::Fault;
use crate::store::owners;

/// How long an answer waits for targets to hear; after that the outbox goes on alone.
const PATIENCE: Duration = Duration::from_secs(2);

/// Targets that are to hear of something once the caller's transaction is committed.
#[must_use = "deliver it after the commit; otherwise targets hear a second later"]
#[derive(Debug, Default)]
pub struct Notice {
    targets: Vec<Uuid>,
}

impl Notice {
    pub(super) fn to(mut targets: Vec<Uuid>) -> Self {
        targets.sort_unstable();
        targets.dedup();
        Notice { targets }
    }

    /// Tells them, all at once, and waits for it no longer than two seconds. Call it after the commit.
    pub async fn deliver(self, core: &Arc<Core>) {
        let mut told = Vec::with_capacity(self.targets.len());
        for target_id in self.targets {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            told.push(receiver);
            let core_there = core.clone();
            core.tasks.spawn(async move {
                if let Err(error) = outbox::deliver(&core_there, target_id).await {
                    tracing::info!(%target_id, %error, "the target could not be told yet");
                }
                core_there.errands.nudge(target_id);
                // Nobody may be waiting any more.
                let _ = sender.send(());
            });
        }
        let all = async {
            for one in told {
                // A task that was ended with the process has told nobody; the outbox has its row.
                let _ = one.await;
            }
        };
        let _ = tokio::time::timeout(PATIENCE, all).await;
    }
}

/// Within the caller's transaction: ends a token, everything below it and their cubbyholes, and notes the targets that
/// have leases of any of them. False: it was not there, or had ended.
pub async fn end_tree(
    store: &mut PgConnection,
    token_id: i64,
) -> Result<(bool, Notice), sqlx::Error> {
    let (ended, targets) = owners::end_tree(store, token_id).await?;
    Ok((ended, Notice::to(targets)))
}

/// The same for a token alone: its children live on as orphans, its own leases end.
pub async fn end_orphaning(
    store: &mut PgConnection,
    token_id: i64,
) -> Result<(bool, Notice), sqlx::Error> {
    let (ended, targets) = owners::end_orphaning(store, token_id).await?;
    Ok((ended, Notice::to(targets)))
}

/// Within the caller's transaction, after it has written a token's new end and a revision one higher: notes the targets
/// where the token or one below it has leases.
pub async fn move_owner(store: &mut PgConnection, token_id: i64) -> Result<Notice, sqlx::Error> {
    Ok(Notice::to(owners::moved(store, token_id).await?))
}

/// Ends a token's tree in a transaction of its own and tells the targets.
pub async fn end_owner(core: &Arc<Core>, token_id: i64) -> Result<bool, Fault> {
    let (ended, notice) = end_and_note(core, token_id).await?;
    notice.deliver(core).await;
    Ok(ended)
}

/// The same for many, each in a transaction of its own. Whom to tell is for the caller: waited for one by one, a target that is
/// away would delay the ends of all others.
pub async fn end_owners(core: &Arc<Core>, token_ids: &[i64]) -> Result<Notice, Fault> {
    let mut targets = Vec::new();
    for &token_id in token_ids {
        let (_, notice) = end_and_note(core, token_id).await?;
        targets.extend(notice.targets);
    }
    Ok(Notice::to(targets))
}

async fn end_and_note(core: &Arc<Core>, token_id: i64) -> Result<(bool, Notice), Fault> {
    let mut store = core.begin().await?;
    let done = end_tree(&mut store, token_id).await?;
    store.commit().await?;
    Ok(done)
}
