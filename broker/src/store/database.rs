//! Rows of the database engine: configurations, roles, targets.

use serde_json::{Map, Value};
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor, Row};
use uuid::Uuid;

/// `database/config/:name`, with its connection still sealed.
#[derive(Clone, Debug)]
pub struct ConfigRow {
    /// Primary key; what the sealed details are bound to.
    pub config_id: Uuid,
    /// The mount it belongs to.
    pub mount_id: Uuid,
    /// Its name there.
    pub name: String,
    /// The target it was verified against; None = stored unverified, and not used yet.
    pub target_id: Option<Uuid>,
    /// What reads show beside the details.
    pub settings: Map<String, Value>,
    /// Sealed `connection_details`.
    pub sealed_connection: Vec<u8>,
    /// Grows with every write.
    pub revision: i64,
}

/// Table name that sealed details are bound to.
pub const CONFIGS: &str = "database_configs";

/// `database/roles/:name`, as written.
#[derive(Clone, Debug)]
pub struct RoleRow {
    /// Its name.
    pub name: String,
    /// Fields as written.
    pub settings: Map<String, Value>,
    /// Grows store-wide.
    pub revision: i64,
}

fn config(row: &PgRow) -> sqlx::Result<ConfigRow> {
    Ok(ConfigRow {
        config_id: row.try_get("config_id")?,
        mount_id: row.try_get("mount_id")?,
        name: row.try_get("name")?,
        target_id: row.try_get("target_id")?,
        settings: row.try_get::<Json<_>, _>("settings")?.0,
        sealed_connection: row.try_get("sealed_connection")?,
        revision: row.try_get("revision")?,
    })
}

fn role(row: &PgRow) -> sqlx::Result<RoleRow> {
    Ok(RoleRow {
        name: row.try_get("name")?,
        settings: row.try_get::<Json<_>, _>("settings")?.0,
        revision: row.try_get("revision")?,
    })
}

/// The live configuration of a name.
pub async fn config_by_name(
    store: impl PgExecutor<'_>,
    mount_id: Uuid,
    name: &str,
) -> sqlx::Result<Option<ConfigRow>> {
    let row = sqlx::query(
        "select config_id, mount_id, name, target_id, settings, sealed_connection, revision \
           from leasehold_broker.database_configs where mount_id = $1 and name = $2 and state = 'live'",
    )
    .bind(mount_id)
    .bind(name)
    .fetch_optional(store)
    .await?;
    row.as_ref().map(config).transpose()
}

/// Roles with the live configurations they name, for many names at once; in the same order.
pub async fn roles_with_configs(
    store: impl PgExecutor<'_>,
    names: &[(Uuid, String)],
) -> sqlx::Result<Vec<Option<(RoleRow, Option<ConfigRow>)>>> {
    let (mounts, roles): (Vec<Uuid>, Vec<&str>) = names
        .iter()
        .map(|(mount_id, name)| (*mount_id, name.as_str()))
        .unzip();
    let rows = sqlx::query(
        "select n.ordinal, r.name as role_name, r.settings as role_settings, r.revision as role_revision, c.config_id, \
                c.mount_id, c.name, c.target_id, c.settings, c.sealed_connection, c.revision \
           from unnest($1::uuid[], $2::text[]) with ordinality as n (mount_id, name, ordinal) \
           join leasehold_broker.database_roles r on r.mount_id = n.mount_id and r.name = n.name collate \"C\" \
           left join leasehold_broker.database_configs c \
             on c.mount_id = r.mount_id and c.name = (r.settings ->> 'db_name') collate \"C\" and c.state = 'live'",
    )
    .bind(mounts)
    .bind(roles)
    .fetch_all(store)
    .await?;
    let mut found: Vec<Option<(RoleRow, Option<ConfigRow>)>> = names.iter().map(|_| None).collect();
    for row in &rows {
        let at = usize::try_from(row.try_get::<i64, _>("ordinal")? - 1).unwrap_or(usize::MAX);
        let role = RoleRow {
            name: row.try_get("role_name")?,
            settings: row.try_get::<Json<_>, _>("role_settings")?.0,
            revision: row.try_get("role_revision")?,
        };
        let config = match row.try_get::<Option<Uuid>, _>("config_id")? {
            Some(_) => Some(config(row)?),
            None => None,
        };
        if let Some(place) = found.get_mut(at) {
            *place = Some((role, config));
        }
    }
    Ok(found)
}

/// The same, locked against other writers and against issues that begin now.
pub async fn config_for_update(
    store: &mut PgConnection,
    mount_id: Uuid,
    name: &str,
) -> sqlx::Result<Option<ConfigRow>> {
    let row = sqlx::query(
        "select config_id, mount_id, name, target_id, settings, sealed_connection, revision \
           from leasehold_broker.database_configs where mount_id = $1 and name = $2 and state = 'live' for update",
    )
    .bind(mount_id)
    .bind(name)
    .fetch_optional(store)
    .await?;
    row.as_ref().map(config).transpose()
}

