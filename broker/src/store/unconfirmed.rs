//! Leases that are unconfirmed: written down before their target was asked, and what it said has not been written down yet.
//! How they come about is `store::intents`.

use sqlx::PgExecutor;
use uuid::Uuid;

/// A statement that takes the ids of its first parameter out of what is unconfirmed, as far as `$and` lets it, and with `$beside`
/// read. Rows are locked in order first, or two who take the same ones wait for each other.
macro_rules! take_out {
    ($beside:literal, $and:literal) => {
        concat!(
            "delete from leasehold_broker.intents where ctid = any(array( \
                 select i.ctid from leasehold_broker.intents i",
            $beside,
            " where i.lease_id = any($1) ",
            $and,
            " order by i.lease_id for update of i))"
        )
    };
}
pub(super) use take_out;

/// Which of these are unconfirmed.
pub async fn among(store: impl PgExecutor<'_>, lease_ids: &[String]) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("select lease_id from leasehold_broker.intents where lease_id = any($1)")
        .bind(lease_ids)
        .fetch_all(store)
        .await
}

/// Which of these nobody is to have.
pub async fn ending_among(
    store: impl PgExecutor<'_>,
    lease_ids: &[String],
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select lease_id from leasehold_broker.intents where lease_id = any($1) and ending",
    )
    .bind(lease_ids)
    .fetch_all(store)
    .await
}

/// Unconfirmed leases of a target that have lost their broker, or that nobody is to have. Settling is idempotent: brokers that
/// do it at the same time do no harm.
pub async fn overdue(
    store: impl PgExecutor<'_>,
    target_id: Uuid,
    age_seconds: i64,
    limit: i64,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select lease_id from leasehold_broker.intents \
          where target_id = $1 and (ending or issued_at < clock_timestamp() - $2 * interval '1 second') \
          order by issued_at limit $3",
    )
    .bind(target_id)
    .bind(age_seconds)
    .bind(limit)
    .fetch_all(store)
    .await
}

/// The target has these: they are leases now, but for those that nobody is to have. Nobody waits for the disk: what is lost of
/// this with the server is settled.
pub async fn confirm(store: impl PgExecutor<'_>, lease_ids: &[String]) -> sqlx::Result<()> {
    sqlx::query(take_out!(
        ", set_config('synchronous_commit', 'off', true)",
        "and not i.ending"
    ))
    .bind(lease_ids)
    .execute(store)
    .await?;
    Ok(())
}
