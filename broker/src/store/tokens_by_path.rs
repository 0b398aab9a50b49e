//! Tokens as leases: a token's lease id is its request path, `/h`, and the hexadecimal of its hash (contract 6.1).
//! The first root token has none.

use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row};
use time::OffsetDateTime;

/// A token, as a lease lookup shows it.
#[derive(Clone, Debug)]
pub struct TokenLease {
    /// The token.
    pub token_id: i64,
    /// Its request path.
    pub path: String,
    /// By the store's clock.
    pub issued_at: OffsetDateTime,
    /// None = never.
    pub expires_at: Option<OffsetDateTime>,
    /// Whole seconds until then.
    pub left_seconds: Option<i64>,
    /// The latest renewal.
    pub last_renewed_at: Option<OffsetDateTime>,
    /// Whether it can be renewed as a token.
    pub renewable: bool,
}

fn split(lease_id: &str) -> Option<(&str, Vec<u8>)> {
    let (path, hash) = lease_id.rsplit_once("/h")?;
    Some((path, hex::decode(hash).ok()?))
}

/// The token of a lease id.
pub async fn find(store: impl PgExecutor<'_>, lease_id: &str) -> sqlx::Result<Option<TokenLease>> {
    let Some((path, hash)) = split(lease_id) else {
        return Ok(None);
    };
    let row = sqlx::query(
        "select token_id, path, issued_at, expires_at, last_renewed_at, renewable, \
                floor(extract(epoch from expires_at - clock_timestamp()))::bigint as left_seconds \
           from leasehold_broker.tokens \
          where token_hash = $1 and path = $2 and path <> 'auth/token/root' and ended_at is null \
            and (expires_at is null or expires_at > clock_timestamp())",
    )
    .bind(hash)
    .bind(path)
    .fetch_optional(store)
    .await?;
    let read = |row: &PgRow| {
        Ok(TokenLease {
            token_id: row.try_get("token_id")?,
            path: row.try_get("path")?,
            issued_at: row.try_get("issued_at")?,
            expires_at: row.try_get("expires_at")?,
            left_seconds: row.try_get("left_seconds")?,
            last_renewed_at: row.try_get("last_renewed_at")?,
            renewable: row.try_get("renewable")?,
        })
    };
    row.as_ref().map(read).transpose()
}

/// The token of a lease id, by its key.
pub async fn by_lease_id(store: impl PgExecutor<'_>, lease_id: &str) -> sqlx::Result<Option<i64>> {
    Ok(find(store, lease_id).await?.map(|token| token.token_id))
}

/// Tokens whose lease ids are at or below a prefix (without its trailing slash), parents before children.
pub async fn below(store: impl PgExecutor<'_> + Copy, prefix: &str) -> sqlx::Result<Vec<i64>> {
    let mut found: Vec<i64> = sqlx::query_scalar(
        "select token_id from leasehold_broker.tokens \
          where (path = $1 or (path > $1 || '/' and path < $1 || '0')) and path <> 'auth/token/root' and ended_at is null \
          order by token_id",
    )
    .bind(prefix)
    .fetch_all(store)
    .await?;
    found.extend(by_lease_id(store, prefix).await?);
    Ok(found)
}

/// Request paths of living tokens.
pub async fn paths(store: impl PgExecutor<'_>) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select distinct path from leasehold_broker.tokens \
          where ended_at is null and path <> 'auth/token/root' and (expires_at is null or expires_at > clock_timestamp())",
    )
    .fetch_all(store)
    .await
}

/// Hashes of the living tokens of a request path.
pub async fn hashes(store: impl PgExecutor<'_>, path: &str) -> sqlx::Result<Vec<Vec<u8>>> {
    sqlx::query_scalar(
        "select token_hash from leasehold_broker.tokens \
          where path = $1 and ended_at is null and (expires_at is null or expires_at > clock_timestamp())",
    )
    .bind(path)
    .fetch_all(store)
    .await
}
