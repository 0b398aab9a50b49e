//! Policies by name, verbatim.

use sqlx::{PgExecutor, Row};
use uuid::Uuid;

/// A policy's name and the mark of its text: both together name one text for ever, also in a store that was restored.
pub type Version = (String, Uuid);

/// A policy's text with its mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRow {
    /// Lower-cased name.
    pub name: String,
    /// Random; another one with every write.
    pub mark: Uuid,
    /// As written.
    pub text: String,
}

/// Names of all, sorted.
pub async fn names(store: impl PgExecutor<'_>) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("select name from leasehold_broker.policies order by name")
        .fetch_all(store)
        .await
}

/// One policy's text.
pub async fn text(store: impl PgExecutor<'_>, name: &str) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar("select text from leasehold_broker.policies where name = $1")
        .bind(name)
        .fetch_optional(store)
        .await
}

/// Which of these exist, by name, and the marks of their texts.
pub async fn versions(store: impl PgExecutor<'_>, names: &[String]) -> sqlx::Result<Vec<Version>> {
    let rows = sqlx::query(
        "select name, mark from leasehold_broker.policies where name = any($1) order by name",
    )
    .bind(names)
    .fetch_all(store)
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect()
}

/// These policies, whole.
pub async fn rows(store: impl PgExecutor<'_>, names: &[String]) -> sqlx::Result<Vec<PolicyRow>> {
    let rows = sqlx::query(
        "select name, mark, text from leasehold_broker.policies where name = any($1) order by name",
    )
    .bind(names)
    .fetch_all(store)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(PolicyRow {
                name: row.try_get(0)?,
                mark: row.try_get(1)?,
                text: row.try_get(2)?,
            })
        })
        .collect()
}

/// Writes one. Its text has a new mark then, which the store gives.
pub async fn write(store: impl PgExecutor<'_>, name: &str, text: &str) -> sqlx::Result<()> {
    sqlx::query(
        "insert into leasehold_broker.policies (name, text) values ($1, $2) \
         on conflict (name) do update set text = excluded.text, changed_at = now(), \
             revision = nextval('leasehold_broker.policy_revision')",
    )
    .bind(name)
    .bind(text)
    .execute(store)
    .await?;
    Ok(())
}

/// Deletes one, if it is there.
pub async fn delete(store: impl PgExecutor<'_>, name: &str) -> sqlx::Result<()> {
    sqlx::query("delete from leasehold_broker.policies where name = $1")
        .bind(name)
        .execute(store)
        .await?;
    Ok(())
}
