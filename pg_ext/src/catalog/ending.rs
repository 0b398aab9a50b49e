//! The rows of leases that are ending, and of the PostgreSQL roles behind them.

use super::ask::{Row, look, rows, write};
use super::labels::label_of;
use crate::core::label::Installation;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys;

/// A lease whose row is locked by this transaction, and what became of its login.
#[derive(Debug, Clone)]
pub struct Marked {
    /// Its internal number.
    pub number: i64,
    /// The login it made, if it made one.
    pub login: Option<pg_sys::Oid>,
    /// What the login's mark says about it.
    pub mark: Mark,
}

impl Marked {
    /// As the first five columns of a [`marked!`] statement say.
    pub(super) fn read(row: &Row) -> Self {
        Self {
            number: row.must(1),
            login: row.get(2),
            mark: Mark::of(row.must(3), row.get(4), row.must(5)),
        }
    }
}

/// A statement that reads leases `l` with their logins `a` and the marks of these: the parameter that is the installation,
/// further columns, further tables, and which leases.
macro_rules! marked {
    ($installation:literal, $columns:literal, $tables:literal, $($which:literal),+) => {
        concat!(
            "select l.lease_number, l.login_oid, a.oid is not null, s.label = ",
            $installation,
            " || '/' || l.lease_number::text, coalesce(a.rolname = l.login, false)",
            $columns,
            "
           from leasehold.live_leases l
           left join pg_catalog.pg_authid a on a.oid = l.login_oid
           ",
            label_of!("a.oid"),
            $tables,
            " where ",
            $($which),+
        )
    };
}
pub(super) use marked;

/// What became of the login that a lease made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It is there and carries the mark of exactly this lease.
    Ours,
    /// It is there under its OID and its name, and its mark was taken off. It is fenced as any other, and not dropped.
    Bare,
    /// There is a role with its OID, but it has another's mark, or another name and none: not to be touched.
    Foreign,
    /// There is no such role.
    Absent,
}

impl Mark {
    /// Whether there is a role with the OID, whether its label is this lease's (`None` without a label), and whether it has
    /// the login's name.
    pub fn of(present: bool, ours: Option<bool>, same_name: bool) -> Self {
        match (present, ours) {
            (false, _) => Self::Absent,
            (true, Some(true)) => Self::Ours,
            (true, None) if same_name => Self::Bare,
            (true, _) => Self::Foreign,
        }
    }

    /// True if the login may be fenced and its sessions ended.
    pub fn is_to_be_fenced(self) -> bool {
        matches!(self, Self::Ours | Self::Bare)
    }
}

/// Takes over the ends that were asked for while somebody held the lease's row, as far as it is free now.
pub fn absorb_end_requests(now: TimestampWithTimeZone) {
    write(
        "with free as (
            select l.lease_number from leasehold.live_leases l
             where l.lease_number = any (array(select r.lease_number from leasehold.end_requests r limit 500))
               and l.fenced_at is null for update of l skip locked),
         taken as (
            update leasehold.live_leases l
               set due_at = least(l.due_at, $1), cause = coalesce(l.cause, r.cause), ended_by = coalesce(l.ended_by, r.ended_by)
              from leasehold.end_requests r join free f using (lease_number)
             where l.lease_number = r.lease_number
         returning l.lease_number)
         delete from leasehold.end_requests r
          where r.lease_number in (select t.lease_number from taken t)
             or not exists (select from leasehold.live_leases l where l.lease_number = r.lease_number and l.state = 'active')",
        &[now.into()],
    );
}

/// Locks and returns active leases that are due at `now`, earliest first, but none of `except` and none whose row
/// somebody else holds.
pub fn take_due(
    installation: Installation,
    now: TimestampWithTimeZone,
    except: &[i64],
    at_most: i64,
) -> Vec<Marked> {
    rows(
        marked!(
            "$4",
            "",
            "",
            "l.state = 'active' and l.due_at <= $1 and l.lease_number <> all ($2)
              order by l.due_at limit $3 for update of l skip locked"
        ),
        &[
            now.into(),
            except.to_vec().into(),
            at_most.into(),
            installation.to_string().into(),
        ],
        |row| Marked::read(&row),
    )
}

/// Locks and returns those of `numbers` that are active, but for those that somebody else holds.
pub fn lock_active(installation: Installation, numbers: &[i64]) -> Vec<Marked> {
    rows(
        marked!(
            "$2",
            "",
            "",
            "l.fenced_at is null and l.lease_number = any ($1) for update of l skip locked"
        ),
        &[numbers.to_vec().into(), installation.to_string().into()],
        |row| Marked::read(&row),
    )
}

/// Locks the rows of these logins, but for those that somebody else holds, and returns those it got.
pub fn lock_logins(logins: &[pg_sys::Oid]) -> Vec<pg_sys::Oid> {
    rows(
        "select a.oid from pg_catalog.pg_authid a where a.oid = any ($1) for update skip locked",
        &[logins.to_vec().into()],
        |row| row.must(1),
    )
}

