//! Targets that are known, and whether a configuration leads to them.

use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

/// Notes that a target is there, reached by this configuration. False: that is another server or database than the one of that
/// name to which other live configurations lead. A copy is not taken for its original.
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
                             where c.target_id = t.target_id and c.state = 'live' and c.config_id is distinct from $4)",
    )
    .bind(target_id)
    .bind(system_identifier)
    .bind(database_oid)
    .bind(config_id)
    .execute(store)
    .await?;
    Ok(seen.rows_affected() == 1)
}

/// Notes that a target is another server or database from now on, if no live configuration leads there but this one and those
/// of `asked`, by id and revision, which have been found to lead to that one. The target is locked before they are counted:
/// whoever has it seen writes a configuration in the same transaction.
pub async fn move_to(
    store: &mut PgConnection,
    target_id: Uuid,
    system_identifier: &str,
    database_oid: i64,
    config_id: Option<Uuid>,
    asked: &[(Uuid, i64)],
) -> sqlx::Result<bool> {
    sqlx::query("select from leasehold_broker.targets where target_id = $1 for update")
        .bind(target_id)
        .execute(&mut *store)
        .await?;
    let (ids, revisions): (Vec<Uuid>, Vec<i64>) = asked.iter().copied().unzip();
    let moved = sqlx::query(
        "update leasehold_broker.targets set last_seen_at = now(), system_identifier = $2, database_oid = $3 \
          where target_id = $1 \
            and not exists (select from leasehold_broker.database_configs c \
                             where c.target_id = $1 and c.state = 'live' and c.config_id is distinct from $4 \
                               and not exists (select from unnest($5::uuid[], $6::bigint[]) as asked (config_id, revision) \
                                                where asked.config_id = c.config_id and asked.revision = c.revision))",
    )
    .bind(target_id)
    .bind(system_identifier)
    .bind(database_oid)
    .bind(config_id)
    .bind(ids)
    .bind(revisions)
    .execute(store)
    .await?;
    Ok(moved.rows_affected() == 1)
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
