//! `auth/token/roles`: settings by name.

use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor};

/// Names of all, sorted.
pub async fn names(store: impl PgExecutor<'_>) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("select name from leasehold_broker.token_roles order by name")
        .fetch_all(store)
        .await
}

/// The settings of one.
pub async fn read(store: impl PgExecutor<'_>, name: &str) -> sqlx::Result<Option<Value>> {
    let settings: Option<Json<Value>> =
        sqlx::query_scalar("select settings from leasehold_broker.token_roles where name = $1")
            .bind(name)
            .fetch_optional(store)
            .await?;
    Ok(settings.map(|json| json.0))
}

/// Within a transaction that writes one: its settings, its row locked. None: it was not there, and its place is taken now, so
/// that another who makes it waits. It has to be written before the commit.
pub async fn hold(store: &mut PgConnection, name: &str) -> sqlx::Result<Option<Value>> {
    let settings: Json<Value> = sqlx::query_scalar(
        "insert into leasehold_broker.token_roles (name, settings, revision) values ($1, 'null', 0) \
         on conflict (name) do update set name = excluded.name returning settings",
    )
    .bind(name)
    .fetch_one(store)
    .await?;
    Ok(Some(settings.0).filter(|settings| !settings.is_null()))
}

/// Writes one that the transaction holds.
pub async fn write(store: &mut PgConnection, name: &str, settings: &Value) -> sqlx::Result<()> {
    sqlx::query(
        "update leasehold_broker.token_roles set settings = $2, revision = revision + 1 where name = $1",
    )
    .bind(name)
    .bind(Json(settings))
    .execute(store)
    .await?;
    Ok(())
}

/// Deletes one, if it is there.
pub async fn delete(store: impl PgExecutor<'_>, name: &str) -> sqlx::Result<()> {
    sqlx::query("delete from leasehold_broker.token_roles where name = $1")
        .bind(name)
        .execute(store)
        .await?;
    Ok(())
}
