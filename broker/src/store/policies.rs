//! Policies by name, verbatim.

use sqlx::{PgExecutor, Row};

/// A policy's text with its revision: name and revision name one text for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRow {
    /// Lower-cased name.
    pub name: String,
    /// Unique among all revisions of all policies.
    pub revision: i64,
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

/// Which of these exist, with their revisions.
pub async fn revisions(
    store: impl PgExecutor<'_>,
    names: &[String],
) -> sqlx::Result<Vec<(String, i64)>> {
    let rows = sqlx::query(
        "select name, revision from leasehold_broker.policies where name = any($1) order by name",
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
    let rows = sqlx::query("select name, revision, text from leasehold_broker.policies where name = any($1) order by name")
        .bind(names)
        .fetch_all(store)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(PolicyRow {
                name: row.try_get(0)?,
                revision: row.try_get(1)?,
                text: row.try_get(2)?,
            })
        })
        .collect()
}

/// Writes one.
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
