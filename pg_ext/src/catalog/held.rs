//! What keeps an end from being written: rows, memberships and tables that somebody holds, and who does. Nothing is locked here.

use super::ask::rows;
use super::labels::label_of;
use super::litter::{self, Prepared};
use crate::core::label::Installation;
use crate::ffi::holders::{self, Holders};
use crate::ffi::xact;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys;

/// A due lease whose row somebody else holds.
pub struct HeldLease {
    /// Its internal number.
    pub number: i64,
    /// Its login.
    pub login: Option<pg_sys::Oid>,
    /// When it was to end.
    pub due_at: pg_sys::TimestampTz,
    /// Whose transactions hold the row, or one of its login's.
    pub holders: Holders,
}

/// Due leases that could not be fenced, asked without locking anything; empty when nothing is held.
pub fn leases(now: TimestampWithTimeZone, installation: Installation) -> Vec<HeldLease> {
    let mut held = rows(
        concat!("select l.lease_number, case when s.label = $2 || '/' || l.lease_number::text or s.label is null and a.rolname = l.login then l.login_oid end,
                least(l.due_at, (select r.requested_at from leasehold.end_requests r where r.lease_number = l.lease_number)),
                l.tableoid, l.ctid
           from leasehold.live_leases l
           left join pg_catalog.pg_authid a on a.oid = l.login_oid ",
          label_of!("l.login_oid"),
          "where l.fenced_at is null and l.lease_number = any (array(
                select d.lease_number from leasehold.live_leases d where d.state = 'active' and d.due_at <= $1
                union select r.lease_number from leasehold.end_requests r))
          order by l.due_at limit 100"),
        &[now.into(), installation.to_string().into()],
        |row| HeldLease {
            number: row.must(1),
            login: row.get(2),
            due_at: row.must::<TimestampWithTimeZone>(3).into(),
            holders: holders::of_row(row.must(4), row.must(5)),
        },
    );
    for lease in &mut held {
        lease
            .holders
            .add(lease.login.map(holders_of_login).unwrap_or_default());
    }
    held
}

/// Whose transactions hold the row of a login, or one of its memberships: while they do it can not be fenced. Whoever changes a
/// role's own password may do so as somebody else, or leave that to a function of its own.
fn holders_of_login(login: pg_sys::Oid) -> Holders {
    let mut all = Holders::default();
    for one in rows(
        "select a.tableoid, a.ctid from pg_catalog.pg_authid a where a.oid = $1
         union all select m.tableoid, m.ctid from pg_catalog.pg_auth_members m where m.member = $1
         union all select m.tableoid, m.ctid from pg_catalog.pg_auth_members m where m.roleid = $1",
        &[login.into()],
        |row| holders::of_row(row.must(1), row.must(2)),
    ) {
        all.add(one);
    }
    all
}

/// The prepared transactions of the cluster that are `login`'s, or hold its row: it may have prepared them as somebody else.
pub fn prepared_against(login: pg_sys::Oid) -> Vec<Prepared> {
    let mut all = litter::prepared();
    if !all.is_empty() {
        let holders = holders_of_login(login).prepared;
        all.retain(|each| each.owner == login || holders.contains(&each.transaction));
    }
    all
}

/// An owner with news for what is below it, whose row somebody holds.
pub struct HeldOwner {
    /// When it ended or ends.
    pub due_at: Option<pg_sys::TimestampTz>,
    /// Whose transactions hold the row.
    pub holders: Holders,
}

/// Owners whose news nobody can carry on, as their rows are held; empty when there are none.
pub fn owners() -> Vec<HeldOwner> {
    let mut held = rows(
        "select o.tableoid, o.ctid, coalesce(o.ended_at, o.ends_at) from leasehold.owners o where o.spread_due limit 100",
        &[],
        |row| HeldOwner {
            due_at: row.get::<TimestampWithTimeZone>(3).map(Into::into),
            holders: holders::of_row(row.must(1), row.must(2)),
        },
    );
    held.retain(|owner| !owner.holders.is_empty());
    held
}

/// Backends of others than superusers that hold a lock on a table of ours, or wait for one, behind which nobody can write.
pub fn who_locks_tables() -> Vec<i32> {
    rows(
        "select l.pid from pg_catalog.pg_locks l
           join pg_catalog.pg_stat_activity s on s.pid = l.pid
           join pg_catalog.pg_authid a on a.oid = s.usesysid and not a.rolsuper
          where l.locktype = 'relation' and l.database = $1
            and l.mode = any ('{ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}')
            and l.relation = any (array(select c.oid from pg_catalog.pg_class c
                                         where c.relnamespace = 'leasehold'::pg_catalog.regnamespace))",
        &[xact::my_database().into()],
        |row| row.must(1),
    )
}
