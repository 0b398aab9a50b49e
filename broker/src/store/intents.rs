//! Intents: what is written down of a lease before its target is asked, one alone or many in one statement.

use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row};
use uuid::Uuid;

use super::callers::caller_mark;
use super::line::{owner_chain, owner_line, token_line};
use crate::target::Owner;

/// What an intent says before the target is asked.
#[derive(Clone, Debug)]
pub struct Intent {
    /// The full request path and 24 characters.
    pub lease_id: String,
    /// The mount, which must be active.
    pub mount_id: Uuid,
    /// Below the mount.
    pub path: String,
    /// The configuration, which must be live and unchanged.
    pub config_id: Uuid,
    /// Its revision as read.
    pub config_revision: i64,
    /// Its target as read.
    pub target_id: Uuid,
    /// The role, which must be unchanged.
    pub role: String,
    /// Its revision as read.
    pub role_revision: i64,
    /// Name of the recipe on the target.
    pub recipe: String,
    /// Name of the login.
    pub login: String,
    /// The token, or a batch token's parent, which must live; None = an orphan batch token's.
    pub token_id: Option<i64>,
    /// Seconds granted.
    pub ttl_seconds: i64,
    /// Ceiling in seconds.
    pub max_ttl_seconds: i64,
    /// A batch token's own end, microseconds since the epoch.
    pub cap_at_us: Option<i64>,
    /// The mark of the caller it was decided on ([`super::callers`]), if that was not read in this request.
    pub mark: Option<String>,
}

/// How the recording of an intent ended.
pub enum Recorded {
    /// It stands. The token and those above it, as the target must know them; what is left of a batch token.
    Placed {
        /// Chain of owners, the token first.
        owners: Vec<Owner>,
        /// Microseconds a batch token has left.
        cap_microseconds: Option<i64>,
    },
    /// The token has ended meanwhile.
    TokenEnded,
    /// Mount, role or configuration has changed or gone since it was read, or the caller's mark.
    Stale,
}

/// The statement that writes one intent down; what it builds on is held in place. What targets are told of the token is what
/// its held row says: it may have been renewed while it was waited for.
macro_rules! record {
    ($hold:literal) => {
        concat!(
            "\
with recursive token as (
    select token_id, policies, parent_id, ended_at, expires_at, accessor, revision from leasehold_broker.tokens
     where token_id = $11 and ended_at is null and (expires_at is null or expires_at > clock_timestamp()) ",
            $hold,
            "
), ",
            owner_line!("token"),
            ", ",
            owner_chain!("", ""),
            ", base as (
    select m.mount_id, r.name as role, c.config_id
      from leasehold_broker.mounts m, leasehold_broker.database_roles r, leasehold_broker.database_configs c
     where m.mount_id = $2 and m.state = 'active'
       and r.mount_id = $2 and r.name = $7 and r.revision = $8
       and c.config_id = $4 and c.revision = $5 and c.state = 'live' and c.target_id = $6 ",
            $hold,
            "
), alive as materialized (
    select ($11::bigint is null or exists (select from token))
       and not (select dead from chain)
       and ($14::bigint is null or $14 > extract(epoch from clock_timestamp()) * 1000000) as it
), proof as (
    select $15::text is null or $15 = (select ",
            caller_mark!("token"),
            " from token) as it
), placed as (
    insert into leasehold_broker.leases
        (lease_id, mount_id, path, config_id, target_id, role, recipe, login, token_id, ttl_seconds, max_ttl_seconds,
         cap_seconds, issued_at, expires_at)
    select $1, base.mount_id, $3, base.config_id, $6, base.role, $9, $10, $11, $12, $13,
           ceil($14 / 1000000.0 - extract(epoch from clock_timestamp()))::bigint, clock_timestamp(),
           clock_timestamp() + $12 * interval '1 second'
      from base, alive, proof where alive.it and proof.it
    returning lease_id, target_id
), noted as (
    insert into leasehold_broker.intents (lease_id, target_id) select lease_id, target_id from placed
)
select alive.it as alive, exists (select from placed) as placed, chain.accessors, chain.ttls, chain.revisions,
       ($14 - extract(epoch from clock_timestamp()) * 1000000)::bigint as cap
  from alive, chain"
        )
    };
}
/// Waits for whoever is changing what the intent builds on.
const RECORD: &str = record!("for share");
/// Finds nothing where somebody is changing it.
const TRY_RECORD: &str = record!("for share skip locked");

