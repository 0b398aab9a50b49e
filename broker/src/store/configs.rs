//! Configurations of the database engine, live and retired: where a target is, and how to get there.

use serde_json::{Map, Value};
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor, Row};
use uuid::Uuid;

use crate::glob;

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

impl ConfigRow {
    /// Whether roles of that name may use it (`allowed_roles`, contract 7.2).
    pub fn allows(&self, role: &str) -> bool {
        let allowed: Vec<String> = self
            .settings
            .get("allowed_roles")
            .and_then(|list| serde_json::from_value(list.clone()).ok())
            .unwrap_or_default();
        glob::allows(&allowed, role)
    }
}

/// Table name that sealed details are bound to.
pub const CONFIGS: &str = "database_configs";

pub(super) fn read(row: &PgRow) -> sqlx::Result<ConfigRow> {
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

/// A statement that reads configurations: which, and how.
macro_rules! select {
    ($which:literal) => {
        concat!(
            "select config_id, mount_id, name, target_id, settings, sealed_connection, revision \
               from leasehold_broker.database_configs where ",
            $which
        )
    };
}

/// The live configuration of a name.
pub async fn by_name(
    store: impl PgExecutor<'_>,
    mount_id: Uuid,
    name: &str,
) -> sqlx::Result<Option<ConfigRow>> {
    const NAMED: &str = select!("mount_id = $1 and name = $2 and state = 'live'");
    one(store, NAMED, mount_id, name).await
}

/// The same, locked against other writers and against issues that begin now.
pub async fn for_update(
    store: &mut PgConnection,
    mount_id: Uuid,
    name: &str,
) -> sqlx::Result<Option<ConfigRow>> {
    const LOCKED: &str = select!("mount_id = $1 and name = $2 and state = 'live' for update");
    one(store, LOCKED, mount_id, name).await
}

async fn one(
    store: impl PgExecutor<'_>,
    statement: &'static str,
    mount_id: Uuid,
    name: &str,
) -> sqlx::Result<Option<ConfigRow>> {
    let named = sqlx::query(statement).bind(mount_id).bind(name);
    let row = named.fetch_optional(store).await?;
    row.as_ref().map(read).transpose()
}

/// Every configuration that leads to a target, the live ones first.
pub async fn by_target(
    store: impl PgExecutor<'_>,
    target_id: Uuid,
) -> sqlx::Result<Vec<ConfigRow>> {
    let rows = sqlx::query(select!("target_id = $1 order by state, changed_at desc"))
        .bind(target_id)
        .fetch_all(store)
        .await?;
    rows.iter().map(read).collect()
}

/// The configuration that a lease came through.
pub async fn of_lease(
    store: impl PgExecutor<'_>,
    lease_id: &str,
) -> sqlx::Result<Option<ConfigRow>> {
    let row = sqlx::query(select!(
        "config_id = (select l.config_id from leasehold_broker.leases l where l.lease_id = $1)"
    ))
    .bind(lease_id)
    .fetch_optional(store)
    .await?;
    row.as_ref().map(read).transpose()
}

/// Live configurations that lead to a target.
pub async fn live_by_target(
    store: impl PgExecutor<'_>,
    target_id: Uuid,
) -> sqlx::Result<Vec<ConfigRow>> {
    let rows = sqlx::query(select!(
        "target_id = $1 and state = 'live' order by config_id"
    ))
    .bind(target_id)
    .fetch_all(store)
    .await?;
    rows.iter().map(read).collect()
}

/// All configurations there are, live and retired, by id.
pub async fn ids(store: impl PgExecutor<'_>) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar("select config_id from leasehold_broker.database_configs")
        .fetch_all(store)
        .await
}

/// Names of a mount's configurations, sorted.
pub async fn names(store: impl PgExecutor<'_>, mount_id: Uuid) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select name from leasehold_broker.database_configs where mount_id = $1 and state = 'live' order by name",
    )
    .bind(mount_id)
    .fetch_all(store)
    .await
}

/// A new configuration.
pub async fn insert(store: impl PgExecutor<'_>, row: &ConfigRow) -> sqlx::Result<()> {
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
pub async fn update(store: impl PgExecutor<'_>, row: &ConfigRow) -> sqlx::Result<()> {
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
pub async fn retire(store: &mut PgConnection, config_id: Uuid) -> sqlx::Result<()> {
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

/// Takes all configurations of a mount out of use; those that leases came through are kept, retired. Gives back their ids.
pub async fn retire_all(store: &mut PgConnection, mount_id: Uuid) -> sqlx::Result<Vec<Uuid>> {
    let configs: Vec<Uuid> = sqlx::query_scalar(
        "select config_id from leasehold_broker.database_configs where mount_id = $1 and state = 'live' for update",
    )
    .bind(mount_id)
    .fetch_all(&mut *store)
    .await?;
    for config_id in &configs {
        retire(store, *config_id).await?;
    }
    Ok(configs)
}
