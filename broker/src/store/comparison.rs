//! The index of leases beside what a target has: pages to compare, and what is put right afterwards.

use sqlx::{PgExecutor, Row};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::target::Held;

/// A lease of a target as the index has it.
#[derive(Clone, Debug)]
pub struct Indexed {
    /// Lease id.
    pub lease_id: String,
    /// Not confirmed yet: settling decides about it.
    pub is_intent: bool,
    /// By the store's clock; what a correction is conditional on.
    pub expires_at: OffsetDateTime,
    /// Whole seconds until then, rounded down.
    pub left_seconds: i64,
}

/// Leases of a target after an id, at most `limit`, in order of their bytes.
pub async fn page(
    store: impl PgExecutor<'_>,
    target_id: Uuid,
    after: &str,
    limit: i32,
) -> sqlx::Result<Vec<Indexed>> {
    let rows = sqlx::query(
        "select l.lease_id, exists (select from leasehold_broker.intents i where i.lease_id = l.lease_id offset 0) as is_intent, \
                l.expires_at, floor(extract(epoch from l.expires_at - clock_timestamp()))::bigint as left_seconds \
           from leasehold_broker.leases l where l.target_id = $1 and l.lease_id > $2 order by l.lease_id limit $3",
    )
    .bind(target_id)
    .bind(after)
    .bind(limit)
    .fetch_all(store)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Indexed {
                lease_id: row.try_get("lease_id")?,
                is_intent: row.try_get("is_intent")?,
                expires_at: row.try_get("expires_at")?,
                left_seconds: row.try_get("left_seconds")?,
            })
        })
        .collect()
}

/// Which of these the index has.
pub async fn known(store: impl PgExecutor<'_>, lease_ids: &[String]) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("select lease_id from leasehold_broker.leases where lease_id = any($1)")
        .bind(lease_ids)
        .fetch_all(store)
        .await
}

/// Gives leases the end their targets know, unless somebody has written another one since it was read: id, the end that
/// was read, seconds from now.
pub async fn correct_ends(
    store: impl PgExecutor<'_>,
    ends: &[(String, OffsetDateTime, i64)],
) -> sqlx::Result<()> {
    let lease_ids: Vec<&str> = ends.iter().map(|(id, _, _)| id.as_str()).collect();
    let seen: Vec<OffsetDateTime> = ends.iter().map(|(_, seen, _)| *seen).collect();
    let ttls: Vec<i64> = ends.iter().map(|(_, _, ttl)| *ttl).collect();
    sqlx::query(
        "update leasehold_broker.leases l set expires_at = clock_timestamp() + e.ttl * interval '1 second' \
           from unnest($1::text[], $2::timestamptz[], $3::bigint[]) as e(lease_id, seen, ttl) \
          where l.lease_id = e.lease_id and l.expires_at = e.seen",
    )
    .bind(lease_ids)
    .bind(seen)
    .bind(ttls)
    .execute(store)
    .await?;
    Ok(())
}

/// Takes leases into the index that it has lost: those whose mount serves and leads to their target, and whose token, if
/// they were made for one, lives. Gives back how many.
pub async fn adopt(
    store: impl PgExecutor<'_>,
    target_id: Uuid,
    held: &[&Held],
) -> sqlx::Result<u64> {
    let texts = |of: fn(&Held) -> Option<&str>| -> Vec<Option<&str>> {
        held.iter().map(|lease| of(lease)).collect()
    };
    let numbers = |of: fn(&Held) -> Option<i64>| -> Vec<Option<i64>> {
        held.iter().map(|lease| of(lease)).collect()
    };
    let adopted = sqlx::query(
        "with held as ( \
             select *, split_part(recipe, '/', 1) as accessor, substr(recipe, strpos(recipe, '/') + 1) as role \
               from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[]) \
                 as h(lease_id, recipe, login, owner, age, ttl, max_ttl, cap)), \
         mount as ( \
             select mount_id, path, accessor from leasehold_broker.mounts \
              where accessor = any($10) and state = 'active' for share), \
         config as ( \
             select config_id, mount_id, state from leasehold_broker.database_configs \
              where target_id = $1 and mount_id in (select mount_id from mount) for share), \
         owner as ( \
             select token_id, accessor from leasehold_broker.tokens \
              where accessor = any($5) and ended_at is null and (expires_at is null or expires_at > clock_timestamp()) for share) \
         insert into leasehold_broker.leases \
             (lease_id, mount_id, path, config_id, target_id, role, recipe, login, token_id, issued_at, ttl_seconds, \
              max_ttl_seconds, cap_seconds, expires_at) \
         select h.lease_id, m.mount_id, 'creds/' || h.role, \
                (select c.config_id from config c where c.mount_id = m.mount_id order by c.state limit 1), \
                $1, h.role, h.recipe, coalesce(h.login, ''), o.token_id, \
                clock_timestamp() - h.age * interval '1 second', h.ttl, h.max_ttl, h.cap, \
                clock_timestamp() + h.ttl * interval '1 second' \
           from held h \
           join mount m on m.accessor = h.accessor and starts_with(h.lease_id, m.path || 'creds/' || h.role || '/') \
           left join owner o on o.accessor = h.owner \
          where (h.owner is null or o.token_id is not null) and exists (select from config c where c.mount_id = m.mount_id) \
         on conflict do nothing",
    )
    .bind(target_id)
    .bind(texts(|lease| Some(&lease.lease_id)))
    .bind(texts(|lease| Some(&lease.role)))
    .bind(texts(|lease| lease.login.as_deref()))
    .bind(texts(|lease| lease.owner.as_deref()))
    .bind(numbers(|lease| Some(lease.age_seconds)))
    .bind(numbers(|lease| Some(lease.ttl_seconds)))
    .bind(numbers(|lease| Some(lease.max_ttl_seconds)))
    .bind(numbers(|lease| lease.cap_seconds))
    .bind(texts(|lease| lease.role.split('/').next()))
    .execute(store)
    .await?;
    Ok(adopted.rows_affected())
}
