//! Service tokens: looking at them, renewing. Their making is `store::new_tokens`, their ends are `store::owners`; who calls is `store::callers`.
//!
//! Time is the store's: an instant that is compared was read in the statement that compares it.

use serde_json::{Map, Value};
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor, Row};
use time::OffsetDateTime;

use super::line::{lives, token_line};
use crate::logical::TokenRow;

/// Living tokens: neither they nor any token above them have ended or expired. Their rows may be held for the caller's
/// transaction: an end waits for whoever holds a row before it, and whoever waits for an end finds the row ended.
macro_rules! living {
    ($which:literal, $hold:literal) => {
        concat!(
            "with recursive it as materialized ( \
                 select * from leasehold_broker.tokens where ",
            $which,
            " and ended_at is null ",
            $hold,
            "), ",
            token_line!("it"),
            " select token_id, token_hash, accessor, path, policies, meta, display_name, role, bound_cidrs, num_uses, uses_left, \
                    orphan, renewable, creation_ttl_seconds, ttl_seconds, explicit_max_ttl_seconds, period_seconds, issued_at, \
                    expires_at, last_renewed_at, clock_timestamp() as read_at \
               from it where ",
            lives!("it.token_id")
        )
    };
}

/// By keyed hashes: those that live, in any order, each with its hash.
pub async fn by_hashes(
    store: impl PgExecutor<'_>,
    token_hashes: &[Vec<u8>],
) -> sqlx::Result<Vec<(Vec<u8>, TokenRow)>> {
    let rows = sqlx::query(living!("token_hash = any($1)", ""))
        .bind(token_hashes)
        .fetch_all(store)
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("token_hash")?, from_row(row)?)))
        .collect()
}

/// By accessor.
pub async fn by_accessor(
    store: impl PgExecutor<'_>,
    accessor: &str,
) -> sqlx::Result<Option<TokenRow>> {
    let row = sqlx::query(living!("accessor = $1", ""))
        .bind(accessor)
        .fetch_optional(store)
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// Accessors of all living tokens.
pub async fn accessors(store: impl PgExecutor<'_>) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select accessor from leasehold_broker.tokens \
          where ended_at is null and (expires_at is null or expires_at > clock_timestamp()) order by accessor",
    )
    .fetch_all(store)
    .await
}

/// The store's clock.
pub async fn clock(store: impl PgExecutor<'_>) -> sqlx::Result<OffsetDateTime> {
    sqlx::query_scalar("select clock_timestamp()")
        .fetch_one(store)
        .await
}

/// Within a transaction that renews a token: its row, locked, if it lives.
pub async fn lock(store: &mut PgConnection, token_id: i64) -> sqlx::Result<Option<TokenRow>> {
    let row = sqlx::query(living!("token_id = $1", "for no key update"))
        .bind(token_id)
        .fetch_optional(store)
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// Another end of a token.
#[derive(Clone, Copy, Debug)]
pub struct Renewal {
    /// Which.
    pub token_id: i64,
    /// From when on the TTL counts.
    pub renewed_at: OffsetDateTime,
    /// What is granted.
    pub ttl_microseconds: i64,
    /// Whole seconds of it.
    pub ttl_seconds: i64,
    /// How long it may live at all, from its issue, to the microsecond; None = while it is renewed.
    pub hard_stop_microseconds: Option<i64>,
}

/// Gives a token another end.
pub async fn renew(store: impl PgExecutor<'_>, renewal: &Renewal) -> sqlx::Result<()> {
    sqlx::query(
        "update leasehold_broker.tokens \
            set expires_at = least($2 + $3 * interval '1 microsecond', issued_at + $5 * interval '1 microsecond'), \
                ttl_seconds = $4, last_renewed_at = $2, revision = revision + 1 \
          where token_id = $1 and ended_at is null",
    )
    .bind(renewal.token_id)
    .bind(renewal.renewed_at)
    .bind(renewal.ttl_microseconds)
    .bind(renewal.ttl_seconds)
    .bind(renewal.hard_stop_microseconds)
    .execute(store)
    .await?;
    Ok(())
}

/// What [`TokenRow`] names, in any columns.
pub(super) fn from_row(row: &PgRow) -> sqlx::Result<TokenRow> {
    let meta: Option<Json<Map<String, Value>>> = row.try_get("meta")?;
    Ok(TokenRow {
        token_id: row.try_get("token_id")?,
        accessor: row.try_get("accessor")?,
        path: row.try_get("path")?,
        policies: row.try_get("policies")?,
        meta: meta.map(|json| json.0),
        display_name: row.try_get("display_name")?,
        role: row.try_get("role")?,
        bound_cidrs: row.try_get("bound_cidrs")?,
        num_uses: row.try_get("num_uses")?,
        uses_left: row.try_get("uses_left")?,
        orphan: row.try_get("orphan")?,
        renewable: row.try_get("renewable")?,
        creation_ttl_seconds: row.try_get("creation_ttl_seconds")?,
        ttl_seconds: row.try_get("ttl_seconds")?,
        explicit_max_ttl_seconds: row.try_get("explicit_max_ttl_seconds")?,
        period_seconds: row.try_get("period_seconds")?,
        issued_at: row.try_get("issued_at")?,
        expires_at: row.try_get("expires_at")?,
        last_renewed_at: row.try_get("last_renewed_at")?,
        read_at: row.try_get("read_at")?,
    })
}
