//! What a revocation writes: the end of leases, now.

use super::plan::{Plan, rows};
use super::time::instant;
use crate::core::error::Fault;
use crate::core::prefix::Range;
use pgrx::spi::SpiClient;

/// What became of a lease that was to end.
pub struct Ended {
    /// Its number.
    pub number: i64,
    /// True if its row could be locked: it is due now, and ours until the transaction ends.
    pub locked: bool,
}

macro_rules! end {
    ($which:literal) => {
        concat!(
            "with wanted as materialized (
                 select lease_number from leasehold.live_leases
                  where state = 'active' and ",
            $which,
            "), free as materialized (
                 select l.lease_number from leasehold.live_leases l join wanted using (lease_number)
                  where l.state = 'active' for update of l skip locked
             ), due as (
                 update leasehold.live_leases l set due_at = least(l.due_at, $3), cause = 'revoked', ended_by = $4::name
                   from free where l.lease_number = free.lease_number returning l.lease_number
             ), asked as (
                 insert into leasehold.end_requests (lease_number, cause, ended_by)
                 select w.lease_number, 'revoked', $4::name from wanted w
                  where not exists (select from free f where f.lease_number = w.lease_number)
                 on conflict (lease_number) do nothing
             )
             select w.lease_number, exists (select from free f where f.lease_number = w.lease_number) from wanted w"
        )
    };
}

thread_local! {
    static BY_ID: Plan = const { Plan::new(end!("scope = any($1) and lease_id = $2")) };
    static BELOW: Plan = const { Plan::new(end!(
        "lease_number in (
             select x.lease_number from leasehold.live_leases x
              where x.scope = any($1) and x.state = 'active' and x.due_at > $3
                and (x.lease_id = $2 or x.lease_id >= $5 and ($6::text is null or x.lease_id < $6))
                and not exists (select from leasehold.end_requests e where e.lease_number = x.lease_number)
              limit $7)")) };
    static LEFT: Plan = const { Plan::new(
        "select pg_catalog.count(*) from (
             select from leasehold.live_leases x
              where x.scope = any($1) and x.state = 'active' and x.due_at > $3
                and (x.lease_id = $2 or x.lease_id >= $4 and ($5::text is null or x.lease_id < $5))
                and not exists (select from leasehold.end_requests e where e.lease_number = x.lease_number)
              limit $6) few") };
}

/// Ends the active lease of that id in each of the scopes at `now`. A row that another transaction holds is not waited
/// for: its end is noted beside it, for the sweeper.
pub fn by_id(
    db: &mut SpiClient<'_>,
    scopes: &[String],
    lease_id: &str,
    now: i64,
    by: &str,
) -> Result<Vec<Ended>, Fault> {
    let args = [
        scopes.to_vec().into(),
        lease_id.into(),
        instant(now).into(),
        by.into(),
    ];
    read(rows(db, &BY_ID, &args)?)
}

/// Ends at most `at_most` active leases within `range`, the same way.
pub fn below(
    db: &mut SpiClient<'_>,
    scopes: &[String],
    range: &Range,
    now: i64,
    by: &str,
    at_most: i64,
) -> Result<Vec<Ended>, Fault> {
    let args = [
        scopes.to_vec().into(),
        range.itself.as_deref().into(),
        instant(now).into(),
        by.into(),
        range.from.as_str().into(),
        range.to.as_deref().into(),
        at_most.into(),
    ];
    read(rows(db, &BELOW, &args)?)
}

/// How many active leases within `range` have not been ended, counted no further than `at_most`.
pub fn left(
    db: &mut SpiClient<'_>,
    scopes: &[String],
    range: &Range,
    now: i64,
    at_most: i64,
) -> Result<i64, Fault> {
    let args = [
        scopes.to_vec().into(),
        range.itself.as_deref().into(),
        instant(now).into(),
        range.from.as_str().into(),
        range.to.as_deref().into(),
        at_most.into(),
    ];
    Ok(rows(db, &LEFT, &args)?.first().get_one()?.unwrap_or(0))
}

fn read(table: pgrx::spi::SpiTupleTable<'_>) -> Result<Vec<Ended>, Fault> {
    table
        .map(|row| {
            Ok(Ended {
                number: row.get(1)?.unwrap_or_default(),
                locked: row.get(2)?.unwrap_or_default(),
            })
        })
        .collect()
}
