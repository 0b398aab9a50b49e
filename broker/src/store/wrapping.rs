//! Wrapping tokens: rows of `tokens` for one use, with what they wrap as their cubbyhole.

use serde_json::{Value, json};
use sqlx::{PgConnection, PgExecutor, Row};
use time::OffsetDateTime;

use crate::policy::RESPONSE_WRAPPING;

/// A new wrapping token.
#[derive(Debug)]
pub struct NewWrapping<'w> {
    /// Keyed hash.
    pub token_hash: &'w [u8],
    /// Accessor.
    pub accessor: &'w str,
    /// Path of the request that was wrapped.
    pub creation_path: &'w str,
    /// Its lifetime in microseconds.
    pub ttl_us: i64,
    /// Its lifetime as it is shown.
    pub ttl_seconds: i64,
}

/// A live wrapping token that has not been used.
#[derive(Debug)]
pub struct WrappingRow {
    /// Primary key.
    pub token_id: i64,
    /// Path of the request that was wrapped.
    pub creation_path: String,
    /// Seconds, as granted.
    pub ttl_seconds: i64,
    /// When it was made.
    pub issued_at: OffsetDateTime,
}

/// Adds one; its id and its birth.
pub async fn insert(
    store: &mut PgConnection,
    new: &NewWrapping<'_>,
) -> sqlx::Result<(i64, OffsetDateTime)> {
    let row = sqlx::query(
        "insert into leasehold_broker.tokens (token_hash, accessor, path, policies, num_uses, uses_left, orphan, renewable, \
             creation_ttl_seconds, ttl_seconds, explicit_max_ttl_seconds, issued_at, expires_at, wrapping) \
         select $1, $2, $3, array[$4], 1, 1, true, false, $5, $5, $5, now, now + $6 * interval '1 microsecond', $7 \
           from clock_timestamp() as now \
         returning token_id, issued_at",
    )
    .bind(new.token_hash)
    .bind(new.accessor)
    .bind(new.creation_path)
    .bind(RESPONSE_WRAPPING)
    .bind(new.ttl_seconds)
    .bind(new.ttl_us)
    .bind(json!({ "creation_path": new.creation_path, "ttl_seconds": new.ttl_seconds }))
    .fetch_one(store)
    .await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// A wrapping token that can still be used.
pub async fn by_hash(
    store: impl PgExecutor<'_>,
    token_hash: &[u8],
) -> sqlx::Result<Option<WrappingRow>> {
    let row = sqlx::query(
        "select token_id, wrapping, issued_at from leasehold_broker.tokens \
         where token_hash = $1 and wrapping is not null and uses_left > 0 and ended_at is null and expires_at > clock_timestamp()",
    )
    .bind(token_hash)
    .fetch_optional(store)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let wrapping: Value = row.try_get(1)?;
    Ok(Some(WrappingRow {
        token_id: row.try_get(0)?,
        creation_path: wrapping["creation_path"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        ttl_seconds: wrapping["ttl_seconds"].as_i64().unwrap_or_default(),
        issued_at: row.try_get(2)?,
    }))
}
