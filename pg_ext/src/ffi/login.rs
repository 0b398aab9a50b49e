//! Logins in the server's own catalogs: made, joined to groups and armed with C calls, so that no statement text ever
//! holds a verifier. The rights are the caller's business: all of this runs as the extension.

use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::pg_sys::{self, Datum, Oid};
use std::ffi::{CStr, CString, c_char};

/// What a new login is to be. Password and end come with [`arm`].
pub struct NewLogin<'a> {
    /// Its name; judged before.
    pub name: &'a str,
    /// May it log in?
    pub login: bool,
    /// `INHERIT` or `NOINHERIT`; the server's default if nothing is said.
    pub inherit: Option<bool>,
    /// `CONNECTION LIMIT`; the server's default if nothing is said.
    pub connection_limit: Option<i32>,
    /// The groups it is a member of from the start.
    pub groups: &'a [String],
}

/// `CREATE ROLE`, without a password: with one, even a ready verifier costs the server a key derivation.
pub fn create(new: &NewLogin<'_>) -> Oid {
    let name = c(new.name);
    // SAFETY: nodes are palloc'ed in the current context and the server copies what it keeps. A name that exists is
    // an ordinary error.
    unsafe {
        let mut options = std::ptr::null_mut();
        options = option(options, c"canlogin", boolean(new.login));
        if let Some(inherit) = new.inherit {
            options = option(options, c"inherit", boolean(inherit));
        }
        if let Some(limit) = new.connection_limit {
            options = option(
                options,
                c"connectionlimit",
                pg_sys::makeInteger(limit).cast(),
            );
        }
        if !new.groups.is_empty() {
            options = option(options, c"addroleto", specs(new.groups).cast());
        }
        let mut statement = pg_sys::CreateRoleStmt {
            type_: pg_sys::NodeTag::T_CreateRoleStmt,
            stmt_type: pg_sys::RoleStmtType::ROLESTMT_ROLE,
            role: name.as_ptr().cast_mut(),
            options,
        };
        let parse = pg_sys::make_parsestate(std::ptr::null_mut());
        let login = pg_sys::CreateRole(parse, &mut statement);
        pg_sys::free_parsestate(parse);
        pg_sys::CommandCounterIncrement();
        login
    }
}

/// `GRANT groups TO login`.
pub fn join(login: &str, groups: &[String]) {
    // SAFETY: as in `create`.
    unsafe {
        let granted = groups.iter().fold(std::ptr::null_mut(), |list, group| {
            let privilege = palloc_node::<pg_sys::AccessPriv>(pg_sys::NodeTag::T_AccessPriv);
            (*privilege).priv_name = copy(group);
            pg_sys::lappend(list, privilege.cast())
        });
        let mut statement = pg_sys::GrantRoleStmt {
            type_: pg_sys::NodeTag::T_GrantRoleStmt,
            granted_roles: granted,
            grantee_roles: specs(&[login.to_owned()]),
            is_grant: true,
            admin_opt: false,
            grantor: std::ptr::null_mut(),
            behavior: pg_sys::DropBehavior::DROP_RESTRICT,
        };
        pg_sys::GrantRole(&mut statement);
        pg_sys::CommandCounterIncrement();
    }
}

/// What a new login is armed with.
pub struct NewSecret<'a> {
    /// The login.
    pub login: Oid,
    /// Its name.
    pub name: &'a str,
    /// Its SCRAM verifier.
    pub verifier: &'a str,
    /// The end of its password.
    pub valid_until: pg_sys::TimestampTz,
}

