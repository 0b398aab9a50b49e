//! How the end of an owner reaches what is below it: its children and the leases tied to it.

use super::plan::rows;
use super::time::{instant, micros};
use crate::core::error::Fault;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::spi::SpiClient;

/// An owner whose end has come nearer, its row locked.
pub struct Nearer {
    /// Its scope.
    pub scope: String,
    /// Its name.
    pub owner: String,
    /// True if it has ended.
    pub ended: bool,
    /// Its earliest end, those above it included; `None` is never.
    pub ends_at: Option<i64>,
}

// Lines have an end (`lease::owner` refuses a circle, and more than so many); the depths see to it that no pass depends on that.
const TAKE: &str = "with recursive taken as materialized (
             select o.scope, o.owner, o.ended from leasehold.owners o
              where o.spread_due
                and not exists (select from rows from (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) x (scope, owner)
                                 where x.scope = o.scope and x.owner = o.owner)
              order by o.scope, o.owner limit 1 for update skip locked
         ), up as (
             select o.scope, o.parent, coalesce(o.ended_at, o.ends_at) as ends_at, 1 as depth
               from leasehold.owners o join taken t on t.scope = o.scope and t.owner = o.owner
             union all
             select o.scope, o.parent, coalesce(o.ended_at, o.ends_at), up.depth + 1
               from up join leasehold.owners o on o.scope = up.scope and o.owner = up.parent
              where up.depth < 1000
         )
         select t.scope, t.owner, t.ended, (select pg_catalog.min(up.ends_at) from up) from taken t";
const CHILDREN: &str = "with few as (
             select c.owner from leasehold.owners c
              where c.scope = $1 and c.parent = $2 and not c.ended and (not c.spread_due or $3)
              limit $5 for no key update skip locked
         ), told as (
             update leasehold.owners c
                set spread_due = true, ended = c.ended or $3, ended_at = case when $3 then $4::timestamptz else c.ended_at end
               from few where c.scope = $1 and c.owner = few.owner
                and ($3 or (select pg_catalog.count(*) from few) = (
                    select pg_catalog.count(*) from leasehold.owners o
                     where o.scope = $1 and o.parent = $2 and not o.ended and not o.spread_due)) returning 1
         )
         select pg_catalog.count(*) from told";
const CHILDREN_LEFT: &str = "select exists (select from leasehold.owners c
          where c.scope = $1 and c.parent = $2 and not c.ended and (not c.spread_due or $3))";
const LATER: &str = "select l.lease_number from leasehold.live_leases l
          where l.scope = $1 and l.owner = $2 and l.state = 'active' and l.due_at > $3
          limit $4 for update skip locked";
const MOVE: &str = "update leasehold.live_leases l set due_at = $2 where l.lease_number = any($1)";
const HELD: &str = "with held as materialized (
             select l.lease_number from leasehold.live_leases l
              where l.scope = $1 and l.owner = $2 and l.state = 'active' and l.due_at > $3
         ), asked as (
             insert into leasehold.end_requests (lease_number, cause, ended_by)
             select h.lease_number, 'owner', current_user from held h where $4
             on conflict (lease_number) do nothing
         )
         select pg_catalog.count(*) from held";
const DONE: &str = "update leasehold.owners set spread_due = false where scope = $1 and owner = $2";
const POSTPONE: &str = "with recursive due as materialized (
             select l.lease_number, l.scope, l.owner, l.expires_at from leasehold.live_leases l
              where l.state = 'active' and l.due_at <= $1 and l.due_at < l.expires_at and l.owner is not null
                and l.cause is null order by l.due_at limit $2 for update skip locked
         ), up as (
             select d.lease_number, o.scope, o.parent, coalesce(o.ended_at, o.ends_at) as ends_at, 1 as depth
               from due d join leasehold.owners o on o.scope = d.scope and o.owner = d.owner
             union all
             select up.lease_number, o.scope, o.parent, coalesce(o.ended_at, o.ends_at), up.depth + 1
               from up join leasehold.owners o on o.scope = up.scope and o.owner = up.parent
              where up.depth < 1000
         ), fresh as (
             select d.lease_number, least(d.expires_at, pg_catalog.min(up.ends_at)) as due_at
               from due d left join up using (lease_number) group by d.lease_number, d.expires_at
         ), moved as (
             update leasehold.live_leases l set due_at = f.due_at
               from fresh f where l.lease_number = f.lease_number and f.due_at > $1
         )
         select";

