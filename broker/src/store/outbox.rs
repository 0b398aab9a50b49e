//! What targets have yet to be told: durable, worked off by whichever broker reaches the target. Every row may be told
//! twice, so no lock is held while a target is asked: a claim is a later `next_attempt_at`.

use std::time::Instant;

use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{PgExecutor, Row};
use uuid::Uuid;

/// One row, claimed.
#[derive(Clone, Debug)]
pub struct OutboxRow {
    /// Primary key, in order of arrival.
    pub outbox_id: i64,
    /// `end_owner`, `move_owner`, `revoke_lease`, `define_role`, `drop_role`.
    pub kind: String,
    /// Its arguments.
    pub payload: Value,
    /// Failures so far.
    pub attempts: i32,
    /// The store's clock at the claim, microseconds since the epoch: payloads name instants of that clock.
    pub now_us: i64,
    /// That instant, or a little before it, by the clock of this process.
    pub claimed_at: Instant,
}

/// What ends nothing can wait for what does.
const MOVE: &str = "move_owner";

/// How long a claim holds if its broker says nothing. What is claimed again while it is being told is told twice.
pub const CLAIM_SECONDS: i64 = 10;

/// Claims what is due for a target, oldest first, but moves last: a target that was away for long may have to hear of very many.
pub async fn claim(
    store: impl PgExecutor<'_>,
    target_id: Uuid,
    limit: i64,
) -> sqlx::Result<Vec<OutboxRow>> {
    let claimed_at = Instant::now();
    let rows = sqlx::query(
        "with due as ( \
             select outbox_id from leasehold_broker.outbox where target_id = $1 and next_attempt_at <= clock_timestamp() \
              order by kind = 'move_owner', outbox_id limit $2 for update skip locked) \
         update leasehold_broker.outbox o set next_attempt_at = clock_timestamp() + $3 * interval '1 second' \
           from due where o.outbox_id = due.outbox_id \
         returning o.outbox_id, o.kind, o.payload, o.attempts, (extract(epoch from clock_timestamp()) * 1000000)::bigint as now_us",
    )
    .bind(target_id)
    .bind(limit)
    .bind(CLAIM_SECONDS)
    .fetch_all(store)
    .await?;
    in_order(&rows, claimed_at)
}

/// Rows as they were claimed by a statement that was sent at `claimed_at`, in the order in which they are told.
pub(super) fn in_order(rows: &[PgRow], claimed_at: Instant) -> sqlx::Result<Vec<OutboxRow>> {
    let mut rows = rows
        .iter()
        .map(|row| {
            Ok(OutboxRow {
                outbox_id: row.try_get("outbox_id")?,
                kind: row.try_get("kind")?,
                payload: row.try_get::<Json<Value>, _>("payload")?.0,
                attempts: row.try_get("attempts")?,
                now_us: row.try_get("now_us")?,
                claimed_at,
            })
        })
        .collect::<sqlx::Result<Vec<_>>>()?;
    rows.sort_by_key(|row| (row.kind == MOVE, row.outbox_id));
    Ok(rows)
}

/// A broker is still at these. Those that wait for another attempt, or are done, are left alone.
pub async fn hold(store: impl PgExecutor<'_>, claimed: &[OutboxRow]) -> sqlx::Result<()> {
    let (ids, attempts): (Vec<i64>, Vec<i32>) = claimed
        .iter()
        .map(|row| (row.outbox_id, row.attempts))
        .unzip();
    sqlx::query(
        "update leasehold_broker.outbox o set next_attempt_at = clock_timestamp() + $3 * interval '1 second' \
           from unnest($1::bigint[], $2::int[]) as c (outbox_id, attempts) \
          where o.outbox_id = c.outbox_id and o.attempts = c.attempts",
    )
    .bind(ids)
    .bind(attempts)
    .bind(CLAIM_SECONDS)
    .execute(store)
    .await?;
    Ok(())
}

/// The target has heard these.
pub async fn done(store: impl PgExecutor<'_>, outbox_ids: &[i64]) -> sqlx::Result<()> {
    sqlx::query("delete from leasehold_broker.outbox where outbox_id = any($1)")
        .bind(outbox_ids)
        .execute(store)
        .await?;
    Ok(())
}

/// These have to wait: `seconds`, and why. The claim ends.
pub async fn put_off(
    store: impl PgExecutor<'_>,
    outbox_ids: &[i64],
    seconds: i64,
    why: &str,
) -> sqlx::Result<()> {
    sqlx::query(
        "update leasehold_broker.outbox set attempts = attempts + 1, last_error = $3, \
                next_attempt_at = clock_timestamp() + $2 * interval '1 second' \
          where outbox_id = any($1)",
    )
    .bind(outbox_ids)
    .bind(seconds)
    .bind(why)
    .execute(store)
    .await?;
    Ok(())
}

/// Adds a row.
pub async fn add(
    store: impl PgExecutor<'_>,
    target_id: Uuid,
    kind: &str,
    payload: &Value,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into leasehold_broker.outbox (target_id, kind, payload) values ($1, $2, $3)",
    )
    .bind(target_id)
    .bind(kind)
    .bind(Json(payload))
    .execute(store)
    .await?;
    Ok(())
}

/// Tells the targets that have leases of the roles of a connection: whoever their recipes speak for is another by now.
pub async fn add_for_config(
    store: impl PgExecutor<'_>,
    mount_id: Uuid,
    config_name: &str,
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "insert into leasehold_broker.outbox (target_id, kind, payload) \
         select distinct l.target_id, 'define_role', jsonb_build_object('mount_id', r.mount_id, 'role', r.name) \
           from leasehold_broker.database_roles r \
           join leasehold_broker.leases l on l.mount_id = r.mount_id and l.role = r.name \
          where r.mount_id = $1 and r.settings ->> 'db_name' = $2 \
         returning target_id",
    )
    .bind(mount_id)
    .bind(config_name)
    .fetch_all(store)
    .await
}

/// Tells the targets that have leases of a role: its recipe has changed, or is gone. Gives back whom. That it is gone is
/// told to all that the mount leads to: a recipe may be left there without a lease, and keep a group of its own.
pub async fn add_for_role(
    store: impl PgExecutor<'_>,
    mount_id: Uuid,
    role: &str,
    kind: &str,
    payload: &Value,
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "insert into leasehold_broker.outbox (target_id, kind, payload) \
         select target_id, $3, $4::jsonb from ( \
             select c.target_id from leasehold_broker.database_configs c \
              where c.mount_id = $1 and c.target_id is not null \
                and ($3 = 'drop_role' and c.state = 'live' or exists ( \
                     select from leasehold_broker.leases l where l.config_id = c.config_id and l.role = $2)) \
              group by c.target_id) targets \
         returning target_id",
    )
    .bind(mount_id)
    .bind(role)
    .bind(kind)
    .bind(Json(payload))
    .fetch_all(store)
    .await
}

/// Drops what can not and need not be told any more: the target has no lease left, and nothing leads to it.
pub async fn prune(store: impl PgExecutor<'_>) -> sqlx::Result<()> {
    sqlx::query(
        "delete from leasehold_broker.outbox o \
          where not exists (select from leasehold_broker.database_configs c where c.target_id = o.target_id)",
    )
    .execute(store)
    .await?;
    Ok(())
}
