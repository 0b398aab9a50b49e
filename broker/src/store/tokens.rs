//! Service tokens: making, looking at, renewing. Their ends are `store::owners`; who calls is `store::callers`.
//!
//! Time is the store's: an instant that is compared was read in the statement that compares it.

use serde_json::{Map, Value};
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor, Row};
use time::OffsetDateTime;

/// A token that is to be made.
#[derive(Clone, Debug, Default)]
pub struct NewToken<'a> {
    /// Keyed hash of the token.
    pub token_hash: &'a [u8],
    /// Its handle.
    pub accessor: &'a str,
    /// None = an orphan.
    pub parent_id: Option<i64>,
    /// The request path that makes it.
    pub path: &'a str,
    /// Sorted names.
    pub policies: &'a [String],
    /// As given.
    pub meta: Option<&'a Map<String, Value>>,
    /// What logins are named after.
    pub display_name: &'a str,
    /// The role it is made by.
    pub role: Option<&'a str>,
    /// Addresses it may come from; empty = any.
    pub bound_cidrs: &'a [String],
    /// Uses granted; 0 = unlimited.
    pub num_uses: i32,
    /// Whether renewals are accepted.
    pub renewable: bool,
    /// Its life; None = no end (root only).
    pub ttl_microseconds: Option<i64>,
    /// Whole seconds of it.
    pub ttl_seconds: i64,
    /// As given at creation; 0 = none.
    pub explicit_max_ttl_seconds: i64,
    /// As given at creation; 0 = none.
    pub period_seconds: i64,
    /// A wrapping token's creation path, TTL and what it wraps.
    pub wrapping: Option<&'a Value>,
}

/// A living token.
#[derive(Clone, Debug)]
pub struct TokenRow {
    /// Primary key.
    pub token_id: i64,
    /// Its handle.
    pub accessor: String,
    /// The request path that made it.
    pub path: String,
    /// Sorted names.
    pub policies: Vec<String>,
    /// As given.
    pub meta: Option<Map<String, Value>>,
    /// What logins are named after.
    pub display_name: String,
    /// The role it was made by.
    pub role: Option<String>,
    /// Addresses it may come from; empty = any.
    pub bound_cidrs: Vec<String>,
    /// Uses granted; 0 = unlimited.
    pub num_uses: i32,
    /// Uses left; None = unlimited.
    pub uses_left: Option<i32>,
    /// Has no parent.
    pub orphan: bool,
    /// Whether renewals are accepted.
    pub renewable: bool,
    /// Whole seconds granted at creation.
    pub creation_ttl_seconds: i64,
    /// Whole seconds last granted.
    pub ttl_seconds: i64,
    /// As given at creation; 0 = none.
    pub explicit_max_ttl_seconds: i64,
    /// As given at creation; 0 = none.
    pub period_seconds: i64,
    /// When it was made.
    pub issued_at: OffsetDateTime,
    /// None = never.
    pub expires_at: Option<OffsetDateTime>,
    /// The latest renewal.
    pub last_renewed_at: Option<OffsetDateTime>,
    /// The store's clock when this was read.
    pub read_at: OffsetDateTime,
}

/// A living token: neither it nor any token above it has ended or expired. Its row may be held for the caller's transaction.
/// What ends a tree ends those above first and looks for children last: whoever holds the row before that is found, and
/// whoever waits for it finds it ended.
macro_rules! living {
    ($which:literal, $hold:literal) => {
        concat!(
            "with recursive it as materialized ( \
                 select * from leasehold_broker.tokens where ",
            $which,
            " and ended_at is null ",
            $hold,
            "), \
             line as ( \
                 select token_id, parent_id, ended_at, expires_at from it \
                 union all \
                 select above.token_id, above.parent_id, above.ended_at, above.expires_at \
                   from leasehold_broker.tokens above join line on above.token_id = line.parent_id) \
             select token_id, accessor, path, policies, meta, display_name, role, bound_cidrs, num_uses, uses_left, orphan, \
                    renewable, creation_ttl_seconds, ttl_seconds, explicit_max_ttl_seconds, period_seconds, issued_at, \
                    expires_at, last_renewed_at, clock_timestamp() as read_at \
               from it where not exists (select from line where ended_at is not null or expires_at <= clock_timestamp())"
        )
    };
}