/// Writes an intent down, if everything it builds on still stands; holds all of that in place until it is committed.
pub async fn record(store: impl PgExecutor<'_>, intent: &Intent) -> sqlx::Result<Recorded> {
    write(store, RECORD, intent).await
}

/// The same, waiting for nobody. None: it does not stand, or can not be written without waiting.
pub async fn try_record(
    store: impl PgExecutor<'_>,
    intent: &Intent,
) -> sqlx::Result<Option<Recorded>> {
    let recorded = write(store, TRY_RECORD, intent).await?;
    Ok(Some(recorded).filter(|recorded| matches!(recorded, Recorded::Placed { .. })))
}

async fn write(
    store: impl PgExecutor<'_>,
    statement: &'static str,
    intent: &Intent,
) -> sqlx::Result<Recorded> {
    let row = sqlx::query(statement)
        .bind(&intent.lease_id)
        .bind(intent.mount_id)
        .bind(&intent.path)
        .bind(intent.config_id)
        .bind(intent.config_revision)
        .bind(intent.target_id)
        .bind(&intent.role)
        .bind(intent.role_revision)
        .bind(&intent.recipe)
        .bind(&intent.login)
        .bind(intent.token_id)
        .bind(intent.ttl_seconds)
        .bind(intent.max_ttl_seconds)
        .bind(intent.cap_at_us)
        .bind(&intent.mark)
        .fetch_one(store)
        .await?;
    if !row.try_get::<bool, _>("alive")? {
        return Ok(Recorded::TokenEnded);
    }
    if !row.try_get::<bool, _>("placed")? {
        return Ok(Recorded::Stale);
    }
    placed(&row)
}

/// What the target must know of the token of an intent that stands.
fn placed(row: &PgRow) -> sqlx::Result<Recorded> {
    Ok(Recorded::Placed {
        owners: owners(row)?,
        cap_microseconds: row.try_get("cap")?,
    })
}

/// The owners of a `chain`, the token first.
fn owners(row: &PgRow) -> sqlx::Result<Vec<Owner>> {
    let accessors: Option<Vec<String>> = row.try_get("accessors")?;
    let ttls: Option<Vec<Option<i64>>> = row.try_get("ttls")?;
    let revisions: Option<Vec<i64>> = row.try_get("revisions")?;
    let owners = accessors
        .into_iter()
        .flatten()
        .zip(ttls.into_iter().flatten())
        .zip(revisions.into_iter().flatten())
        .map(|((accessor, ttl_microseconds), revision)| Owner {
            accessor,
            ttl_microseconds,
            revision,
        });
    Ok(owners.collect())
}

/// The chain of owners of a token as it is now; None if it no longer lives.
pub async fn owner_chain(
    store: impl PgExecutor<'_>,
    token_id: i64,
) -> sqlx::Result<Option<Vec<Owner>>> {
    let row = sqlx::query(concat!(
        "with recursive ",
        owner_line!("leasehold_broker.tokens where token_id = $1"),
        ", ",
        owner_chain!("", ""),
        " select dead, accessors, ttls, revisions from chain"
    ))
    .bind(token_id)
    .fetch_one(store)
    .await?;
    if row.try_get("dead")? {
        return Ok(None);
    }
    Ok(Some(owners(&row)?).filter(|owners| !owners.is_empty()))
}

