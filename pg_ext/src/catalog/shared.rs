//! The groups that hold the grants of shared recipes.

use super::ask;
use super::labels::label_of;
use super::plan::rows;
use crate::core::error::Fault;
use crate::core::label::Installation;
use pgrx::pg_sys::Oid;
use pgrx::spi::SpiClient;

/// A group as it is kept.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its number, which its label carries.
    pub number: i64,
    /// Its name in PostgreSQL.
    pub name: String,
    /// Its OID, which a restore makes stale.
    pub oid: Oid,
    /// What its grants came from and came to when they were given last; `None` if they never were.
    pub fingerprint: Option<Vec<u8>>,
}

/// Which recipe a group is for, and what is to become of what it owns in the end.
pub struct Wanted<'a> {
    /// The recipe's scope, name and digest.
    pub recipe: (&'a str, &'a str, &'a str),
    /// Who gets what the group owns: name and OID.
    pub reassign_to: Option<(&'a str, Oid)>,
    /// Or is it dropped?
    pub drop_owned: bool,
}

const FIND: &str = "select group_number, group_role::text, group_oid, fingerprint from leasehold.shared_groups where digest = $1";
const LOCK: &str = "select group_number, group_role::text, group_oid, fingerprint from leasehold.shared_groups where digest = $1
            for update";
const CLAIM: &str = "insert into leasehold.shared_groups (scope, role_name, digest, reassign_to, reassign_to_oid, drop_owned)
         values ($1, $2, $3, $4::name, $5, $6) on conflict (digest) do nothing";
const NAME: &str =
    "update leasehold.shared_groups set group_role = $2::name, group_oid = $3, fingerprint = null
          where group_number = $1";
const APPLIED: &str =
    "update leasehold.shared_groups set fingerprint = $2, applied_at = pg_catalog.clock_timestamp()
          where group_number = $1";

/// The group of the recipe with this digest.
pub fn find(db: &mut SpiClient<'_>, digest: &str) -> Result<Option<Group>, Fault> {
    read(rows(db, FIND, &[digest.into()])?)
}

/// The same; its row stays locked.
pub fn lock(db: &mut SpiClient<'_>, digest: &str) -> Result<Option<Group>, Fault> {
    read(rows(db, LOCK, &[digest.into()])?)
}

fn read(found: pgrx::spi::SpiTupleTable<'_>) -> Result<Option<Group>, Fault> {
    if found.is_empty() {
        return Ok(None);
    }
    let row = found.first();
    let absent = || Fault::Internal("a column of leasehold.shared_groups is null".into());
    Ok(Some(Group {
        number: row.get(1)?.ok_or_else(absent)?,
        name: row.get(2)?.unwrap_or_default(),
        oid: row.get(3)?.unwrap_or(Oid::INVALID),
        fingerprint: row.get(4)?,
    }))
}

/// Makes the row of a group, without a role yet. If somebody else was first, we have waited for them to commit.
pub fn claim(db: &mut SpiClient<'_>, wanted: &Wanted<'_>) -> Result<(), Fault> {
    let (scope, name, digest) = wanted.recipe;
    rows(
        db,
        CLAIM,
        &[
            scope.into(),
            name.into(),
            digest.into(),
            wanted.reassign_to.map(|(heir, _)| heir).into(),
            wanted.reassign_to.map(|(_, oid)| oid).into(),
            wanted.drop_owned.into(),
        ],
    )
    .map(drop)
}

/// Writes which role the group is; its grants are not given yet.
pub fn name(db: &mut SpiClient<'_>, number: i64, role: (&str, Oid)) -> Result<(), Fault> {
    rows(db, NAME, &[number.into(), role.0.into(), role.1.into()]).map(drop)
}

/// Writes what the group's grants came from and came to.
pub fn applied(db: &mut SpiClient<'_>, number: i64, fingerprint: &[u8]) -> Result<(), Fault> {
    rows(db, APPLIED, &[number.into(), fingerprint.to_vec().into()]).map(drop)
}

/// Everything that is granted to `group` in this database and on objects of the whole cluster, as one text that differs
/// for other grants: object, privilege, grant option and grantor.
pub fn holdings(group: Oid) -> String {
    let list = |catalog: &str, column: &str| {
        format!(
            "when 'pg_catalog.{catalog}'::pg_catalog.regclass then
                (select pg_catalog.string_agg(x::pg_catalog.text, ' ' order by x::pg_catalog.text)
                   from pg_catalog.{catalog} o, pg_catalog.aclexplode(o.{column}) x where o.oid = d.objid and x.grantee = $1)"
        )
    };
    let lists = [
        ("pg_class", "relacl"),
        ("pg_proc", "proacl"),
        ("pg_namespace", "nspacl"),
        ("pg_type", "typacl"),
        ("pg_database", "datacl"),
        ("pg_tablespace", "spcacl"),
        ("pg_foreign_data_wrapper", "fdwacl"),
        ("pg_foreign_server", "srvacl"),
    ]
    .map(|(catalog, column)| list(catalog, column))
    .join(" ");
    let text = format!(
        "select coalesce(pg_catalog.string_agg(pg_catalog.format('%s %s %s %s', h.classid, h.objid, h.objsubid, h.held), ';'
                         order by h.classid, h.objid, h.objsubid), '')
           from (select d.classid, d.objid, d.objsubid,
                        case when d.objsubid <> 0 then
                            (select pg_catalog.string_agg(x::pg_catalog.text, ' ' order by x::pg_catalog.text)
                               from pg_catalog.pg_attribute o, pg_catalog.aclexplode(o.attacl) x
                              where o.attrelid = d.objid and o.attnum = d.objsubid and x.grantee = $1)
                        else case d.classid {lists} end end as held
                   from pg_catalog.pg_shdepend d
                  where d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass and d.refobjid = $1 and d.deptype = 'a'
                    and d.dbid in (0, $2)) h"
    );
    let here = crate::ffi::xact::my_database();
    ask::rows_once(&text, &[group.into(), here.into()], |row| row.must(1))
        .pop()
        .unwrap_or_default()
}