/// By keyed hash.
pub async fn by_hash(
    store: impl PgExecutor<'_>,
    token_hash: &[u8],
) -> sqlx::Result<Option<TokenRow>> {
    let row = sqlx::query(living!("token_hash = $1", ""))
        .bind(token_hash)
        .fetch_optional(store)
        .await?;
    row.as_ref().map(from_row).transpose()
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

/// Within a transaction that makes something under a token: holds its row, so that its end waits, and reads it.
/// None: it lives no more, and nothing may be made under it.
pub async fn hold(store: &mut PgConnection, token_id: i64) -> sqlx::Result<Option<TokenRow>> {
    let row = sqlx::query(living!("token_id = $1", "for share"))
        .bind(token_id)
        .fetch_optional(store)
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// The store's clock.
pub async fn clock(store: impl PgExecutor<'_>) -> sqlx::Result<OffsetDateTime> {
    sqlx::query_scalar("select clock_timestamp()")
        .fetch_one(store)
        .await
}

/// Makes a token. None: a living one has that hash.
pub async fn insert(
    store: impl PgExecutor<'_>,
    token: &NewToken<'_>,
) -> sqlx::Result<Option<(i64, OffsetDateTime)>> {
    let row = sqlx::query(
        "insert into leasehold_broker.tokens (token_hash, accessor, parent_id, path, policies, meta, display_name, role, \
             bound_cidrs, num_uses, uses_left, orphan, renewable, creation_ttl_seconds, ttl_seconds, \
             explicit_max_ttl_seconds, period_seconds, issued_at, expires_at, wrapping) \
         select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, nullif($10, 0), $3 is null, $11, $12, $12, $13, $14, now, \
                now + $15 * interval '1 microsecond', $16 \
           from clock_timestamp() as now \
         on conflict (token_hash) where ended_at is null do nothing \
         returning token_id, issued_at",
    )
    .bind(token.token_hash)
    .bind(token.accessor)
    .bind(token.parent_id)
    .bind(token.path)
    .bind(token.policies)
    .bind(token.meta.map(Json))
    .bind(token.display_name)
    .bind(token.role)
    .bind(token.bound_cidrs)
    .bind(token.num_uses)
    .bind(token.renewable)
    .bind(token.ttl_seconds)
    .bind(token.explicit_max_ttl_seconds)
    .bind(token.period_seconds)
    .bind(token.ttl_microseconds)
    .bind(token.wrapping.map(Json))
    .fetch_optional(store)
    .await?;
    row.map(|row| Ok((row.try_get("token_id")?, row.try_get("issued_at")?)))
        .transpose()
}

/// Within a transaction that renews a token: its row, locked, if it lives.
pub async fn lock(store: &mut PgConnection, token_id: i64) -> sqlx::Result<Option<TokenRow>> {
    let row = sqlx::query(living!("token_id = $1", "for no key update"))
        .bind(token_id)
        .fetch_optional(store)
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// Gives a token another end, counted from `renewed_at`.
pub async fn renew(
    store: impl PgExecutor<'_>,
    token_id: i64,
    renewed_at: OffsetDateTime,
    ttl_microseconds: i64,
    ttl_seconds: i64,
) -> sqlx::Result<()> {
    sqlx::query(
        "update leasehold_broker.tokens \
            set expires_at = $2 + $3 * interval '1 microsecond', ttl_seconds = $4, last_renewed_at = $2, revision = revision + 1 \
          where token_id = $1 and ended_at is null",
    )
    .bind(token_id)
    .bind(renewed_at)
    .bind(ttl_microseconds)
    .bind(ttl_seconds)
    .execute(store)
    .await?;
    Ok(())
}

fn from_row(row: &PgRow) -> sqlx::Result<TokenRow> {
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
