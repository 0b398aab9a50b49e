//! What a revocation writes: the end of leases, now.

use super::plan::rows;
use super::time::instant;
use crate::core::error::Fault;
use crate::core::prefix::Range;
use pgrx::datum::DatumWithOid;
use pgrx::spi::{SpiClient, SpiTupleTable};

/// Leases that can be ended: active, and their end not asked for yet. What is due for no cause may be so by an owner's old end only.
///
/// Where rows are found by their ids or numbers, active ones are told by `fenced_at`, which is the same. By `state` the
/// planner may take one of the indexes of all active leases, and the more there are the longer each call would take.
macro_rules! living {
    ($active:literal, $and:literal) => {
        concat!(
            "select l.lease_number from leasehold.live_leases l where l.scope = any($1) and ",
            $active,
            " and (l.due_at > $2 or l.cause is null)
                and not exists (select from leasehold.end_requests e where e.lease_number = l.lease_number) ",
            $and
        )
    };
}

// Each by its own key: with all ids in one condition, a plan made for few leases reads all of them for ever.
const BY_IDS: &str = "select l.lease_number
           from pg_catalog.unnest($3) as x (lease_id) cross join pg_catalog.unnest($1) as s (scope)
           cross join lateral (
                select a.lease_number from leasehold.live_leases a
                 where a.scope = s.scope and a.lease_id = x.lease_id and a.fenced_at is null and (a.due_at > $2 or a.cause is null) offset 0) l
          where not exists (select from leasehold.end_requests e where e.lease_number = l.lease_number offset 0)";
const ACTIVE: &str = "select pg_catalog.count(*)
           from pg_catalog.unnest($2) as x (lease_id) cross join pg_catalog.unnest($1) as s (scope)
           cross join lateral (
                select from leasehold.live_leases a
                 where a.scope = s.scope and a.lease_id = x.lease_id and a.fenced_at is null offset 0) l";
const BELOW: &str = living!(
    "l.fenced_at is null",
    "and l.lease_id >= $3 and l.lease_id < $4 limit $5"
);
const ALL: &str = living!("l.state = 'active'", "limit $3");
const LOCK: &str = "select lease_number from leasehold.live_leases where lease_number = any($1) and fenced_at is null
            for update skip locked";
const DUE: &str = "update leasehold.live_leases
            set due_at = least(due_at, $2), cause = 'revoked', ended_by = $3::name where lease_number = any($1)";
const ASK: &str = "insert into leasehold.end_requests (lease_number, cause, ended_by)
         select n, 'revoked', $2::name from pg_catalog.unnest($1) n on conflict (lease_number) do nothing";

/// The living leases of these ids, of each at most one in each scope.
pub fn by_ids(
    db: &mut SpiClient<'_>,
    scopes: &[String],
    lease_ids: &[String],
    now: i64,
) -> Result<Vec<i64>, Fault> {
    let args = [
        scopes.to_vec().into(),
        instant(now).into(),
        lease_ids.to_vec().into(),
    ];
    numbers(rows(db, BY_IDS, &args)?)
}

/// How many leases of these ids are active, due or not.
pub fn count_active(
    db: &mut SpiClient<'_>,
    scopes: &[String],
    lease_ids: &[String],
) -> Result<i64, Fault> {
    let args = [scopes.to_vec().into(), lease_ids.to_vec().into()];
    Ok(rows(db, ACTIVE, &args)?.first().get_one()?.unwrap_or(0))
}

/// Living leases whose id lies in `range`, at most `at_most`.
pub fn within(
    db: &mut SpiClient<'_>,
    scopes: &[String],
    range: &Range,
    now: i64,
    at_most: i64,
) -> Result<Vec<i64>, Fault> {
    let mut args: Vec<DatumWithOid<'_>> = vec![scopes.to_vec().into(), instant(now).into()];
    let Some(to) = &range.to else {
        args.push(at_most.into());
        return numbers(rows(db, ALL, &args)?);
    };
    let mut found = match &range.itself {
        Some(id) => by_ids(db, scopes, std::slice::from_ref(id), now)?,
        None => Vec::new(),
    };
    let left = at_most - i64::try_from(found.len()).unwrap_or(0);
    args.extend([
        range.from.as_str().into(),
        to.as_str().into(),
        left.max(0).into(),
    ]);
    found.extend(numbers(rows(db, BELOW, &args)?)?);
    Ok(found)
}

/// Locks the rows of active leases, but for those that another transaction holds.
pub fn lock(db: &mut SpiClient<'_>, wanted: &[i64]) -> Result<Vec<i64>, Fault> {
    numbers(rows(db, LOCK, &[wanted.to_vec().into()])?)
}

/// Notes the end of leases, by `by`, beside them, for the sweeper: another transaction holds their rows.
pub fn ask(db: &mut SpiClient<'_>, held: &[i64], by: &str) -> Result<(), Fault> {
    rows(db, ASK, &[held.to_vec().into(), by.into()]).map(|_| ())
}

/// Makes leases, whose rows are locked, due at `now`, because of `by`.
pub fn due(db: &mut SpiClient<'_>, leases: &[i64], now: i64, by: &str) -> Result<(), Fault> {
    let args = [leases.to_vec().into(), instant(now).into(), by.into()];
    rows(db, DUE, &args).map(|_| ())
}

fn numbers(table: SpiTupleTable<'_>) -> Result<Vec<i64>, Fault> {
    table
        .map(|row| Ok(row.get(1)?.unwrap_or_default()))
        .collect()
}