/// Makes these logins, whose rows this transaction has locked, unable to log in by any method, and takes away their
/// memberships: a fenced login's functions would lend its powers to others. Returns those with a membership that
/// somebody else is changing right now; they are not fenced yet.
pub fn disarm(logins: &[pg_sys::Oid], now: TimestampWithTimeZone) -> Vec<pg_sys::Oid> {
    write(
        "update pg_catalog.pg_authid
            set rolcanlogin = false, rolpassword = null, rolvaliduntil = least(rolvaliduntil, $2)
          where oid = any ($1)",
        &[logins.to_vec().into(), now.into()],
    );
    // By their places: joined by their columns, every membership of the cluster would be read.
    write(
        "delete from pg_catalog.pg_auth_members d where d.ctid = any (array(
            select m.ctid from pg_catalog.pg_auth_members m
             where m.member = any ($1) or m.roleid = any ($1) for update skip locked))",
        &[logins.to_vec().into()],
    );
    rows(
        // Two questions, each answered by an index. Without the OFFSET, which keeps the planner from hashing all
        // memberships of the cluster, both would read every one of them; and without the range of one, the second: nearly all
        // may be of one group, and then the planner expects a member of this login anywhere.
        "select x.login from pg_catalog.unnest($1) x (login)
          where exists (select from pg_catalog.pg_auth_members m where m.member = x.login offset 0)
             or exists (select from pg_catalog.pg_auth_members m where m.roleid between x.login and x.login offset 0)",
        &[logins.to_vec().into()],
        |row| row.must(1),
    )
}

/// Why leases are fenced.
#[derive(Debug, Clone, Copy)]
pub enum Why<'a> {
    /// They are revoked, by this role.
    Revoked(&'a str),
    /// Their owner has ended, or one above it.
    Owner,
    /// They are due: for the cause that their rows name, else for what their ends say.
    Due,
    /// Their login is not there any more: what has ended them instead of us.
    Lost(&'a str),
}

/// Writes that these leases are fenced, and tells their stores.
pub fn mark_fenced(numbers: &[i64], now: TimestampWithTimeZone, why: Why<'_>, error: Option<&str>) {
    if numbers.is_empty() {
        return;
    }
    let (by, cause) = match why {
        Why::Revoked(by) => (Some(by), None),
        Why::Owner => (None, Some("owner")),
        Why::Due => (None, None),
        Why::Lost(cause) => (None, Some(cause)),
    };
    write(
        "with fenced as (
            update leasehold.live_leases l
               set state = 'fenced', fenced_at = $2, due_at = least(l.due_at, $2), next_attempt_at = $2, attempts = 0, last_error = $3,
                   cause = case when $5::name is not null then 'revoked'
                           else coalesce(l.cause, $4, case when l.due_at < least(l.expires_at, l.cap_at) then 'owner' else 'expired' end) end,
                   ended_by = coalesce($5::name, l.ended_by)
             where l.lease_number = any ($1)
         returning l.scope, l.lease_number, l.lease_id, l.expires_at, l.cause)
         insert into leasehold.outbox (scope, lease_number, lease_id, kind, expires_at, cause)
         select f.scope, f.lease_number, f.lease_id, 'ended', f.expires_at, f.cause from fenced f where f.scope <> 'sql'",
        &[numbers.to_vec().into(), now.into(), error.into(), cause.into(), by.into()],
    );
    write(
        "delete from leasehold.end_requests where lease_number = any ($1)",
        &[numbers.to_vec().into()],
    );
}

/// Writes why these leases could not be ended whole, and when to try again. `active` ones stay due.
pub fn mark_failed(number: i64, error: &str, wait_seconds: i64) {
    write(
        "update leasehold.live_leases
            set attempts = attempts + 1, last_error = $2,
                next_attempt_at = case when state = 'fenced' then pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => $3::double precision) end
          where lease_number = $1",
        &[number.into(), error.into(), wait_seconds.into()],
    );
}

/// The logins of leases that are fenced or past their end, asked without locking anything.
pub fn ended_logins(installation: Installation, now: TimestampWithTimeZone) -> Vec<pg_sys::Oid> {
    look(
        concat!("select l.login_oid
           from (select f.lease_number, f.login, f.login_oid from leasehold.live_leases f where f.state = 'fenced'
                  union all
                 select d.lease_number, d.login, d.login_oid from leasehold.live_leases d where d.state = 'active' and d.due_at <= $1) l
           join pg_catalog.pg_authid a on a.oid = l.login_oid ",
          label_of!("l.login_oid"),
          "where (s.label = $2 || '/' || l.lease_number::text or s.label is null and a.rolname = l.login)"),
        &[now.into(), installation.to_string().into()],
        |row| row.must(1),
    )
}
