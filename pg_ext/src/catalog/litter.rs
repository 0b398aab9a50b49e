//! What is left of fenced leases: the role, and what depends on it in which database.

use super::ask::{rows, write};
use super::ending::{Mark, Marked, marked};
use super::labels::label_of;
use crate::core::label::Installation;
use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use pgrx::pg_sys;

/// A fenced lease that is tried again, and what it still needs.
#[derive(Debug, Clone)]
pub struct Fenced {
    /// Its internal number.
    pub number: i64,
    /// The login it made, if it made one.
    pub login: Option<pg_sys::Oid>,
    /// Whether the login is there and ours.
    pub mark: Mark,
    /// True if somebody has given the login a way back in since it was fenced.
    pub armed: bool,
    /// How often it has failed before.
    pub attempts: i32,
    /// True if the recipe has ending statements that have not run yet.
    pub statements: bool,
    /// The databases where something depends on the login; 0 stands for objects of the whole cluster.
    pub databases: Vec<pg_sys::Oid>,
    /// Who gets what the login owns.
    pub reassign_to: Option<pg_sys::Oid>,
    /// Whether what the login owns is to be dropped.
    pub drop_owned: bool,
}

/// Fenced leases whose attempt is due, or the one of them that is named.
macro_rules! due_attempts {
    ($only:literal) => {
        concat!(
            "select l.lease_number, l.login_oid from leasehold.live_leases l
              where l.state = 'fenced' and l.next_attempt_at <= $1 and l.lease_number <> all ($2) ",
            $only,
            " order by l.next_attempt_at limit $3 for update of l skip locked"
        )
    };
}

/// Locks and returns fenced leases whose next attempt is due at `now`, with the OIDs of the logins that they made, but none of `except`
/// and none that somebody holds; `only` that one, if it is named. What became of a login is asked by [`marks`] or [`needs`], once.
pub fn take_fenced(
    now: TimestampWithTimeZone,
    except: &[i64],
    at_most: i64,
    only: Option<i64>,
) -> Vec<(i64, Option<pg_sys::Oid>)> {
    let values: [DatumWithOid<'_>; 4] = [
        now.into(),
        except.to_vec().into(),
        at_most.into(),
        only.into(),
    ];
    let (text, values) = match only {
        None => (due_attempts!(""), &values[..3]),
        Some(_) => (due_attempts!("and l.lease_number = $4"), &values[..]),
    };
    rows(text, values, |row| (row.must(1), row.get(2)))
}

/// What became of the logins of these leases, whose rows the caller has locked.
pub fn marks(installation: Installation, numbers: &[i64]) -> Vec<Marked> {
    rows(
        marked!("$2", "", "", "l.lease_number = any ($1)"),
        &[numbers.to_vec().into(), installation.to_string().into()],
        |row| Marked::read(&row),
    )
}

/// What these fenced leases, whose rows the caller has locked, still need. Members are looked for in a range of one: nearly all
/// memberships may be of one group, and of an equal `roleid` the planner then expects a member anywhere, and reads them all.
pub fn needs(installation: Installation, numbers: &[i64]) -> Vec<Fenced> {
    rows(
        marked!(
            "$2",
            ",
                coalesce(a.rolcanlogin or a.rolpassword is not null
                         or exists (select from pg_catalog.pg_auth_members m where m.member = a.oid offset 0)
                         or exists (select from pg_catalog.pg_auth_members m where m.roleid between a.oid and a.oid offset 0), false),
                l.attempts,
                l.statements_ran_at is null and exists (
                    select from pg_catalog.unnest(case when r.digest is null then l.revocation_statements else r.revocation_statements end) t (t)
                     where pg_catalog.btrim(t.t, E' \\t\\n\\r;') <> ''),
                array(select distinct d.dbid from pg_catalog.pg_shdepend d
                       where d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass and d.refobjid = a.oid),
                l.reassign_to_oid, l.drop_owned",
            "left join leasehold.recipes r on r.scope = l.scope and r.role_name = l.role_name and r.dropped_at is null",
            "l.lease_number = any ($1)"
        ),
        &[numbers.to_vec().into(), installation.to_string().into()],
        |row| {
            let Marked {
                number,
                login,
                mark,
            } = Marked::read(&row);
            Fenced {
                number,
                login,
                mark,
                armed: row.must(6),
                attempts: row.must(7),
                statements: row.must(8),
                databases: row.must(9),
                reassign_to: row.get(10),
                drop_owned: row.must(11),
            }
        },
    )
}

/// A prepared transaction, by who prepared it.
pub struct Prepared {
    /// Who prepared it.
    pub owner: pg_sys::Oid,
    /// The only database in which it can be ended.
    pub database: pg_sys::Oid,
    /// Its name.
    pub gid: String,
    /// Its transaction.
    pub transaction: pg_sys::TransactionId,
}

/// All prepared transactions of the cluster. Cheap where there can be none.
pub fn prepared() -> Vec<Prepared> {
    rows(
        "select x.ownerid, x.dbid, x.gid, x.transaction from pg_catalog.pg_prepared_xact() x",
        &[],
        |row| Prepared {
            owner: row.must(1),
            database: row.must(2),
            gid: row.must(3),
            transaction: row.must(4),
        },
    )
}