/// Writes verifier and `VALID UNTIL` straight into the rows of these logins. The hook of password checkers is asked as
/// `ALTER ROLE` would ask it.
pub fn arm(logins: &[NewSecret<'_>]) {
    let changes: Vec<Change> = logins
        .iter()
        .map(|new| {
            let end = Datum::from(new.valid_until);
            let name = c(new.name);
            let secret = c(new.verifier);
            // SAFETY: the hook gets what the server itself would give it.
            let text = unsafe {
                if let Some(hook) = pg_sys::check_password_hook {
                    pg_guard_ffi_boundary(|| {
                        hook(
                            name.as_ptr(),
                            secret.as_ptr(),
                            pg_sys::PasswordType::PASSWORD_TYPE_SCRAM_SHA_256,
                            end,
                            false,
                        );
                    });
                }
                pg_sys::cstring_to_text(secret.as_ptr())
            };
            let columns = vec![
                (pg_sys::Anum_pg_authid_rolpassword, Datum::from(text)),
                (pg_sys::Anum_pg_authid_rolvaliduntil, end),
            ];
            (new.login, columns)
        })
        .collect();
    // SAFETY: see `write`.
    unsafe {
        write(&changes);
    }
}

/// Moves `VALID UNTIL` of each of these logins; how many of them there are.
pub fn extend(ends: &[(Oid, pg_sys::TimestampTz)]) -> usize {
    const COLUMN: u32 = pg_sys::Anum_pg_authid_rolvaliduntil;
    let changes: Vec<Change> = ends
        .iter()
        .map(|(login, end)| (*login, vec![(COLUMN, Datum::from(*end))]))
        .collect();
    // SAFETY: see `write`.
    unsafe { write(&changes) }
}

const COLUMNS: usize = pg_sys::Natts_pg_authid as usize;

/// A login, and columns of its row with what they are to hold.
type Change = (Oid, Vec<(u32, Datum)>);

/// Replaces columns of rows of `pg_authid`, with the catalog's invalidations; how many of the rows there are.
///
/// # Safety
/// Each datum must be of its column's type, each login be named once, and the current user must be allowed to do this:
/// nothing here asks.
unsafe fn write(changes: &[Change]) -> usize {
    let mut written = 0;
    // SAFETY: the arrays are as long as the row is wide; the relation stays locked until the transaction ends, as
    // ALTER ROLE keeps it.
    unsafe {
        let relation =
            pg_sys::table_open(pg_sys::AuthIdRelationId, pg_sys::RowExclusiveLock as i32);
        let indexes = pg_sys::CatalogOpenIndexes(relation);
        for (login, columns) in changes {
            let mut values = [Datum::from(0_usize); COLUMNS];
            let mut nulls = [false; COLUMNS];
            let mut replace = [false; COLUMNS];
            for (column, value) in columns {
                values[*column as usize - 1] = *value;
                replace[*column as usize - 1] = true;
            }
            let old = pg_sys::SearchSysCache1(
                pg_sys::SysCacheIdentifier::AUTHOID as i32,
                Datum::from(*login),
            );
            if old.is_null() {
                continue;
            }
            let new = pg_sys::heap_modify_tuple(
                old,
                (*relation).rd_att,
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
                replace.as_mut_ptr(),
            );
            pg_sys::CatalogTupleUpdateWithInfo(relation, &raw mut (*new).t_self, new, indexes);
            pg_sys::ReleaseSysCache(old);
            written += 1;
        }
        pg_sys::CatalogCloseIndexes(indexes);
        pg_sys::table_close(relation, pg_sys::NoLock as i32);
        pg_sys::CommandCounterIncrement();
    }
    written
}

unsafe fn option(
    list: *mut pg_sys::List,
    name: &CStr,
    value: *mut pg_sys::Node,
) -> *mut pg_sys::List {
    // SAFETY: the name is static and only read.
    unsafe {
        pg_sys::lappend(
            list,
            pg_sys::makeDefElem(name.as_ptr().cast_mut(), value, -1).cast(),
        )
    }
}

unsafe fn boolean(value: bool) -> *mut pg_sys::Node {
    // SAFETY: allocates only.
    unsafe { pg_sys::makeBoolean(value).cast() }
}

unsafe fn specs(names: &[String]) -> *mut pg_sys::List {
    names.iter().fold(std::ptr::null_mut(), |list, name| {
        // SAFETY: the node is zeroed and tagged, its name is a copy in the same context.
        unsafe {
            let spec = palloc_node::<pg_sys::RoleSpec>(pg_sys::NodeTag::T_RoleSpec);
            (*spec).roletype = pg_sys::RoleSpecType::ROLESPEC_CSTRING;
            (*spec).rolename = copy(name);
            (*spec).location = -1;
            pg_sys::lappend(list, spec.cast())
        }
    })
}

unsafe fn palloc_node<T>(tag: pg_sys::NodeTag) -> *mut T {
    // SAFETY: every node begins with its tag, and all-zero is what makeNode gives.
    unsafe {
        let node = pg_sys::palloc0(size_of::<T>());
        *node.cast::<pg_sys::NodeTag>() = tag;
        node.cast()
    }
}

unsafe fn copy(text: &str) -> *mut c_char {
    // SAFETY: pstrdup copies up to the zero byte.
    unsafe { pg_sys::pstrdup(c(text).as_ptr()) }
}

fn c(text: &str) -> CString {
    CString::new(text).expect("a text that came from PostgreSQL has no zero byte")
}
