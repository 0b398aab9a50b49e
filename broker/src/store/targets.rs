//! Targets that are known, and whether a configuration leads to them.

use sqlx::PgExecutor;
use uuid::Uuid;

/// Notes that a target is there, reached by this configuration. False: that is another server or database than the one of that
/// name to which other configurations lead. A copy is not taken for its original.
pub async fn see(
    store: impl PgExecutor<'_>,
    target_id: Uuid,
    system_identifier: &str,
    database_oid: i64,
    config_id: Option<Uuid>,
) -> sqlx::Result<bool> {
    let seen = sqlx::query(
        "insert into leasehold_broker.targets as t (target_id, system_identifier, database_oid) values ($1, $2, $3) \
         on conflict (target_id) do update \
            set last_seen_at = now(), system_identifier = excluded.system_identifier, database_oid = excluded.database_oid \
          where (t.system_identifier, t.database_oid) = (excluded.system_identifier, excluded.database_oid) \
             or not exists (select from leasehold_broker.database_configs c \
                             where c.target_id = t.target_id and c.config_id is distinct from $4)",
    )
    .bind(target_id)
    .bind(system_identifier)
    .bind(database_oid)
    .bind(config_id)
    .execute(store)
    .await?;
    Ok(seen.rows_affected() == 1)
}

/// Whether any configuration leads to a target.
pub async fn has_way(store: impl PgExecutor<'_>, target_id: Uuid) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "select exists (select from leasehold_broker.database_configs where target_id = $1)",
    )
    .bind(target_id)
    .fetch_one(store)
    .await
}

/// Targets that a mount's recipes may be on.
pub async fn of_mount(store: impl PgExecutor<'_>, mount_id: Uuid) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "select distinct target_id from leasehold_broker.database_configs where mount_id = $1 and target_id is not null",
    )
    .bind(mount_id)
    .fetch_all(store)
    .await
}
