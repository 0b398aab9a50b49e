//! What depends on a login in the database that we are in, asked of the system catalogs alone.

use super::ask::rows;
use super::held;
use crate::ffi::acl::Entry;
use pgrx::pg_sys;

/// Something that depends on a login.
pub struct Dependent {
    /// The catalog, the object and its column.
    pub entry: Entry,
    /// How it depends.
    pub kind: Kind,
}

/// How something depends on a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It names the login in its access control list.
    Granted,
    /// It is a row security policy that names the login.
    Policy,
    /// The login owns it, and it holds nothing of value: default privileges, user mappings, temporary things.
    Trifle,
    /// The login owns it, and it may hold people's data.
    Owned,
    /// Something that this version does not know.
    Other,
}

/// Everything that depends on `login` in this database, and of the whole cluster where `shared` is asked for.
pub fn of(login: pg_sys::Oid, shared: bool) -> Vec<Dependent> {
    rows(
        "select d.classid, d.objid, d.objsubid,
                case when d.deptype = 'a' then 0
                     when d.deptype = 'r' then 1
                     when d.deptype = 'o' and (d.classid in ('pg_catalog.pg_default_acl'::pg_catalog.regclass,
                                                             'pg_catalog.pg_user_mapping'::pg_catalog.regclass)
                          or c.relpersistence = 't') then 2
                     when d.deptype = 'o' then 3
                     else 4 end
           from pg_catalog.pg_shdepend d
           left join pg_catalog.pg_class c on d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and c.oid = d.objid
          where d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass and d.refobjid = $1
            and (d.dbid = $2 or ($3 and d.dbid = 0))",
        &[login.into(), crate::ffi::xact::my_database().into(), shared.into()],
        |row| Dependent {
            entry: Entry { class: row.must(1), object: row.must(2), column: row.must(3) },
            kind: match row.must::<i32>(4) {
                0 => Kind::Granted,
                1 => Kind::Policy,
                2 => Kind::Trifle,
                3 => Kind::Owned,
                _ => Kind::Other,
            },
        },
    )
}

/// The names of the prepared transactions in this database that keep `login` from its end.
pub fn prepared(login: pg_sys::Oid) -> Vec<String> {
    let here = crate::ffi::xact::my_database();
    held::prepared_against(login)
        .into_iter()
        .filter(|each| each.database == here)
        .map(|each| each.gid)
        .collect()
}

/// The casts from and to the types that `login` owns in this database, but for those that came with a type.
pub fn casts(login: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    rows(
        "select c.oid from pg_catalog.pg_cast c
          where exists (select from pg_catalog.pg_type t
                         where t.typowner = $1 and (t.oid = c.castsource or t.oid = c.casttarget))
            and not exists (select from pg_catalog.pg_depend d
                             where d.classid = 'pg_catalog.pg_cast'::pg_catalog.regclass and d.objid = c.oid and d.deptype = 'i')",
        &[login.into()],
        |row| row.must(1),
    )
}

/// Databases in which something depends on `login`; that of shared objects is this one.
pub fn databases_of(login: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    rows(
        "select distinct case when d.dbid = 0 then $2 else d.dbid end from pg_catalog.pg_shdepend d
          where d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass and d.refobjid = $1
         union
         select x.dbid from pg_catalog.pg_prepared_xact() x where x.ownerid = $1",
        &[login.into(), crate::ffi::xact::my_database().into()],
        |row| row.must(1),
    )
}

/// How the login of an unknown installation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranger {
    /// It can log in, or lend what it is a member of.
    Armed,
    /// It is fenced, and its day of grace is not over.
    Waiting,
    /// It is fenced, and nobody has claimed it for a day.
    Forfeit,
}

/// How `login` stands; `None` if it is gone. The instant of its fence is its `VALID UNTIL`.
pub fn stranger(login: pg_sys::Oid) -> Option<Stranger> {
    rows(
        "select case when a.rolcanlogin or a.rolpassword is not null
                          or exists (select from pg_catalog.pg_auth_members m where m.member = a.oid offset 0)
                          or exists (select from pg_catalog.pg_auth_members m where m.roleid between a.oid and a.oid offset 0) then 0
                     when a.rolvaliduntil < pg_catalog.now() - interval '24 hours' then 2
                     else 1 end
           from pg_catalog.pg_authid a where a.oid = $1",
        &[login.into()],
        |row| match row.must::<i32>(1) {
            0 => Stranger::Armed,
            2 => Stranger::Forfeit,
            _ => Stranger::Waiting,
        },
    )
    .pop()
}
