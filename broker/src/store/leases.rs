//! The index of leases: which token, mount and target a lease id belongs to. The lease itself is on its target.

use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row};
use time::OffsetDateTime;
use uuid::Uuid;

use super::callers::caller_mark;
use super::outbox::{self, OutboxRow};
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

/// The statement that writes one intent down; what it builds on is held in place.
macro_rules! record {
    ($hold:literal) => {
        concat!(
            "\
with recursive token as (
    select token_id, policies from leasehold_broker.tokens
     where token_id = $11 and ended_at is null and (expires_at is null or expires_at > clock_timestamp()) ",
            $hold,
            "
), line as (
    select token_id, parent_id, accessor, revision, expires_at, ended_at, 1 as depth
      from leasehold_broker.tokens where token_id = $11
    union all
    select t.token_id, t.parent_id, t.accessor, t.revision, t.expires_at, t.ended_at, line.depth + 1
      from line cross join lateral (select * from leasehold_broker.tokens a where a.token_id = line.parent_id offset 0) t
), chain as materialized (
    select coalesce(bool_or(ended_at is not null or expires_at <= clock_timestamp()), false) as dead,
           array_agg(accessor order by depth) as accessors,
           array_agg((extract(epoch from expires_at - clock_timestamp()) * 1000000)::bigint order by depth) as ttls,
           array_agg(revision order by depth) as revisions
      from line
), base as (
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
         cap_seconds, expires_at)
    select $1, base.mount_id, $3, base.config_id, $6, base.role, $9, $10, $11, $12, $13,
           ceil($14 / 1000000.0 - extract(epoch from clock_timestamp()))::bigint,
           clock_timestamp() + $12 * interval '1 second'
      from base, alive, proof where alive.it and proof.it
    returning lease_id
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
pub(super) fn placed(row: &PgRow) -> sqlx::Result<Recorded> {
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
        })
        .collect();
    Ok(Recorded::Placed {
        owners,
        cap_microseconds: row.try_get("cap")?,
    })
}

/// The chain of owners of a token as it is now; None if it no longer lives.
pub async fn owners(store: impl PgExecutor<'_>, token_id: i64) -> sqlx::Result<Option<Vec<Owner>>> {
    let rows = sqlx::query(
        "with recursive line as ( \
             select token_id, parent_id, accessor, revision, expires_at, ended_at, 1 as depth \
               from leasehold_broker.tokens where token_id = $1 \
             union all \
             select t.token_id, t.parent_id, t.accessor, t.revision, t.expires_at, t.ended_at, line.depth + 1 \
               from line cross join lateral (select * from leasehold_broker.tokens a where a.token_id = line.parent_id offset 0) t) \
         select accessor, (extract(epoch from expires_at - clock_timestamp()) * 1000000)::bigint as ttl, revision, \
                ended_at is not null or coalesce(expires_at <= clock_timestamp(), false) as dead \
           from line order by depth",
    )
    .bind(token_id)
    .fetch_all(store)
    .await?;
    let mut owners = Vec::with_capacity(rows.len());
    for row in &rows {
        if row.try_get("dead")? {
            return Ok(None);
        }
        owners.push(Owner {
            accessor: row.try_get("accessor")?,
            ttl_microseconds: row.try_get("ttl")?,
            revision: row.try_get("revision")?,
        });
    }
    Ok(Some(owners).filter(|owners| !owners.is_empty()))
}

/// A lease as the store knows it.
#[derive(Clone, Debug)]
pub struct LeaseRow {
    /// Full lease id.
    pub lease_id: String,
    /// Its mount.
    pub mount_id: Uuid,
    /// Full path of the request that made it.
    pub path: String,
    /// Where it lives.
    pub target_id: Uuid,
    /// Role of the API.
    pub role: String,
    /// The answer of the target has not been written down yet.
    pub is_intent: bool,
    /// By the store's clock.
    pub issued_at: OffsetDateTime,
    /// Whole seconds since then.
    pub age_seconds: i64,
    /// By the store's clock.
    pub expires_at: OffsetDateTime,
    /// Whole seconds until then, rounded down.
    pub left_seconds: i64,
    /// The latest renewal.
    pub last_renewed_at: Option<OffsetDateTime>,
    /// Its end has been asked for and accepted.
    pub is_ending: bool,
}

fn lease(row: &PgRow) -> sqlx::Result<LeaseRow> {
    Ok(LeaseRow {
        lease_id: row.try_get("lease_id")?,
        mount_id: row.try_get("mount_id")?,
        path: row.try_get("full_path")?,
        target_id: row.try_get("target_id")?,
        role: row.try_get("role")?,
        is_intent: row.try_get("is_intent")?,
        issued_at: row.try_get("issued_at")?,
        age_seconds: row.try_get("age_seconds")?,
        expires_at: row.try_get("expires_at")?,
        left_seconds: row.try_get("left_seconds")?,
        last_renewed_at: row.try_get("last_renewed_at")?,
        is_ending: row.try_get("is_ending")?,
    })
}

