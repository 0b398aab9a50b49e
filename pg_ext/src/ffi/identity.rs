//! Whose rights code runs with: the caller's, the extension's, or those of whoever defined a recipe.

use pgrx::pg_sys::{self, Oid};
use std::cell::Cell;
use std::ffi::{CStr, c_int};

/// The role whose rights count now: the caller's, at the door of every verb.
pub fn current() -> Oid {
    // SAFETY: reads a variable of this backend.
    unsafe { pg_sys::GetUserId() }
}

/// True if `role` is a superuser.
pub fn is_superuser(role: Oid) -> bool {
    // SAFETY: inside a transaction; a role that does not exist is no superuser.
    unsafe { pg_sys::superuser_arg(role) }
}

/// True if the current user is the owner of `table`, has its rights, or is a superuser.
pub fn owns_table(table: Oid) -> bool {
    // SAFETY: inside a transaction; reads the current user and the catalogs.
    unsafe { pg_sys::pg_class_ownercheck(table, pg_sys::GetUserId()) }
}

/// The name of `role`; `None` if there is no such role.
pub fn name_of(role: Oid) -> Option<String> {
    // SAFETY: inside a transaction; returns null or a palloc'ed C string.
    unsafe {
        let name = pg_sys::GetUserNameFromId(role, true);
        if name.is_null() {
            return None;
        }
        let text = CStr::from_ptr(name).to_string_lossy().into_owned();
        pg_sys::pfree(name.cast());
        Some(text)
    }
}

/// The role of that name; `None` if there is none.
pub fn find(name: &str) -> Option<Oid> {
    let name = std::ffi::CString::new(name).ok()?;
    // SAFETY: inside a transaction; `missing_ok` makes absence an invalid OID.
    let role = unsafe { pg_sys::get_role_oid(name.as_ptr(), true) };
    (role != Oid::INVALID).then_some(role)
}

/// True if `member` has the rights of `role` by inheritance, or is a superuser.
pub fn has_rights_of(member: Oid, role: Oid) -> bool {
    // SAFETY: inside a transaction; both are looked up in the catalog cache.
    unsafe { pg_sys::has_privs_of_role(member, role) }
}

/// True if `member` may `SET ROLE` to `role`, or is a superuser.
pub fn is_member(member: Oid, role: Oid) -> bool {
    // SAFETY: as above.
    unsafe { pg_sys::is_member_of_role(member, role) }
}

/// True if `member` has the ADMIN OPTION on `role`, or is a superuser.
pub fn is_admin(member: Oid, role: Oid) -> bool {
    // SAFETY: as above.
    unsafe { pg_sys::is_admin_of_role(member, role) }
}

/// Runs `work` with the rights of the extension: those of the bootstrap superuser. Only for code and statements that
/// are constant text of ours.
pub fn as_extension<R>(work: impl FnOnce() -> R) -> R {
    let _back = Switch::to(
        Oid::from(pg_sys::BOOTSTRAP_SUPERUSERID),
        pg_sys::SECURITY_LOCAL_USERID_CHANGE,
    );
    work()
}

/// Runs `work` with the rights of `role` and settings of its own, which are thrown away afterwards, as everything
/// that `SET LOCAL` did in it. `restricted` also keeps it from leaving anything behind that would run later with other
/// rights (deferred triggers, temporary tables, cursors, prepared statements).
pub fn as_definer<R>(role: Oid, restricted: bool, work: impl FnOnce() -> R) -> R {
    let flags = if restricted {
        pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION
    } else {
        pg_sys::SECURITY_LOCAL_USERID_CHANGE
    };
    let _back = Switch::to(role, flags);
    let _depth = Depth::deeper();
    // SAFETY: the level is closed below. If `work` raises an error, the abort of the (sub)transaction closes it.
    let level = unsafe { pg_sys::NewGUCNestLevel() };
    let result = work();
    // SAFETY: `false` puts every setting back, whatever kind of SET changed it.
    unsafe { pg_sys::AtEOXact_GUC(false, level) };
    result
}

thread_local! {
    static DEFINERS: Cell<u32> = const { Cell::new(0) };
}

/// True while statements of a recipe run.
pub fn within_definer() -> bool {
    DEFINERS.get() > 0
}

/// One more definer at work; taken back on every way out.
struct Depth;

impl Depth {
    fn deeper() -> Self {
        DEFINERS.set(DEFINERS.get() + 1);
        Self
    }
}

impl Drop for Depth {
    fn drop(&mut self) {
        DEFINERS.set(DEFINERS.get().saturating_sub(1));
    }
}

/// The identity to go back to.
struct Switch {
    user: Oid,
    context: c_int,
}

impl Switch {
    fn to(role: Oid, flags: u32) -> Self {
        let mut user = Oid::INVALID;
        let mut context = 0;
        // SAFETY: both are out parameters; the flags are added to those in force, so a restriction that our caller
        // is under stays in force.
        unsafe {
            pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
            pg_sys::SetUserIdAndSecContext(role, context | flags as c_int);
        }
        Self { user, context }
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        // SAFETY: what was in force before. On the way of an error this does no harm: the abort sets it as well.
        unsafe { pg_sys::SetUserIdAndSecContext(self.user, self.context) }
    }
}
