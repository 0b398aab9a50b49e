//! Who a token is, at the moment of a request. The making and ending of tokens is `store::tokens`.

use std::net::IpAddr;
use std::sync::Arc;

use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, PgPool, Row};
use time::OffsetDateTime;
use uuid::Uuid;

use super::line::{lives, token_line};
use super::policies::Version;
use super::tokens;
use crate::cidr;
use crate::logical::{BatchClaims, TokenIdentity, TokenRow};

/// The mark of all that decides what a token may, but for its life: which token it is, where paths lead, and its policies,
/// whose marks are never used twice. The accessor says which: a store that was restored gives numbers once more. An expression
/// over a row that has the token's `accessor` and `policies`; [`Found::mark`] is the same text.
macro_rules! caller_mark {
    ($token:literal) => {
        concat!(
            "concat_ws(' ', ",
            $token,
            ".accessor, (select m.revision from leasehold_broker.mount_revision m), \
             (select string_agg(p.mark::text, ' ' order by p.mark) \
                from leasehold_broker.policies p where p.name = any(",
            $token,
            ".policies)))"
        )
    };
}
pub(super) use caller_mark;

/// A token that is said to ask, and the mark that is said to be its.
pub type Claim = (i64, String);

/// A live token, with what the pipeline must still look at.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its policies that exist, by name, as read with it; None: not read.
    pub versions: Option<Vec<Version>>,
    /// Who.
    pub identity: TokenIdentity,
    /// Addresses it may come from; empty = any.
    pub bound_cidrs: Vec<String>,
    /// All of it, shared with who remembers it; batch tokens have no row.
    pub row: Option<Arc<TokenRow>>,
}

impl Found {
    /// The mark it was read under, where the table of mounts had this one. None: its policies were not read.
    pub fn mark(&self, mounts: Uuid) -> Option<String> {
        let mut marks: Vec<Uuid> = self
            .versions
            .as_ref()?
            .iter()
            .map(|(_, mark)| *mark)
            .collect();
        marks.sort_unstable();
        let mut whole = format!("{} {mounts}", self.identity.accessor);
        for mark in marks {
            whole.push_str(&format!(" {mark}"));
        }
        Some(whole)
    }

    /// Whether an address is one it may come from.
    pub fn may_come_from(&self, address: Option<IpAddr>) -> bool {
        self.bound_cidrs.is_empty()
            || address.is_some_and(|address| cidr::any_contains(&self.bound_cidrs, address))
    }
}

/// A token lives while neither it nor any token above it has ended or expired. With it come the versions of its policies,
/// and the mark of the table of mounts as it is in the same moment, even where no token is found.
const SERVICES: &str = concat!(
    "\
with recursive asked as materialized (
    select t.* from unnest($1::bytea[]) as a (token_hash) cross join lateral (
        select * from leasehold_broker.tokens t where t.token_hash = a.token_hash and t.ended_at is null offset 0) t
), ",
    token_line!("asked"),
    "
select m.revision as mounts, t.*, t.wrapping is not null as is_wrapping, clock_timestamp() as read_at,
       ceil(extract(epoch from t.expires_at - clock_timestamp()))::bigint as left_seconds,
       known.names, known.marks
  from leasehold_broker.mount_revision m
  left join asked t
    on (t.uses_left is null or t.uses_left > 0)
   and ",
    lives!("t.token_id"),
    "
  left join lateral (
    select array_agg(p.name) as names, array_agg(p.mark) as marks
      from leasehold_broker.policies p where p.name = any(t.policies)) known on true"
);

/// A token ends with the request that has its last use; if that one is lost, in a minute.
const USE: &str = "\
update leasehold_broker.tokens
   set uses_left = uses_left - 1,
       expires_at = case when uses_left = 1 then least(expires_at, clock_timestamp() + interval '1 minute') else expires_at end
 where token_id = $1 and ended_at is null and uses_left > 0 returning uses_left";

const BATCH: &str = concat!(
    "\
with recursive ",
    token_line!(
        "leasehold_broker.tokens where token_id = $2 and ($3::text is null or accessor = $3)"
    ),
    "
select $1 > clock_timestamp()
   and ($2::bigint is null or exists (select from line))
   and ",
    lives!("$2"),
    " as alive,
   ceil(extract(epoch from $1 - clock_timestamp()))::bigint as ttl_seconds"
);

/// The mark of the table of mounts, and those of these tokens that live, in any order; their hash says which.
pub async fn services(
    store: impl PgExecutor<'_>,
    token_hashes: &[Vec<u8>],
) -> sqlx::Result<(Uuid, Vec<Found>)> {
    let rows = sqlx::query(SERVICES)
        .bind(token_hashes)
        .fetch_all(store)
        .await?;
    let mounts = rows
        .first()
        .map_or(Ok(Uuid::nil()), |row| row.try_get("mounts"))?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        if row.try_get::<Option<i64>, _>("token_id")?.is_some() {
            let names: Option<Vec<String>> = row.try_get("names")?;
            let marks: Option<Vec<Uuid>> = row.try_get("marks")?;
            let known = names.unwrap_or_default().into_iter();
            let mut known: Vec<Version> = known.zip(marks.unwrap_or_default()).collect();
            known.sort_unstable();
            found.push(Found {
                versions: Some(known),
                ..from_row(row)?
            });
        }
    }
    Ok((mounts, found))
}

/// Takes one use of a token with a limited number of them; what is left then. None: none was left.
pub async fn count_use(store: impl PgExecutor<'_>, token_id: i64) -> sqlx::Result<Option<i32>> {
    sqlx::query_scalar(USE)
        .bind(token_id)
        .fetch_optional(store)
        .await
}

/// Looks whether a batch token with these claims still lives.
pub async fn batch(store: &PgPool, claims: BatchClaims) -> sqlx::Result<Option<Found>> {
    let Ok(expires_at) =
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(claims.expires_at_us) * 1_000)
    else {
        return Ok(None);
    };
    let row = sqlx::query(BATCH)
        .bind(expires_at)
        .bind(claims.parent_id)
        .bind(claims.parent_accessor)
        .fetch_one(store)
        .await?;
    if !row.try_get::<bool, _>("alive")? {
        return Ok(None);
    }
    Ok(Some(Found {
        versions: None,
        identity: TokenIdentity {
            token_id: claims.parent_id,
            token_hash: Vec::new(),
            accessor: String::new(),
            policies: claims.policies,
            display_name: claims.display_name,
            batch: true,
            batch_expires_at_us: Some(claims.expires_at_us),
            uses_left: None,
            path: claims.path,
            ttl_seconds: row.try_get("ttl_seconds")?,
            wrapping: false,
        },
        bound_cidrs: claims.bound_cidrs,
        row: None,
    }))
}

fn from_row(row: &PgRow) -> sqlx::Result<Found> {
    let token = tokens::from_row(row)?;
    Ok(Found {
        versions: None,
        identity: TokenIdentity {
            token_id: Some(token.token_id),
            token_hash: row.try_get("token_hash")?,
            accessor: token.accessor.clone(),
            policies: token.policies.clone(),
            display_name: token.display_name.clone(),
            batch: false,
            batch_expires_at_us: None,
            uses_left: token.uses_left,
            path: token.path.clone(),
            ttl_seconds: row.try_get("left_seconds")?,
            wrapping: row.try_get("is_wrapping")?,
        },
        bound_cidrs: token.bound_cidrs.clone(),
        row: Some(Arc::new(token)),
    })
}