/// The names of these logins, with their rows locked, so that nobody can rename one before it is dropped by name.
pub fn lock_names(logins: &[pg_sys::Oid]) -> Vec<String> {
    rows(
        "select a.rolname::text from pg_catalog.pg_authid a where a.oid = any ($1) for update",
        &[logins.to_vec().into()],
        |row| row.must(1),
    )
}

/// Writes that these leases are gone: out of the live ones, into history. Their request ids stay.
pub fn mark_gone(numbers: &[i64]) {
    write(
        "with gone as (delete from leasehold.live_leases l where l.lease_number = any ($1) returning l.*)
         insert into leasehold.past_leases (lease_number, scope, lease_id, role_name, login, login_oid, owner, display_name,
                issued_by, issued_at, expires_at, fenced_at, gone_at, cause, ended_by, attempts, last_error)
         select g.lease_number, g.scope, g.lease_id, g.role_name, g.login, g.login_oid, g.owner, g.display_name,
                g.issued_by, g.issued_at, g.expires_at, g.fenced_at, pg_catalog.clock_timestamp(),
                coalesce(g.cause, 'expired'), g.ended_by, g.attempts, g.last_error
           from gone g",
        &[numbers.to_vec().into()],
    );
}

/// When the next active lease is due, of those that were not due by `after` already.
pub fn next_end(after: TimestampWithTimeZone) -> Option<pg_sys::TimestampTz> {
    instant(
        "select pg_catalog.min(l.due_at) from leasehold.live_leases l where l.state = 'active' and l.due_at > $1",
        &[after.into()],
    )
}

/// When the next fenced lease is to be tried again, but for those `under_way`.
pub fn next_attempt(under_way: &[i64]) -> Option<pg_sys::TimestampTz> {
    instant(
        "select pg_catalog.min(l.next_attempt_at) from leasehold.live_leases l
          where l.state = 'fenced' and l.lease_number <> all ($1)",
        &[under_way.to_vec().into()],
    )
}

fn instant(text: &'static str, values: &[DatumWithOid]) -> Option<pg_sys::TimestampTz> {
    rows(text, values, |row| {
        row.get::<TimestampWithTimeZone>(1).map(Into::into)
    })
    .pop()
    .flatten()
}

/// How often ending this lease whole has failed.
pub fn attempts(number: i64) -> Option<i32> {
    rows(
        "select l.attempts from leasehold.live_leases l where l.lease_number = $1",
        &[number.into()],
        |row| row.must(1),
    )
    .pop()
}

/// Puts the fenced lease of `login` off for a second, if its attempt is due, and writes why.
pub fn put_off_login(login: pg_sys::Oid, reason: &str) {
    write(
        "update leasehold.live_leases
            set last_error = $2, next_attempt_at = pg_catalog.clock_timestamp() + interval '1 second'
          where login_oid = $1 and state = 'fenced' and next_attempt_at <= pg_catalog.clock_timestamp()",
        &[login.into(), reason.into()],
    );
}

/// What a database is called.
pub fn database_name(database: pg_sys::Oid) -> Option<String> {
    rows(
        "select d.datname::text from pg_catalog.pg_database d where d.oid = $1",
        &[database.into()],
        |row| row.must(1),
    )
    .pop()
}

/// The ending statements of a lease.
pub struct Ending {
    /// The texts: the current recipe's while it exists, else those that the lease has kept.
    pub texts: Vec<String>,
    /// Who defined them; `None` if that role is gone.
    pub definer: Option<pg_sys::Oid>,
    /// The login's name: what it is called now, or was when it was made.
    pub login: Option<String>,
    /// True if it is not there any more, and another role has its name.
    pub namesake: bool,
}

/// The ending statements of this lease, if they have not run yet.
pub fn ending_statements(number: i64) -> Option<Ending> {
    rows(
        concat!(
            "select array(select t.t from pg_catalog.unnest(case when r.digest is null then l.revocation_statements else r.revocation_statements end) t (t)
                       where pg_catalog.btrim(t.t, E' \\t\\n\\r;') <> ''),
                a.oid, coalesce(g.rolname, l.login)::text,
                g.rolname is null and exists (select from pg_catalog.pg_authid n where n.rolname = l.login)
           from leasehold.live_leases l
           left join leasehold.recipes r on r.scope = l.scope and r.role_name = l.role_name and r.dropped_at is null
           left join pg_catalog.pg_authid a on a.oid = coalesce(r.definer_oid, l.definer_oid)
                and a.rolname = coalesce(r.definer, l.definer)
           left join lateral (select x.rolname, s.label from pg_catalog.pg_authid x ",
            label_of!("x.oid"),
            "where x.oid = l.login_oid offset 0) g
                on coalesce(pg_catalog.split_part(g.label, '/', 2) = l.lease_number::text, g.rolname = l.login)
          where l.lease_number = $1 and l.statements_ran_at is null"
        ),
        &[number.into()],
        |row| Ending { texts: row.must(1), definer: row.get(2), login: row.get(3), namesake: row.must(4) },
    )
    .pop()
}

/// Writes that the ending statements of this lease were run, unless that is written, and what went wrong in them.
pub fn mark_statements_ran(number: i64, error: Option<&str>) {
    write(
        "update leasehold.live_leases
            set statements_ran_at = pg_catalog.clock_timestamp(), last_error = coalesce($2, last_error)
          where lease_number = $1 and statements_ran_at is null",
        &[number.into(), error.into()],
    );
}
