//! The making of service tokens: those that are asked for at the same moment are made in one statement, with one commit.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::Row;
use sqlx::types::Json;

use super::line::{lives, token_line};
use super::together::together;
use crate::gather::{self, Gather};
use crate::warm::{self, Lent, Warm};

/// How many tokens there can be, one above the other. Whoever asks whether one lives walks them all, and targets hear of all.
pub const DEPTH_MAX: i64 = 100;

/// A token that is to be made.
#[derive(Clone, Debug, Serialize)]
pub struct NewToken {
    /// Keyed hash of the token, as PostgreSQL reads bytes: `\x` and hexadecimal digits.
    pub token_hash: String,
    /// Its handle.
    pub accessor: String,
    /// The token that makes it; while that does not live, nothing is made.
    pub maker_id: i64,
    /// None = an orphan.
    pub parent_id: Option<i64>,
    /// The request path that makes it.
    pub path: String,
    /// Sorted names.
    pub policies: Vec<String>,
    /// As given.
    pub meta: Option<Map<String, Value>>,
    /// What logins are named after.
    pub display_name: String,
    /// The role it is made by.
    pub role: Option<String>,
    /// Addresses it may come from; empty = any.
    pub bound_cidrs: Vec<String>,
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
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// It is there.
    Made,
    /// A living one has that hash.
    Duplicate,
    /// Its maker lives no more.
    Orphaned,
    /// It would stand below [`DEPTH_MAX`] others.
    TooDeep,
}

/// Makes those whose maker lives and could be held, and does not stand too deep; a maker is its tokens' parent, if they have
/// one. What ends a tree ends those above first and looks for children last: whoever holds the maker before that is found, and
/// whoever waits for it finds it ended. In the order of their hashes, so that two who make the same ones do not wait for each
/// other in a circle.
macro_rules! make {
    ($hold:literal) => {
        concat!(
            "with recursive asked as ( \
                 select * from jsonb_to_recordset($1) as a (token_hash bytea, accessor text, maker_id bigint, parent_id bigint, \
                     path text, policies text[], meta jsonb, display_name text, role text, bound_cidrs text[], num_uses integer, \
                     renewable boolean, ttl_microseconds bigint, ttl_seconds bigint, explicit_max_ttl_seconds bigint, \
                     period_seconds bigint)), \
             held as materialized ( \
                 select token_id, parent_id, ended_at, expires_at from leasehold_broker.tokens \
                  where token_id = any($2) and ended_at is null ",
            $hold,
            "), ",
            token_line!("held"),
            ", \
             living as materialized ( \
                 select token_id, (select count(*) from line where line.first_id = held.token_id) as depth from held where ",
            lives!("held.token_id"),
            "), \
             wanted as materialized ( \
                 select a.*, a.parent_id is not null and living.depth >= $3 as too_deep \
                   from asked a join living on living.token_id = a.maker_id), \
             made as ( \
                 insert into leasehold_broker.tokens (token_hash, accessor, parent_id, path, policies, meta, display_name, role, \
                     bound_cidrs, num_uses, uses_left, orphan, renewable, creation_ttl_seconds, ttl_seconds, \
                     explicit_max_ttl_seconds, period_seconds, issued_at, expires_at) \
                 select a.token_hash, a.accessor, a.parent_id, a.path, a.policies, a.meta, a.display_name, a.role, a.bound_cidrs, \
                        a.num_uses, nullif(a.num_uses, 0), a.parent_id is null, a.renewable, a.ttl_seconds, a.ttl_seconds, \
                        a.explicit_max_ttl_seconds, a.period_seconds, now, now + a.ttl_microseconds * interval '1 microsecond' \
                   from wanted a, clock_timestamp() as now \
                  where not a.too_deep \
                  order by a.token_hash \
                 on conflict (token_hash) where ended_at is null do nothing \
                 returning accessor) \
             select a.accessor, made.accessor is not null as made, a.too_deep \
               from wanted a left join made on made.accessor = a.accessor"
        )
    };
}

/// Waits for whoever is changing a maker.
const MAKE: &str = make!("for share");
/// Passes by makers that somebody is changing: waiting with locks on others could run in a circle.
const TRY_MAKE: &str = make!("for share skip locked");

/// Where they come together. One batch at a time: two that hold the same maker `FOR SHARE` at once make PostgreSQL write down
/// who shares it.
pub struct NewTokens {
    store: Warm,
    gather: Arc<Gather<NewToken, Made>>,
}

impl NewTokens {
    /// Through these connections.
    pub fn new(store: Warm) -> Self {
        NewTokens {
            store,
            gather: Gather::new(gather::AT_MOST),
        }
    }

    /// Makes a token, with others if there are any. One whose maker is not there at once is looked at alone, where it can
    /// wait for whoever changes it.
    pub async fn make(&self, token: NewToken) -> sqlx::Result<Made> {
        let all = |store, tokens| make_all(store, TRY_MAKE, tokens);
        if let Some(made) = together(&self.gather, &self.store, token.clone(), all).await {
            return Ok(made);
        }
        let alone = |store| make_all(store, MAKE, vec![token]);
        let made = self.store.lend(warm::WRITTEN_WITHIN, alone).await?;
        Ok(made.into_iter().next().flatten().unwrap_or(Made::Orphaned))
    }
}

/// None: the maker does not live, or is passed by.
async fn make_all(
    mut store: Lent,
    statement: &'static str,
    tokens: Vec<NewToken>,
) -> sqlx::Result<Vec<Option<Made>>> {
    let mut makers: Vec<i64> = tokens.iter().map(|token| token.maker_id).collect();
    makers.sort_unstable();
    makers.dedup();
    let rows = sqlx::query(statement)
        .bind(Json(&tokens))
        .bind(makers)
        .bind(DEPTH_MAX)
        .fetch_all(&mut *store)
        .await?;
    store.keep();
    let mut made = std::collections::HashMap::with_capacity(rows.len());
    for row in &rows {
        let of = match (row.try_get("made")?, row.try_get("too_deep")?) {
            (true, _) => Made::Made,
            (false, true) => Made::TooDeep,
            (false, false) => Made::Duplicate,
        };
        made.insert(row.try_get::<String, _>("accessor")?, of);
    }
    Ok(tokens
        .iter()
        .map(|token| made.get(&token.accessor).copied())
        .collect())
}