/// Every configuration that leads to a target, the live ones first.
pub async fn configs_by_target(
    store: impl PgExecutor<'_>,
    target_id: Uuid,
) -> sqlx::Result<Vec<ConfigRow>> {
    let rows = sqlx::query(
        "select config_id, mount_id, name, target_id, settings, sealed_connection, revision \
           from leasehold_broker.database_configs where target_id = $1 order by state, changed_at desc",
    )
    .bind(target_id)
    .fetch_all(store)
    .await?;
    rows.iter().map(config).collect()
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

/// Names of a mount's configurations, sorted.
pub async fn config_names(store: impl PgExecutor<'_>, mount_id: Uuid) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select name from leasehold_broker.database_configs where mount_id = $1 and state = 'live' order by name",
    )
    .bind(mount_id)
    .fetch_all(store)
    .await
}

/// A new configuration.
pub async fn insert_config(store: impl PgExecutor<'_>, row: &ConfigRow) -> sqlx::Result<()> {
    sqlx::query(
        "insert into leasehold_broker.database_configs \
             (config_id, mount_id, name, target_id, settings, sealed_connection, revision) values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(row.config_id)
    .bind(row.mount_id)
    .bind(&row.name)
    .bind(row.target_id)
    .bind(Json(&row.settings))
    .bind(&row.sealed_connection)
    .bind(row.revision)
    .execute(store)
    .await?;
    Ok(())
}

/// The same configuration, changed; its revision is the new one.
pub async fn update_config(store: impl PgExecutor<'_>, row: &ConfigRow) -> sqlx::Result<()> {
    sqlx::query(
        "update leasehold_broker.database_configs \
            set target_id = $2, settings = $3, sealed_connection = $4, revision = $5, changed_at = now() where config_id = $1",
    )
    .bind(row.config_id)
    .bind(row.target_id)
    .bind(Json(&row.settings))
    .bind(&row.sealed_connection)
    .bind(row.revision)
    .execute(store)
    .await?;
    Ok(())
}

/// Notes which target an unverified configuration turned out to lead to. False: it was rewritten meanwhile.
pub async fn set_target(
    store: impl PgExecutor<'_>,
    config_id: Uuid,
    revision: i64,
    target_id: Uuid,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "update leasehold_broker.database_configs set target_id = $3 \
          where config_id = $1 and revision = $2 and state = 'live' and (target_id is null or target_id = $3)",
    )
    .bind(config_id)
    .bind(revision)
    .bind(target_id)
    .execute(store)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes a configuration, locked by the caller, out of use: kept, unreadable, while leases came through it.
pub async fn retire_config(store: &mut PgConnection, config_id: Uuid) -> sqlx::Result<()> {
    let kept = sqlx::query(
        "update leasehold_broker.database_configs set state = 'retired', changed_at = now() \
          where config_id = $1 and exists (select from leasehold_broker.leases where config_id = $1)",
    )
    .bind(config_id)
    .execute(&mut *store)
    .await?;
    if kept.rows_affected() == 0 {
        sqlx::query("delete from leasehold_broker.database_configs where config_id = $1")
            .bind(config_id)
            .execute(store)
            .await?;
    }
    Ok(())
}

/// Notes that a target is there.
pub async fn see_target(
    store: impl PgExecutor<'_>,
    target_id: Uuid,
    system_identifier: &str,
    database_oid: i64,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into leasehold_broker.targets (target_id, system_identifier, database_oid) values ($1, $2, $3) \
         on conflict (target_id) do update set last_seen_at = now()",
    )
    .bind(target_id)
    .bind(system_identifier)
    .bind(database_oid)
    .execute(store)
    .await?;
    Ok(())
}

/// Holds a mount in place for the transaction; false: it serves nobody any more.
pub async fn hold_mount(store: &mut PgConnection, mount_id: Uuid) -> sqlx::Result<bool> {
    let held = sqlx::query(
        "select from leasehold_broker.mounts where mount_id = $1 and state = 'active' for share",
    )
    .bind(mount_id)
    .fetch_optional(store)
    .await?;
    Ok(held.is_some())
}

/// One role.
pub async fn role_by_name(
    store: impl PgExecutor<'_>,
    mount_id: Uuid,
    name: &str,
) -> sqlx::Result<Option<RoleRow>> {
    let row = sqlx::query(
        "select name, settings, revision from leasehold_broker.database_roles where mount_id = $1 and name = $2",
    )
    .bind(mount_id)
    .bind(name)
    .fetch_optional(store)
    .await?;
    row.as_ref().map(role).transpose()
}