/// A group that no recipe and no login needs any more.
pub struct Unneeded {
    /// Its number.
    pub number: i64,
    /// The role, if it is there and ours.
    pub role: Option<Oid>,
    /// Where something depends on it; 0 stands for objects of the whole cluster.
    pub databases: Vec<Oid>,
    /// Who gets what it owns.
    pub reassign_to: Option<Oid>,
    /// Whether what it owns is to be dropped.
    pub drop_owned: bool,
}

/// Groups whose recipe is gone or says something else now, and that no login with a lease is a member of; those that are
/// to be tried now, with their rows locked.
pub fn take_unneeded(installation: Installation, at_most: i64) -> Vec<Unneeded> {
    ask::rows(
        concat!(
            "select g.group_number, case when s.label = 'shared/' || $1 || '/' || g.group_number::text then a.oid end,
                array(select distinct d.dbid from pg_catalog.pg_shdepend d
                       where d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass and d.refobjid = a.oid),
                g.reassign_to_oid, g.drop_owned
           from leasehold.shared_groups g
           left join pg_catalog.pg_authid a on a.rolname = g.group_role ",
            label_of!("a.oid"),
            "where g.next_attempt_at <= pg_catalog.clock_timestamp()
            and not exists (select from leasehold.recipes r where r.scope = g.scope and r.role_name = g.role_name
                               and r.digest = g.digest and r.dropped_at is null)
            and not exists (select from pg_catalog.pg_auth_members m
                              join leasehold.live_leases l on l.login_oid = m.member where m.roleid = a.oid)
          order by g.next_attempt_at limit $2 for update of g skip locked"
        ),
        &[installation.to_string().into(), at_most.into()],
        |row| Unneeded {
            number: row.must(1),
            role: row.get(2),
            databases: row.must(3),
            reassign_to: row.get(4),
            drop_owned: row.must(5),
        },
    )
}

/// Whether a login with a lease is a member of `group`.
pub fn has_logins(group: Oid) -> bool {
    ask::rows(
        "select exists (select from pg_catalog.pg_auth_members m
                          join leasehold.live_leases l on l.login_oid = m.member where m.roleid = $1)",
        &[group.into()],
        |row| row.must(1),
    )
    .pop()
    .unwrap_or(true)
}

/// Whether a login with a mark of ours is a member of `group`; asked of the shared catalogs alone, so in any database.
pub fn has_marked_members(group: Oid) -> bool {
    ask::rows(
        concat!(
            "select exists (select from pg_catalog.pg_auth_members m ",
            label_of!("m.member"),
            "where m.roleid = $1 and s.label is not null)"
        ),
        &[group.into()],
        |row| row.must(1),
    )
    .pop()
    .unwrap_or(true)
}

/// Forgets a group that is gone.
pub fn forget(number: i64) {
    ask::write(
        "delete from leasehold.shared_groups where group_number = $1",
        &[number.into()],
    );
}

/// How often removing a group has failed.
pub fn attempts(number: i64) -> i32 {
    ask::rows(
        "select g.attempts from leasehold.shared_groups g where g.group_number = $1",
        &[number.into()],
        |row| row.must(1),
    )
    .pop()
    .unwrap_or(0)
}

/// Writes why a group could not be removed, and when to try again.
pub fn put_off(number: i64, reason: &str, wait_seconds: i64) {
    ask::write(
        "update leasehold.shared_groups
            set attempts = attempts + 1, last_error = $2,
                next_attempt_at = pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => $3::double precision)
          where group_number = $1",
        &[number.into(), reason.into(), wait_seconds.into()],
    );
}
