//! The index of leases: which token, mount and target a lease id belongs to. The lease itself is on its target.

use std::time::Instant;

use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, PgPool, Row};
use time::OffsetDateTime;
use uuid::Uuid;

use super::callers::{Claim, caller_mark};
use super::connect;
use super::line::{lives, token_line};
use super::outbox::{self, OutboxRow};
use super::unconfirmed::take_out;

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
select l.lease_id, l.mount_id, m.path || l.path as full_path, l.target_id, l.role,
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
), ",
    token_line!("leasehold_broker.tokens where token_id = any($2)"),
    ", proven as (
    select array_agg(c.token_id) as token_ids, array_agg(c.mark) as marks
      from claimed c
     cross join lateral (select t.accessor, t.policies from leasehold_broker.tokens t where t.token_id = c.token_id offset 0) token
     where c.mark = ",
    caller_mark!("token"),
    "
       and ",
    lives!("c.token_id"),
    "
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
    claims: &[Option<Claim>],
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
pub type Marked = (Vec<(LeaseRow, Option<RoleMark>)>, Vec<Claim>);

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
        "select l.target_id, exists (select from leasehold_broker.intents i where i.lease_id = l.lease_id offset 0) \
           from leasehold_broker.leases l where l.lease_id = $1",
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

/// Rows that are written many at a time are locked in order first, or two who write the same ones wait for each other.
macro_rules! held {
    ($($rest:expr),+) => {
        concat!(
            "with held as materialized ( \
                 select lease_id from leasehold_broker.leases where lease_id = any($1) order by lease_id for update) ",
            $($rest),+
        )
    };
}

/// The target's word: these are no more.
pub async fn remove(store: impl PgExecutor<'_>, lease_ids: &[String]) -> sqlx::Result<()> {
    sqlx::query(held!(
        ", taken as (",
        take_out!("", ""),
        ") delete from leasehold_broker.leases l using held where l.lease_id = held.lease_id"
    ))
    .bind(lease_ids)
    .execute(store)
    .await?;
    Ok(())
}

/// Nobody is to have these, whatever becomes of them: their ends are shown as asked for, and they stay unconfirmed, or become
/// so again, until the target says that they are no more.
pub async fn mark_ending(store: impl PgExecutor<'_>, lease_ids: &[String]) -> sqlx::Result<()> {
    sqlx::query(held!(
        ", marked as ( \
             update leasehold_broker.leases l set revoking_at = coalesce(l.revoking_at, clock_timestamp()) \
               from held where l.lease_id = held.lease_id returning l.lease_id, l.target_id) \
         insert into leasehold_broker.intents (lease_id, target_id, ending) select lease_id, target_id, true from marked \
             on conflict (lease_id) do update set ending = true"
    ))
    .bind(lease_ids)
    .execute(store)
    .await?;
    Ok(())
}

/// Leases of a target.
pub struct Below<'a> {
    /// At this path or below it; without a slash at its end.
    pub prefix: &'a str,
    /// Of this mount only.
    pub of_mount: Option<Uuid>,
    /// Where they live.
    pub target_id: Uuid,
}

/// An end of these has been accepted, and with it come the messages that tell their target, 500 leases each; they are the
/// caller's to tell, if `claimed`. `out_of_sight`: nobody is to see these leases any more. However many they are: those that
/// can not be written down in the usual time get as long as they need.
pub async fn accept_ends_below(
    store: &PgPool,
    below: &Below<'_>,
    out_of_sight: bool,
    claimed: bool,
) -> sqlx::Result<Vec<OutboxRow>> {
    match accept_below(store, below, out_of_sight, claimed).await {
        Err(error) if connect::took_too_long(&error) => {}
        accepted => return accepted,
    }
    let mut unhurried = store.begin_with(connect::BEGIN_UNHURRIED).await?;
    let accepted = accept_below(&mut *unhurried, below, out_of_sight, claimed).await?;
    unhurried.commit().await?;
    Ok(accepted)
}

async fn accept_below(
    store: impl PgExecutor<'_>,
    below: &Below<'_>,
    out_of_sight: bool,
    claimed: bool,
) -> sqlx::Result<Vec<OutboxRow>> {
    let claimed_at = Instant::now();
    let rows = sqlx::query(
        "with held as materialized ( \
             select lease_id from leasehold_broker.leases \
              where (lease_id = $1 or (lease_id > $1 || '/' and lease_id < $1 || '0')) and target_id = $2 \
                and ($5::uuid is null or mount_id = $5) \
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
    .bind(below.prefix)
    .bind(below.target_id)
    .bind(out_of_sight)
    .bind(if claimed { outbox::CLAIM_SECONDS } else { 0 })
    .bind(below.of_mount)
    .fetch_all(store)
    .await?;
    outbox::in_order(&rows, claimed_at)
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
