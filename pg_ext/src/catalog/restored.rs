//! After a restore: logins have new OIDs, or are not there at all. Leases are matched with them by label and name.

use super::ask::{rows, write};
use super::ending;
use crate::core::label::Installation;
use pgrx::datum::TimestampWithTimeZone;

/// Matches every live lease with its login again. One without a login has ended, by the restore.
pub fn settle_in(installation: Installation, now: TimestampWithTimeZone) {
    // An old OID may be another lease's new one, so all that are wrong give theirs up first. The stand-ins are
    // OIDs that a server reaches last.
    write(
        "with wrong as (
            select l.lease_number, pg_catalog.row_number() over () as rank
              from leasehold.live_leases l
             where l.login_oid is not null and exists (
                   select from pg_catalog.pg_shseclabel s join pg_catalog.pg_authid a on a.oid = s.objoid
                    where s.provider = 'leasehold' and s.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass
                      and s.label = $1 || '/' || l.lease_number::text and a.rolname = l.login and a.oid <> l.login_oid))
         update leasehold.live_leases l set login_oid = (4294967295 - w.rank)::oid
           from wrong w where l.lease_number = w.lease_number",
        &[installation.to_string().into()],
    );
    write(
        "update leasehold.live_leases l set login_oid = a.oid
           from pg_catalog.pg_shseclabel s join pg_catalog.pg_authid a on a.oid = s.objoid
          where s.provider = 'leasehold' and s.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass
            and s.label = $1 || '/' || l.lease_number::text and a.rolname = l.login and a.oid <> l.login_oid",
        &[installation.to_string().into()],
    );
    let without: Vec<i64> = rows(
        "select l.lease_number from leasehold.live_leases l
          where l.state = 'active' and l.login_oid is not null
            and not exists (select from pg_catalog.pg_authid a where a.oid = l.login_oid)
          for update skip locked",
        &[],
        |row| row.must(1),
    );
    ending::mark_fenced(&without, now, Some("restored"), None);
}
