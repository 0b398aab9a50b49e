//! Rows nobody needs any more.

use sqlx::PgPool;

use super::{outbox, owners};

/// Tokens forgotten in one statement.
const BATCH: i64 = 1_000;

/// Forgets ended tokens after a day, retired configurations and mounts that nothing refers to, and messages that can not
/// be delivered and need not.
pub async fn sweep(store: &PgPool) -> sqlx::Result<()> {
    while owners::prune(store, BATCH).await? == BATCH as u64 {}
    sqlx::query(
        "delete from leasehold_broker.database_configs c where c.state = 'retired' \
            and not exists (select from leasehold_broker.leases l where l.config_id = c.config_id) \
            and not exists (select from leasehold_broker.outbox o where o.target_id = c.target_id)",
    )
    .execute(store)
    .await?;
    outbox::prune(store).await?;
    sqlx::query(
        "delete from leasehold_broker.mounts m where m.state = 'gone' \
            and not exists (select from leasehold_broker.leases l where l.mount_id = m.mount_id) \
            and not exists (select from leasehold_broker.database_configs c where c.mount_id = m.mount_id)",
    )
    .execute(store)
    .await?;
    Ok(())
}
