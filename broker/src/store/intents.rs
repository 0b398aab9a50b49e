//! Many intents in one statement: each stands or not by itself, and nothing is waited for.

use sqlx::{PgExecutor, Row};

use super::callers::caller_mark;
use super::leases::{Intent, Recorded, placed};

/// As the statement for one, but rows that somebody is changing are passed over: those intents do not stand this time.
/// Waiting with locks on other callers' rows could run in a circle.
const RECORD_ALL: &str = concat!(
    "\
with recursive asked as (
    select * from unnest($1::text[], $2::uuid[], $3::text[], $4::uuid[], $5::bigint[], $6::uuid[], $7::text[], $8::bigint[],
                         $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[],
                         $15::text[])
        with ordinality as a (lease_id, mount_id, path, config_id, config_revision, target_id, role, role_revision, recipe,
                              login, token_id, ttl_seconds, max_ttl_seconds, cap_at_us, mark, ordinal)
), token as materialized (
    select t.token_id, t.policies from leasehold_broker.tokens t
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
), line as (
    select t.token_id as first_id, t.token_id, t.parent_id, t.accessor, t.revision, t.expires_at, t.ended_at, 1 as depth
      from leasehold_broker.tokens t where t.token_id = any($11::bigint[])
    union all
    select line.first_id, t.token_id, t.parent_id, t.accessor, t.revision, t.expires_at, t.ended_at, line.depth + 1
      from line cross join lateral (select * from leasehold_broker.tokens a where a.token_id = line.parent_id offset 0) t
), chain as materialized (
    select first_id, coalesce(bool_or(ended_at is not null or expires_at <= clock_timestamp()), false) as dead,
           array_agg(accessor order by depth) as accessors,
           array_agg((extract(epoch from expires_at - clock_timestamp()) * 1000000)::bigint order by depth) as ttls,
           array_agg(revision order by depth) as revisions
      from line group by first_id
), proof as materialized (
    select token.token_id, ",
    caller_mark!("token"),
    " as mark from token
), placed as (
    insert into leasehold_broker.leases
        (lease_id, mount_id, path, config_id, target_id, role, recipe, login, token_id, ttl_seconds, max_ttl_seconds,
         cap_seconds, expires_at)
    select a.lease_id, a.mount_id, a.path, a.config_id, a.target_id, a.role, a.recipe, a.login, a.token_id, a.ttl_seconds,
           a.max_ttl_seconds, ceil(a.cap_at_us / 1000000.0 - extract(epoch from clock_timestamp()))::bigint,
           clock_timestamp() + a.ttl_seconds * interval '1 second'
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
    returning lease_id
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
    let ids = |of: fn(&Intent) -> uuid::Uuid| intents.iter().map(of).collect::<Vec<_>>();
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