macro_rules! find {
    ($columns:literal, $joins:literal) => {
        concat!(
            "\
select l.lease_id, l.mount_id, m.path || l.path as full_path, l.target_id, l.role, l.state = 'intent' as is_intent,
       l.issued_at, floor(extract(epoch from clock_timestamp() - l.issued_at))::bigint as age_seconds, l.expires_at,
       floor(extract(epoch from l.expires_at - clock_timestamp()))::bigint as left_seconds,
       l.last_renewed_at, l.revoking_at is not null as is_ending ",
            $columns,
            "
  from leasehold_broker.leases l
  join leasehold_broker.mounts m on m.mount_id = l.mount_id and m.state <> 'gone'
  left join leasehold_broker.tokens t on t.token_id = l.token_id ",
            $joins,
            "
 where l.lease_id = any($1)
   and not l.out_of_sight and t.ended_at is null and (t.expires_at is null or t.expires_at > clock_timestamp())"
        )
    };
}
const FIND: &str = find!("", "");
/// With who of those who are said to ask is alive and has the mark that is said to be its; one row at least.
const FIND_WITH_MARKS: &str = concat!(
    "\
with recursive claimed as (
    select distinct token_id, mark from unnest($2::bigint[], $3::text[]) as c (token_id, mark) where token_id is not null
), line as (
    select t.token_id as first_id, t.parent_id, t.ended_at, t.expires_at
      from leasehold_broker.tokens t where t.token_id = any($2)
    union all
    select line.first_id, above.parent_id, above.ended_at, above.expires_at
      from line cross join lateral (select * from leasehold_broker.tokens a where a.token_id = line.parent_id offset 0) above
), proven as (
    select array_agg(c.token_id) as token_ids, array_agg(c.mark) as marks
      from claimed c
     cross join lateral (select t.policies from leasehold_broker.tokens t where t.token_id = c.token_id offset 0) token
     where c.mark = ",
    caller_mark!("token"),
    "
       and not exists (select from line where line.first_id = c.token_id
                          and (line.ended_at is not null or line.expires_at <= clock_timestamp()))
)
select * from proven left join (",
    find!(
    ", r.revision as role_revision, c.config_id, c.revision as config_revision, c.target_id as config_target_id",
    "
  left join leasehold_broker.database_roles r on r.mount_id = l.mount_id and r.name = l.role
  left join leasehold_broker.database_configs c
    on c.mount_id = r.mount_id and c.name = (r.settings ->> 'db_name') collate \"C\" and c.state = 'live'"
    ),
    ") found on true"
);

/// Those of these leases that are known, in any order: not of a token that has ended, nor dropped from sight by force.
pub async fn find_all(
    store: impl PgExecutor<'_>,
    lease_ids: &[String],
) -> sqlx::Result<Vec<LeaseRow>> {
    let rows = sqlx::query(FIND).bind(lease_ids).fetch_all(store).await?;
    rows.iter().map(lease).collect()
}

/// What tells a role, and the live configuration that it names, from what they were before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleMark {
    /// The role's revision.
    pub revision: i64,
    /// The configuration, its revision and its target.
    pub config: Option<(Uuid, i64, Option<Uuid>)>,
}

/// The same, each with the mark of its role; None if that is not there any more. And those of the claims, of a token and its
/// caller's mark, that hold at this moment: the token lives and the mark is its.
pub async fn find_all_with_marks(
    store: impl PgExecutor<'_>,
    lease_ids: &[String],
    claims: &[Option<(i64, String)>],
) -> sqlx::Result<Marked> {
    let claims = || claims.iter().map(Option::as_ref);
    let token_ids: Vec<_> = claims().map(|claim| claim.map(|(id, _)| *id)).collect();
    let marks: Vec<_> = claims()
        .map(|claim| claim.map(|(_, mark)| mark.as_str()))
        .collect();
    let rows = sqlx::query(FIND_WITH_MARKS)
        .bind(lease_ids)
        .bind(token_ids)
        .bind(marks)
        .fetch_all(store)
        .await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        if row.try_get::<Option<&str>, _>("lease_id")?.is_some() {
            found.push((lease(row)?, mark(row)?));
        }
    }
    let Some(any) = rows.first() else {
        return Ok((found, Vec::new()));
    };
    let token_ids: Option<Vec<i64>> = any.try_get("token_ids")?;
    let marks: Option<Vec<String>> = any.try_get("marks")?;
    let proven = token_ids
        .into_iter()
        .flatten()
        .zip(marks.into_iter().flatten());
    Ok((found, proven.collect()))
}

