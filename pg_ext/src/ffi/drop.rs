//! Dropping PostgreSQL roles through the server's own code.

use pgrx::pg_sys;
use std::ffi::CString;

/// Drops these roles as `DROP ROLE a, b, c` does; an error if something depends on one of them. The caller holds
/// their rows, so that the names mean what it thinks.
pub fn roles(names: &[String]) {
    // SAFETY: inside a transaction; nodes and strings are palloc'ed in the current context, which outlives the call.
    unsafe {
        let mut specs = std::ptr::null_mut();
        for name in names {
            let name = CString::new(name.as_str()).expect("a name in a catalog has no zero byte");
            let spec = pg_sys::palloc0(size_of::<pg_sys::RoleSpec>()).cast::<pg_sys::RoleSpec>();
            (*spec).type_ = pg_sys::NodeTag::T_RoleSpec;
            (*spec).roletype = pg_sys::RoleSpecType::ROLESPEC_CSTRING;
            (*spec).rolename = pg_sys::pstrdup(name.as_ptr());
            (*spec).location = -1;
            specs = pg_sys::lappend(specs, spec.cast());
        }
        let mut statement = pg_sys::DropRoleStmt {
            type_: pg_sys::NodeTag::T_DropRoleStmt,
            roles: specs,
            missing_ok: false,
        };
        pg_sys::DropRole(&mut statement);
        pg_sys::CommandCounterIncrement();
    }
}