/// One role, locked against other writers.
pub async fn role_for_update(
    store: &mut PgConnection,
    mount_id: Uuid,
    name: &str,
) -> sqlx::Result<Option<RoleRow>> {
    let row = sqlx::query(
        "select name, settings, revision from leasehold_broker.database_roles \
          where mount_id = $1 and name = $2 for update",
    )
    .bind(mount_id)
    .bind(name)
    .fetch_optional(store)
    .await?;
    row.as_ref().map(role).transpose()
}

/// Names of a mount's roles, sorted: those after `after`, at most `limit`.
pub async fn role_names(
    store: impl PgExecutor<'_>,
    mount_id: Uuid,
    after: &str,
    limit: Option<i64>,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select name from leasehold_broker.database_roles where mount_id = $1 and name > $2 order by name limit $3",
    )
    .bind(mount_id)
    .bind(after)
    .bind(limit)
    .fetch_all(store)
    .await
}

/// Writes a role with a new revision. The mount is held in place meanwhile; false: it serves nobody any more.
pub async fn put_role(
    store: &mut PgConnection,
    mount_id: Uuid,
    name: &str,
    settings: &Map<String, Value>,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "with mount as (select mount_id from leasehold_broker.mounts where mount_id = $1 and state = 'active' for share) \
         insert into leasehold_broker.database_roles (mount_id, name, settings, revision) \
         select mount_id, $2, $3, nextval('leasehold_broker.role_revision') from mount \
         on conflict (mount_id, name) do update \
            set settings = excluded.settings, revision = excluded.revision, changed_at = now()",
    )
    .bind(mount_id)
    .bind(name)
    .bind(Json(settings))
    .execute(store)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives the roles of a configuration new revisions: the same texts are other recipes when another login defines them.
pub async fn renew_revisions(
    store: &mut PgConnection,
    mount_id: Uuid,
    config_name: &str,
) -> sqlx::Result<()> {
    sqlx::query(
        "update leasehold_broker.database_roles set revision = nextval('leasehold_broker.role_revision') \
          where mount_id = $1 and settings ->> 'db_name' = $2",
    )
    .bind(mount_id)
    .bind(config_name)
    .execute(store)
    .await?;
    Ok(())
}

/// Roles written since a backup, at most: by so much a restored store goes ahead of what a target remembers.
const OVERTAKE: i64 = 1_000;

/// Gives a role, if it still has this revision, one that is far beyond. None: it has another one.
pub async fn overtake_revision(
    store: impl PgExecutor<'_>,
    mount_id: Uuid,
    name: &str,
    revision: i64,
) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar(
        "update leasehold_broker.database_roles \
            set revision = setval('leasehold_broker.role_revision', nextval('leasehold_broker.role_revision') + $4) \
          where mount_id = $1 and name = $2 and revision = $3 returning revision",
    )
    .bind(mount_id)
    .bind(name)
    .bind(revision)
    .bind(OVERTAKE)
    .fetch_optional(store)
    .await
}

/// Deletes a role; gives back a revision that is newer than its last, or None if it was not there.
pub async fn delete_role(
    store: &mut PgConnection,
    mount_id: Uuid,
    name: &str,
) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar(
        "with gone as (delete from leasehold_broker.database_roles where mount_id = $1 and name = $2 returning name) \
         select nextval('leasehold_broker.role_revision') from gone",
    )
    .bind(mount_id)
    .bind(name)
    .fetch_optional(store)
    .await
}

/// Deletes all roles of a mount that is going. Gives back their names, and a revision newer than any of theirs.
pub async fn delete_roles(
    store: &mut PgConnection,
    mount_id: Uuid,
) -> sqlx::Result<(Vec<String>, i64)> {
    let names = sqlx::query_scalar(
        "delete from leasehold_broker.database_roles where mount_id = $1 returning name",
    )
    .bind(mount_id)
    .fetch_all(&mut *store)
    .await?;
    let revision = sqlx::query_scalar("select nextval('leasehold_broker.role_revision')")
        .fetch_one(&mut *store)
        .await?;
    Ok((names, revision))
}

/// Takes all configurations of a mount out of use; those that leases came through are kept, retired. Gives back their ids.
pub async fn retire_configs(store: &mut PgConnection, mount_id: Uuid) -> sqlx::Result<Vec<Uuid>> {
    let configs: Vec<Uuid> = sqlx::query_scalar(
        "select config_id from leasehold_broker.database_configs where mount_id = $1 and state = 'live' for update",
    )
    .bind(mount_id)
    .fetch_all(&mut *store)
    .await?;
    for config_id in &configs {
        retire_config(store, *config_id).await?;
    }
    Ok(configs)
}

/// Targets that a mount's recipes may be on.
pub async fn targets_of_mount(
    store: impl PgExecutor<'_>,
    mount_id: Uuid,
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "select distinct target_id from leasehold_broker.database_configs where mount_id = $1 and target_id is not null",
    )
    .bind(mount_id)
    .fetch_all(store)
    .await
}
