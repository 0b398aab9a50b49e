//! Roles and their memberships, read from the catalog caches: cheap enough for every issue.

use crate::core::power::Attributes;
use pgrx::pg_sys;

/// The attributes of `role`; `None` if there is no such role.
pub fn attributes(role: pg_sys::Oid) -> Option<Attributes> {
    // SAFETY: inside a transaction; the tuple is valid until it is released, and its fixed part is a pg_authid row.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(
            pg_sys::SysCacheIdentifier::AUTHOID as i32,
            pg_sys::Datum::from(role),
        );
        if tuple.is_null() {
            return None;
        }
        let row = &*pg_sys::heap_tuple_get_struct::<pg_sys::FormData_pg_authid>(tuple);
        let attributes = Attributes {
            superuser: row.rolsuper,
            create_role: row.rolcreaterole,
            create_db: row.rolcreatedb,
            replication: row.rolreplication,
            bypass_rls: row.rolbypassrls,
        };
        pg_sys::ReleaseSysCache(tuple);
        Some(attributes)
    }
}

const CACHE: i32 = pg_sys::SysCacheIdentifier::AUTHMEMMEMROLE as i32;
/// Where `pg_auth_members.roleid` is; from PostgreSQL 16 on an `oid` comes first.
const ROLEID_COLUMN: i16 = 1;

/// The roles that `member` was granted directly.
pub fn granted_to(member: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    let none = pg_sys::Datum::null();
    // SAFETY: inside a transaction; the list is valid until it is released, its members are pg_auth_members rows.
    unsafe {
        let list = pg_sys::SearchSysCacheList(CACHE, 1, pg_sys::Datum::from(member), none, none);
        let members = (*list).members.as_slice((*list).n_members as usize);
        let roles = members
            .iter()
            .map(|&member| {
                let mut null = false;
                let role = pg_sys::SysCacheGetAttr(
                    CACHE,
                    &raw mut (*member).tuple,
                    ROLEID_COLUMN,
                    &mut null,
                );
                pg_sys::Oid::from(role.value() as u32)
            })
            .collect();
        pg_sys::ReleaseCatCacheList(list);
        roles
    }
}
