//! After a restore: logins have new OIDs, or are not there at all. Leases are matched with them by label and name.

use super::ask::{rows, write};
use super::ending::{self, Why};
use super::labels::label_of;
use crate::core::label::Installation;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys;

/// True if the newest or the oldest active lease is not matched with its login: after a restore none is.
pub fn is_suspect(installation: Installation) -> bool {
    rows(
        "select exists (
            select from (
                (select l.lease_number, l.login_oid from leasehold.live_leases l
                  where l.state = 'active' and l.login_oid is not null order by l.lease_number limit 1)
                union all
                (select l.lease_number, l.login_oid from leasehold.live_leases l
                  where l.state = 'active' and l.login_oid is not null order by l.lease_number desc limit 1)) l
             where not exists (
                select from pg_catalog.pg_shseclabel s
                 where s.objoid = l.login_oid and s.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass
                   and s.provider = 'leasehold' and s.label = $1 || '/' || l.lease_number::text offset 0))",
        &[installation.to_string().into()],
        |row| row.must(1),
    )
    .pop()
    .unwrap_or(false)
}

/// Who gets what logins own is another OID by now; one that is not there gets a stand-in, so that nobody else inherits.
fn find_heirs() {
    macro_rules! of {
        ($table:literal) => {
            concat!(
                "update ",
                $table,
                " t set reassign_to_oid = coalesce((select a.oid from pg_catalog.pg_authid a where a.rolname = t.reassign_to), 4294967295::oid)
                  where t.reassign_to is not null"
            )
        };
    }
    write(of!("leasehold.live_leases"), &[]);
    write(of!("leasehold.shared_groups"), &[]);
}

/// Matches every live lease with its login again. One without a login has ended, by the restore.
pub fn settle_in(installation: Installation, now: TimestampWithTimeZone) {
    // An old OID may be another lease's new one, so all that are wrong give theirs up first. The stand-ins are
    // OIDs that a server reaches last. From mark to login to lease, each by its key: in time that grows with the marks,
    // whatever the planner expects (see `labels.rs`).
    let strayed: Vec<(i64, pg_sys::Oid)> = rows(
        "with strayed as materialized (
            select a.oid, l.lease_number, pg_catalog.row_number() over () as rank
              from pg_catalog.pg_shseclabel s
             cross join lateral (
                   select x.oid, x.rolname from pg_catalog.pg_authid x where x.oid = s.objoid offset 0) a
             cross join lateral (
                   select x.lease_number, x.login, x.login_oid from leasehold.live_leases x
                    where x.lease_number = pg_catalog.substring(s.label, '^' || $1 || '/([0-9]{1,18})$')::bigint offset 0) l
             where s.provider = 'leasehold' and s.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass
               and a.rolname = l.login and a.oid <> l.login_oid)
         update leasehold.live_leases l set login_oid = (4294967295 - s.rank)::oid
           from strayed s where l.lease_number = s.lease_number
         returning l.lease_number, s.oid",
        &[installation.to_string().into()],
        |row| (row.must(1), row.must(2)),
    );
    let (numbers, logins): (Vec<i64>, Vec<pg_sys::Oid>) = strayed.into_iter().unzip();
    let matched = write(
        "update leasehold.live_leases l set login_oid = x.login
           from rows from (pg_catalog.unnest($1), pg_catalog.unnest($2)) x (lease_number, login)
          where l.lease_number = x.lease_number",
        &[numbers.into(), logins.into()],
    );
    let all: i64 = rows(
        "select pg_catalog.count(*) from leasehold.live_leases l where l.state = 'active' and l.login_oid is not null",
        &[],
        |row| row.must(1),
    )
    .pop()
    .unwrap_or(0);
    // An OID that now is a stranger's is no login of ours either: it gets a stand-in too. So does the login of another
    // installation: this one is a copy that was given a label of its own.
    let without: Vec<i64> = rows(
        concat!(
            "with without as (
            select l.lease_number, pg_catalog.row_number() over () as rank
              from leasehold.live_leases l
             where l.state = 'active' and l.login_oid is not null
               and not exists (
                   select from pg_catalog.pg_authid a ",
            label_of!("a.oid"),
            "where a.oid = l.login_oid
                      and (a.rolname = l.login and coalesce(pg_catalog.split_part(s.label, '/', 1) = $1, true)
                           or s.label = $1 || '/' || l.lease_number::text) offset 0))
         update leasehold.live_leases l set login_oid = (4200000000 - w.rank)::oid
           from without w where l.lease_number = w.lease_number
         returning l.lease_number"
        ),
        &[installation.to_string().into()],
        |row| row.must(1),
    );
    // Somebody may just have dropped a login by hand; a restore leaves its trace on all of them.
    let restored = matched > 0 || i64::try_from(without.len()).is_ok_and(|gone| gone == all);
    let cause = if restored { "restored" } else { "external" };
    if matched > 0 {
        find_heirs();
    }
    ending::mark_fenced(&without, now, Why::Lost(cause), None);
}