/// As the statement for one that waits for nobody; each stands or not by itself. Waiting for rows that somebody is changing,
/// with locks on other callers' rows, could run in a circle.
const RECORD_ALL: &str = concat!(
    "\
with recursive asked as (
    select * from unnest($1::text[], $2::uuid[], $3::text[], $4::uuid[], $5::bigint[], $6::uuid[], $7::text[], $8::bigint[],
                         $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[],
                         $15::text[])
        with ordinality as a (lease_id, mount_id, path, config_id, config_revision, target_id, role, role_revision, recipe,
                              login, token_id, ttl_seconds, max_ttl_seconds, cap_at_us, mark, ordinal)
), token as materialized (
    select t.token_id, t.policies, t.parent_id, t.ended_at, t.expires_at, t.accessor, t.revision
      from leasehold_broker.tokens t
     where t.token_id = any($11::bigint[]) and t.ended_at is null and (t.expires_at is null or t.expires_at > clock_timestamp())
       for share skip locked
), mount as materialized (
    select m.mount_id from leasehold_broker.mounts m
     where m.mount_id = any($2::uuid[]) and m.state = 'active' for share skip locked
), role as materialized (
    select r.mount_id, r.name, r.revision from leasehold_broker.database_roles r
     where r.mount_id = any($2::uuid[]) and r.name = any($7::text[]) for share skip locked
), config as materialized (
    select c.config_id, c.revision, c.target_id from leasehold_broker.database_configs c
     where c.config_id = any($4::uuid[]) and c.state = 'live' for share skip locked
), ",
    owner_line!("token"),
    ", ",
    owner_chain!("first_id, ", "group by first_id"),
    ", proof as materialized (
    select token.token_id, ",
    caller_mark!("token"),
    " as mark from token
), placed as (
    insert into leasehold_broker.leases
        (lease_id, mount_id, path, config_id, target_id, role, recipe, login, token_id, ttl_seconds, max_ttl_seconds,
         cap_seconds, issued_at, expires_at)
    select a.lease_id, a.mount_id, a.path, a.config_id, a.target_id, a.role, a.recipe, a.login, a.token_id, a.ttl_seconds,
           a.max_ttl_seconds, ceil(a.cap_at_us / 1000000.0 - extract(epoch from clock_timestamp()))::bigint,
           clock_timestamp(), clock_timestamp() + a.ttl_seconds * interval '1 second'
      from asked a
      join mount on mount.mount_id = a.mount_id
      join role on role.mount_id = a.mount_id and role.name = a.role and role.revision = a.role_revision
      join config on config.config_id = a.config_id and config.revision = a.config_revision and config.target_id = a.target_id
      left join token on token.token_id = a.token_id
      left join proof on proof.token_id = a.token_id
      left join chain on chain.first_id = a.token_id
     where (a.mark is null or a.mark = proof.mark)
       and (a.token_id is null or (token.token_id is not null and not chain.dead))
       and (a.cap_at_us is null or a.cap_at_us > extract(epoch from clock_timestamp()) * 1000000)
    returning lease_id, target_id
), noted as (
    insert into leasehold_broker.intents (lease_id, target_id) select lease_id, target_id from placed
)
select a.ordinal, chain.accessors, chain.ttls, chain.revisions,
       (a.cap_at_us - extract(epoch from clock_timestamp()) * 1000000)::bigint as cap
  from asked a join placed on placed.lease_id = a.lease_id left join chain on chain.first_id = a.token_id"
);

/// Writes down those that stand; None for the others.
pub async fn record_all(
    store: impl PgExecutor<'_>,
    intents: &[Intent],
) -> sqlx::Result<Vec<Option<Recorded>>> {
    let texts = |of: fn(&Intent) -> &str| intents.iter().map(of).collect::<Vec<&str>>();
    let numbers = |of: fn(&Intent) -> i64| intents.iter().map(of).collect::<Vec<i64>>();
    let ids = |of: fn(&Intent) -> Uuid| intents.iter().map(of).collect::<Vec<_>>();
    let maybe = |of: fn(&Intent) -> Option<i64>| intents.iter().map(of).collect::<Vec<_>>();
    let rows = sqlx::query(RECORD_ALL)
        .bind(texts(|i| &i.lease_id))
        .bind(ids(|i| i.mount_id))
        .bind(texts(|i| &i.path))
        .bind(ids(|i| i.config_id))
        .bind(numbers(|i| i.config_revision))
        .bind(ids(|i| i.target_id))
        .bind(texts(|i| &i.role))
        .bind(numbers(|i| i.role_revision))
        .bind(texts(|i| &i.recipe))
        .bind(texts(|i| &i.login))
        .bind(maybe(|i| i.token_id))
        .bind(numbers(|i| i.ttl_seconds))
        .bind(numbers(|i| i.max_ttl_seconds))
        .bind(maybe(|i| i.cap_at_us))
        .bind(
            intents
                .iter()
                .map(|i| i.mark.as_deref())
                .collect::<Vec<Option<&str>>>(),
        )
        .fetch_all(store)
        .await?;
    let mut recorded: Vec<Option<Recorded>> = intents.iter().map(|_| None).collect();
    for row in &rows {
        let at = usize::try_from(row.try_get::<i64, _>("ordinal")? - 1).unwrap_or(usize::MAX);
        if let Some(place) = recorded.get_mut(at) {
            *place = Some(placed(row)?);
        }
    }
    Ok(recorded)
}
