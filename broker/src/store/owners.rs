//! Ends and moves of tokens, as far as leases hang on them: the rows of the tree, and what targets must hear.

use serde_json::json;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor, Row};
use uuid::Uuid;

/// Ends a token and everything below it; what is being made under them meanwhile is waited for and ended too.
/// Gives back whether it was there, alive, and the targets that have been noted in the outbox.
pub async fn end_tree(store: &mut PgConnection, token_id: i64) -> sqlx::Result<(bool, Vec<Uuid>)> {
    let Some(accessor) = end_one(store, token_id).await? else {
        return Ok((false, Vec::new()));
    };
    let mut ended = vec![token_id];
    let mut level = vec![token_id];
    loop {
        // Whoever makes a child holds its parent FOR SHARE: the update above has waited for it, and no more can come.
        let children: Vec<i64> = sqlx::query_scalar(
            "update leasehold_broker.tokens set ended_at = clock_timestamp(), revision = revision + 1 \
              where parent_id = any($1) and ended_at is null returning token_id",
        )
        .bind(&level)
        .fetch_all(&mut *store)
        .await?;
        if children.is_empty() {
            break;
        }
        ended.extend(&children);
        level = children;
    }
    sqlx::query("delete from leasehold_broker.cubbyholes where token_id = any($1)")
        .bind(&ended)
        .execute(&mut *store)
        .await?;
    let targets = tell(
        store,
        &ended,
        "end_owner",
        json!({ "owner": accessor, "orphans": [] }),
    )
    .await?;
    Ok((true, targets))
}

/// Ends a token alone: its children live on as orphans. Targets hear of their freedom first, in the same row.
pub async fn end_orphaning(
    store: &mut PgConnection,
    token_id: i64,
) -> sqlx::Result<(bool, Vec<Uuid>)> {
    let Some(accessor) = end_one(store, token_id).await? else {
        return Ok((false, Vec::new()));
    };
    sqlx::query("delete from leasehold_broker.cubbyholes where token_id = $1")
        .bind(token_id)
        .execute(&mut *store)
        .await?;
    let children = sqlx::query(
        "update leasehold_broker.tokens set parent_id = null, orphan = true, revision = revision + 1 \
          where parent_id = $1 and ended_at is null \
         returning token_id, accessor, revision, (extract(epoch from expires_at) * 1000000)::bigint as expires_at_us",
    )
    .bind(token_id)
    .fetch_all(&mut *store)
    .await?;
    let mut freed = vec![token_id];
    let mut orphans = Vec::with_capacity(children.len());
    for child in &children {
        freed.push(child.try_get("token_id")?);
        orphans.push(json!({
            "owner": child.try_get::<String, _>("accessor")?,
            "parent": null,
            "revision": child.try_get::<i64, _>("revision")?,
            "expires_at_us": child.try_get::<Option<i64>, _>("expires_at_us")?,
        }));
    }
    let family = family(store, &freed).await?;
    let targets = tell(
        store,
        &family,
        "end_owner",
        json!({ "owner": accessor, "orphans": orphans }),
    )
    .await?;
    Ok((true, targets))
}

/// Notes for the targets that a token, just written by the caller with a new revision, has another end.
pub async fn moved(store: &mut PgConnection, token_id: i64) -> sqlx::Result<Vec<Uuid>> {
    let Some(row) = sqlx::query(
        "select t.accessor, p.accessor as parent, t.revision, (extract(epoch from t.expires_at) * 1000000)::bigint as expires_at_us \
           from leasehold_broker.tokens t left join leasehold_broker.tokens p on p.token_id = t.parent_id \
          where t.token_id = $1 and t.ended_at is null",
    )
    .bind(token_id)
    .fetch_optional(&mut *store)
    .await?
    else {
        return Ok(Vec::new());
    };
    let payload = json!({
        "owner": row.try_get::<String, _>("accessor")?,
        "parent": row.try_get::<Option<String>, _>("parent")?,
        "revision": row.try_get::<i64, _>("revision")?,
        "expires_at_us": row.try_get::<Option<i64>, _>("expires_at_us")?,
    });
    // What was not told yet of an earlier end need not be: a target that is away for long hears the last one only. One that is
    // being told right now may go, too: this comes after it.
    sqlx::query(
        "delete from leasehold_broker.outbox where outbox_id in ( \
             select outbox_id from leasehold_broker.outbox \
              where kind = 'move_owner' and payload ->> 'owner' = $1 for update skip locked)",
    )
    .bind(row.try_get::<String, _>("accessor")?)
    .execute(&mut *store)
    .await?;
    let family = family(store, &[token_id]).await?;
    tell(store, &family, "move_owner", payload).await
}

/// Tokens whose time is up, oldest first.
pub async fn expired(store: impl PgExecutor<'_>, limit: i64) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar(
        "select token_id from leasehold_broker.tokens \
          where ended_at is null and expires_at <= clock_timestamp() order by expires_at limit $1",
    )
    .bind(limit)
    .fetch_all(store)
    .await
}

/// Forgets tokens that ended a day ago: every target has heard by then, and keeps its own word for as long. Not those that a lease
/// still belongs to, on a target that is away: without its token it would look alive.
pub async fn prune(store: impl PgExecutor<'_>, limit: i64) -> sqlx::Result<u64> {
    let done = sqlx::query(
        "delete from leasehold_broker.tokens where token_id in ( \
             select t.token_id from leasehold_broker.tokens t where t.ended_at < now() - interval '1 day' \
                and not exists (select from leasehold_broker.leases l where l.token_id = t.token_id) \
              order by t.ended_at limit $1)",
    )
    .bind(limit)
    .execute(store)
    .await?;
    Ok(done.rows_affected())
}

/// What follows in the transaction takes as long as the token's tree is large.
async fn end_one(store: &mut PgConnection, token_id: i64) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar(
        "update leasehold_broker.tokens set ended_at = clock_timestamp(), revision = revision + 1 \
          where token_id = $1 and ended_at is null \
         returning accessor, set_config('statement_timeout', '0', true)",
    )
    .bind(token_id)
    .fetch_optional(store)
    .await
}

async fn family(store: &mut PgConnection, token_ids: &[i64]) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar(
        "with recursive family as ( \
             select unnest($1::bigint[]) as token_id \
             union \
             select t.token_id from leasehold_broker.tokens t join family on t.parent_id = family.token_id) \
         select token_id from family",
    )
    .bind(token_ids)
    .fetch_all(store)
    .await
}

/// One row for each target that has leases of these tokens.
async fn tell(
    store: &mut PgConnection,
    token_ids: &[i64],
    kind: &str,
    payload: serde_json::Value,
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "insert into leasehold_broker.outbox (target_id, kind, payload) \
         select distinct target_id, $2, $3::jsonb from leasehold_broker.leases where token_id = any($1) \
         returning target_id",
    )
    .bind(token_ids)
    .bind(kind)
    .bind(Json(payload))
    .fetch_all(store)
    .await
}