/// Leases with the marks of their roles, and the claims that hold.
pub type Marked = (Vec<(LeaseRow, Option<RoleMark>)>, Vec<(i64, String)>);

fn mark(row: &PgRow) -> sqlx::Result<Option<RoleMark>> {
    let Some(revision) = row.try_get("role_revision")? else {
        return Ok(None);
    };
    let config = match row.try_get("config_id")? {
        Some(config_id) => Some((
            config_id,
            row.try_get("config_revision")?,
            row.try_get("config_target_id")?,
        )),
        None => None,
    };
    Ok(Some(RoleMark { revision, config }))
}

/// Where a lease lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The target.
    pub target_id: Uuid,
    /// The answer of the target has not been written down yet.
    pub is_intent: bool,
}

/// Where a lease lives, whoever still sees it.
pub async fn place_of(store: impl PgExecutor<'_>, lease_id: &str) -> sqlx::Result<Option<Place>> {
    let found: Option<(Uuid, bool)> = sqlx::query_as(
        "select target_id, state = 'intent' from leasehold_broker.leases where lease_id = $1",
    )
    .bind(lease_id)
    .fetch_optional(store)
    .await?;
    Ok(found.map(|(target_id, is_intent)| Place {
        target_id,
        is_intent,
    }))
}

/// Targets with leases at or below a prefix (without its trailing slash).
pub async fn targets_below(store: impl PgExecutor<'_>, prefix: &str) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "select distinct target_id from leasehold_broker.leases \
          where lease_id = $1 or (lease_id > $1 || '/' and lease_id < $1 || '0')",
    )
    .bind(prefix)
    .fetch_all(store)
    .await
}

/// Which of these are unconfirmed.
pub async fn intents_among(
    store: impl PgExecutor<'_>,
    lease_ids: &[String],
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select lease_id from leasehold_broker.leases where lease_id = any($1) and state = 'intent'",
    )
    .bind(lease_ids)
    .fetch_all(store)
    .await
}

/// Unconfirmed leases of a target that have lost their broker, or whose end has been asked for. Settling is idempotent:
/// brokers that do it at the same time do no harm.
pub async fn old_intents(
    store: impl PgExecutor<'_>,
    target_id: Uuid,
    age_seconds: i64,
    limit: i64,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select lease_id from leasehold_broker.leases \
          where target_id = $1 and state = 'intent' \
            and (revoking_at is not null or issued_at < clock_timestamp() - $2 * interval '1 second') \
          order by issued_at limit $3",
    )
    .bind(target_id)
    .bind(age_seconds)
    .bind(limit)
    .fetch_all(store)
    .await
}

/// Which of these are to end.
pub async fn ending_among(
    store: impl PgExecutor<'_>,
    lease_ids: &[String],
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select lease_id from leasehold_broker.leases where lease_id = any($1) and revoking_at is not null",
    )
    .bind(lease_ids)
    .fetch_all(store)
    .await
}

/// Rows that are written many at a time are locked in order first, or two who write the same ones wait for each other.
macro_rules! held {
    ($($rest:literal),+) => {
        concat!(
            "with held as materialized ( \
                 select lease_id from leasehold_broker.leases where lease_id = any($1) order by lease_id for update) ",
            $($rest),+
        )
    };
}

/// The target has these: they are leases now. What has ended meanwhile is not revived. Nobody waits for the disk: what is
/// lost of this with the server is settled.
pub async fn confirm(store: impl PgExecutor<'_>, lease_ids: &[String]) -> sqlx::Result<()> {
    sqlx::query(held!(
        "update leasehold_broker.leases l set state = 'issued' \
           from held, set_config('synchronous_commit', 'off', true) \
          where l.lease_id = held.lease_id and l.state = 'intent'"
    ))
    .bind(lease_ids)
    .execute(store)
    .await?;
    Ok(())
}

/// The target's word: these are no more.
pub async fn remove(store: impl PgExecutor<'_>, lease_ids: &[String]) -> sqlx::Result<()> {
    sqlx::query(held!(
        "delete from leasehold_broker.leases l using held where l.lease_id = held.lease_id"
    ))
    .bind(lease_ids)
    .execute(store)
    .await?;
    Ok(())
}

/// An end has been accepted: shown as such until the target's word comes.
pub async fn mark_ending(store: impl PgExecutor<'_>, lease_ids: &[String]) -> sqlx::Result<()> {
    sqlx::query(held!(
        "update leasehold_broker.leases l set revoking_at = coalesce(l.revoking_at, clock_timestamp()) \
           from held where l.lease_id = held.lease_id"
    ))
    .bind(lease_ids)
    .execute(store)
    .await?;
    Ok(())
}