/// The next owner whose end has come nearer, none of `except`: each a scope and an owner in it.
pub fn take(db: &mut SpiClient<'_>, except: &[(String, String)]) -> Result<Option<Nearer>, Fault> {
    let (scopes, owners): (Vec<String>, Vec<String>) = except.iter().cloned().unzip();
    let found = rows(db, TAKE, &[scopes.into(), owners.into()])?;
    if found.is_empty() {
        return Ok(None);
    }
    let row = found.first();
    Ok(Some(Nearer {
        scope: row.get(1)?.unwrap_or_default(),
        owner: row.get(2)?.unwrap_or_default(),
        ended: row.get(3)?.unwrap_or_default(),
        ends_at: row.get::<TimestampWithTimeZone>(4)?.map(micros),
    }))
}

/// Passes it on to at most `at_most` children; how many there were. Those whose row somebody holds are passed by; of an owner that
/// lives on all are told or none.
pub fn children(db: &mut SpiClient<'_>, of: &Nearer, now: i64, at_most: i64) -> Result<i64, Fault> {
    let args = [
        of.scope.as_str().into(),
        of.owner.as_str().into(),
        of.ended.into(),
        instant(now).into(),
        at_most.into(),
    ];
    count(rows(db, CHILDREN, &args)?)
}

/// True if there are children that it has not been passed on to.
pub fn has_children_left(db: &mut SpiClient<'_>, of: &Nearer) -> Result<bool, Fault> {
    let args = [
        of.scope.as_str().into(),
        of.owner.as_str().into(),
        of.ended.into(),
    ];
    Ok(rows(db, CHILDREN_LEFT, &args)?
        .first()
        .get_one()?
        .unwrap_or(true))
}

/// Locks at most `at_most` of its leases that would end later than `ends_at`; those whose row somebody holds are passed by.
pub fn later(
    db: &mut SpiClient<'_>,
    of: &Nearer,
    ends_at: i64,
    at_most: i64,
) -> Result<Vec<i64>, Fault> {
    let args = [
        of.scope.as_str().into(),
        of.owner.as_str().into(),
        instant(ends_at).into(),
        at_most.into(),
    ];
    rows(db, LATER, &args)?
        .map(|row| Ok(row.get(1)?.unwrap_or_default()))
        .collect()
}

/// Makes these leases, whose rows are locked, due at `ends_at`.
pub fn move_to(db: &mut SpiClient<'_>, leases: &[i64], ends_at: i64) -> Result<(), Fault> {
    rows(db, MOVE, &[leases.to_vec().into(), instant(ends_at).into()]).map(|_| ())
}

/// Counts the leases that are left because somebody holds their row; if they are `over`, their end is noted beside them.
pub fn held(db: &mut SpiClient<'_>, of: &Nearer, ends_at: i64, over: bool) -> Result<i64, Fault> {
    let args = [
        of.scope.as_str().into(),
        of.owner.as_str().into(),
        instant(ends_at).into(),
        over.into(),
    ];
    count(rows(db, HELD, &args)?)
}

/// Notes that all below an owner knows.
pub fn done(db: &mut SpiClient<'_>, of: &Nearer) -> Result<(), Fault> {
    rows(
        db,
        DONE,
        &[of.scope.as_str().into(), of.owner.as_str().into()],
    )
    .map(|_| ())
}

/// Works out anew the end of leases that are due by their owners, the `at_most` that are due longest, and moves those
/// whose owners have been given more time.
pub fn postpone(db: &mut SpiClient<'_>, now: i64, at_most: i64) -> Result<(), Fault> {
    rows(db, POSTPONE, &[instant(now).into(), at_most.into()]).map(|_| ())
}

fn count(table: pgrx::spi::SpiTupleTable<'_>) -> Result<i64, Fault> {
    Ok(table.first().get_one()?.unwrap_or(0))
}
