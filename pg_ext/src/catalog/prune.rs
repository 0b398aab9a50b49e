//! What is kept for a while only: history, request ids, tombstones. Deleted in batches, oldest first.

use super::ask::{rows, write};

/// How many rows of each kind one call deletes.
const BATCH: i64 = 1_000;

/// Deletes what has been kept long enough; true if there may be more. Request ids and tombstones are kept a day, the
/// history `history_days`.
pub fn old_rows(history_days: i32) -> bool {
    let history = write(
        "delete from leasehold.past_leases p where p.lease_number in (
            select o.lease_number from leasehold.past_leases o
             where o.gone_at < pg_catalog.now() - pg_catalog.make_interval(days => $1)
             order by o.gone_at limit $2)",
        &[history_days.into(), BATCH.into()],
    );
    // The id of a request whose lease lives must stay: a repeated request gives that lease again.
    let requests = write(
        "delete from leasehold.requests r where (r.scope, r.request_id) in (
            select o.scope, o.request_id from leasehold.requests o
             where o.requested_at < pg_catalog.now() - interval '24 hours'
               and not exists (select from leasehold.live_leases l where l.lease_number = o.lease_number)
             order by o.requested_at limit $1 for update skip locked)",
        &[BATCH.into()],
    );
    let owners = write(
        "delete from leasehold.owners w where (w.scope, w.owner) in (
            select o.scope, o.owner from leasehold.owners o
             where coalesce(o.ended_at, o.ends_at) < pg_catalog.now() - interval '24 hours' and not o.spread_due
               and not exists (select from leasehold.live_leases l where l.scope = o.scope and l.owner = o.owner)
               and not exists (select from leasehold.owners c where c.scope = o.scope and c.parent = o.owner)
             limit $1 for update skip locked)",
        &[BATCH.into()],
    );
    let recipes = write(
        "delete from leasehold.recipes r where (r.scope, r.role_name) in (
            select o.scope, o.role_name from leasehold.recipes o
             where o.dropped_at < pg_catalog.now() - interval '24 hours' limit $1 for update skip locked)",
        &[BATCH.into()],
    );
    let most = usize::try_from(BATCH).unwrap_or(usize::MAX);
    [history, requests, owners, recipes]
        .into_iter()
        .any(|deleted| deleted >= most)
}

/// The newest row of the outbox of changes; 0 for none.
pub fn newest_change() -> i64 {
    rows(
        "select coalesce(pg_catalog.max(o.id), 0) from leasehold.outbox o",
        &[],
        |row| row.must(1),
    )
    .pop()
    .unwrap_or(0)
}

/// Tells listening brokers that there are changes to pull. A hint: it says nothing, and anybody could send it.
pub fn hint_changes() {
    write("select pg_catalog.pg_notify('leasehold_changes', '')", &[]);
}