/// The same for all of a target at or below a prefix, with the messages that tell it, 500 leases each; they are the
/// caller's to tell, if `claimed`. `out_of_sight`: nobody is to see these leases any more.
pub async fn accept_ends_below(
    store: impl PgExecutor<'_>,
    prefix: &str,
    target_id: Uuid,
    out_of_sight: bool,
    claimed: bool,
) -> sqlx::Result<Vec<OutboxRow>> {
    let rows = sqlx::query(
        "with held as materialized ( \
             select lease_id from leasehold_broker.leases \
              where (lease_id = $1 or (lease_id > $1 || '/' and lease_id < $1 || '0')) and target_id = $2 \
              order by lease_id for update), \
         marked as ( \
             update leasehold_broker.leases l \
                set revoking_at = coalesce(l.revoking_at, clock_timestamp()), out_of_sight = l.out_of_sight or $3 \
               from held where l.lease_id = held.lease_id \
             returning l.lease_id), \
         batches as (select lease_id, (row_number() over (order by lease_id) - 1) / 500 as batch from marked) \
         insert into leasehold_broker.outbox (target_id, kind, payload, next_attempt_at) \
         select $2, 'revoke_lease', jsonb_build_object('lease_ids', jsonb_agg(lease_id order by lease_id)), \
                clock_timestamp() + $4 * interval '1 second' \
           from batches group by batch order by batch \
         returning outbox_id, kind, payload, attempts, (extract(epoch from clock_timestamp()) * 1000000)::bigint as now_us",
    )
    .bind(prefix)
    .bind(target_id)
    .bind(out_of_sight)
    .bind(if claimed { outbox::CLAIM_SECONDS } else { 0 })
    .fetch_all(store)
    .await?;
    outbox::in_order(&rows)
}

macro_rules! renewed {
    ($beside:literal, $only:literal) => {
        held!(
            "update leasehold_broker.leases l \
                set ttl_seconds = r.ttl, expires_at = clock_timestamp() + r.ttl * interval '1 second', \
                    last_renewed_at = clock_timestamp() \
               from held join unnest($1::text[], $2::bigint[]) as r(lease_id, ttl) on r.lease_id = held.lease_id ",
            $beside,
            " where l.lease_id = held.lease_id ",
            $only
        )
    };
}

/// Renewals that targets have granted: `ttl_seconds` from now. Their commit does not wait for the disk: targets keep what
/// they have granted until [`heard_renewed`] has it.
pub async fn renewed(
    store: impl PgExecutor<'_>,
    lease_ids: &[String],
    ttl_seconds: &[i64],
) -> sqlx::Result<()> {
    const GRANTED: &str = renewed!(", set_config('synchronous_commit', 'off', true)", "");
    write_renewed(store, GRANTED, lease_ids, ttl_seconds).await
}

/// Renewals that targets tell of. What a broker wrote down when it asked for one stands already; the commit of this brings
/// it to the disk, too.
pub async fn heard_renewed(
    store: impl PgExecutor<'_>,
    lease_ids: &[String],
    ttl_seconds: &[i64],
) -> sqlx::Result<()> {
    const HEARD: &str = renewed!(
        "",
        "and (l.last_renewed_at is null or abs(extract(epoch from l.expires_at - clock_timestamp()) - r.ttl) > 1)"
    );
    write_renewed(store, HEARD, lease_ids, ttl_seconds).await
}

async fn write_renewed(
    store: impl PgExecutor<'_>,
    statement: &'static str,
    lease_ids: &[String],
    ttl_seconds: &[i64],
) -> sqlx::Result<()> {
    sqlx::query(statement)
        .bind(lease_ids)
        .bind(ttl_seconds)
        .execute(store)
        .await?;
    Ok(())
}

/// The first lease ids that are seen in `[from, below)`.
pub async fn seen(
    store: impl PgExecutor<'_>,
    from: &str,
    below: &str,
    limit: i64,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select l.lease_id from leasehold_broker.leases l \
           join leasehold_broker.mounts m on m.mount_id = l.mount_id and m.state <> 'gone' \
           left join leasehold_broker.tokens t on t.token_id = l.token_id \
          where l.lease_id >= $1 and l.lease_id < $2 and not l.out_of_sight and t.ended_at is null \
            and (t.expires_at is null or t.expires_at > clock_timestamp()) \
          order by l.lease_id limit $3",
    )
    .bind(from)
    .bind(below)
    .bind(limit)
    .fetch_all(store)
    .await
}

/// Targets that have to be tended: those that a configuration leads to; leases keep theirs.
pub async fn targets_to_tend(store: impl PgExecutor<'_>) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "select t.target_id from leasehold_broker.targets t \
          where exists (select from leasehold_broker.database_configs c where c.target_id = t.target_id)",
    )
    .fetch_all(store)
    .await
}
