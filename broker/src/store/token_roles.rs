//! `auth/token/roles`: settings by name.

use serde_json::Value;
use sqlx::PgExecutor;
use sqlx::types::Json;

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

/// Writes one.
pub async fn write(store: impl PgExecutor<'_>, name: &str, settings: &Value) -> sqlx::Result<()> {
    sqlx::query(
        "insert into leasehold_broker.token_roles (name, settings) values ($1, $2) \
         on conflict (name) do update set settings = excluded.settings, revision = token_roles.revision + 1",
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
