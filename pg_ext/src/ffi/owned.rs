//! What else depends on a role: policies, things it owns, transactions it prepared. Called in C, below the statements:
//! so no event trigger of the visited database runs, and objects are named by OID.

use pgrx::pg_sys;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use std::ffi::{CString, c_char};

// Catalogs whose fixed OIDs pgrx does not name.
const CAST: pg_sys::Oid = pg_sys::Oid::from_u32(2605);
const POLICY: pg_sys::Oid = pg_sys::Oid::from_u32(3256);

// Bound raw: their errors have to be made panics by whoever calls them, or they would leap over the frames below.
unsafe extern "C-unwind" {
    fn RemoveRoleFromObjectPolicy(
        role: pg_sys::Oid,
        class: pg_sys::Oid,
        policy: pg_sys::Oid,
    ) -> bool;
    fn FinishPreparedTransaction(gid: *const c_char, is_commit: bool);
}

/// Takes `role` out of a row security policy; one that names nobody else is dropped.
pub fn leave_policy(policy: pg_sys::Oid, role: pg_sys::Oid) {
    // SAFETY: inside a transaction, as a superuser; the lock is the one the server takes before it does this.
    let stays = unsafe {
        let address = address(POLICY, policy, 0);
        pg_sys::AcquireDeletionLock(&address, 0);
        let stays = pg_guard_ffi_boundary(|| RemoveRoleFromObjectPolicy(role, POLICY, policy));
        pg_sys::CommandCounterIncrement();
        stays
    };
    if !stays {
        delete(POLICY, policy);
    }
}

/// Drops an object, and what depends on it. Only for things that hold nobody's data.
pub fn delete(class: pg_sys::Oid, object: pg_sys::Oid) {
    remove(class, object, pg_sys::DropBehavior::DROP_CASCADE);
}

fn remove(class: pg_sys::Oid, object: pg_sys::Oid, behaviour: pg_sys::DropBehavior::Type) {
    // SAFETY: inside a transaction, as a superuser.
    unsafe {
        pg_sys::performDeletion(&address(class, object, 0), behaviour, 0);
        pg_sys::CommandCounterIncrement();
    }
}

/// Drops everything in this database that `role` owns, as `DROP OWNED` does; an error if something of others depends
/// on it. `casts` are those of its types: nobody owns a cast, so `DROP OWNED` takes them for others'.
pub fn drop_owned(role: pg_sys::Oid, casts: &[pg_sys::Oid]) {
    for &cast in casts {
        remove(CAST, cast, pg_sys::DropBehavior::DROP_RESTRICT);
    }
    // SAFETY: inside a transaction, as a superuser.
    unsafe {
        let roles = pg_sys::lappend_oid(std::ptr::null_mut(), role);
        pg_sys::shdepDropOwned(roles, pg_sys::DropBehavior::DROP_RESTRICT);
        pg_sys::CommandCounterIncrement();
    }
}

/// Gives everything in this database, and of the whole cluster, that `role` owns to `heir`.
pub fn reassign_owned(role: pg_sys::Oid, heir: pg_sys::Oid) {
    // SAFETY: inside a transaction, as a superuser.
    unsafe {
        let roles = pg_sys::lappend_oid(std::ptr::null_mut(), role);
        pg_sys::shdepReassignOwned(roles, heir);
        pg_sys::CommandCounterIncrement();
    }
}

/// Rolls back the prepared transaction `gid`, which must be of this database.
pub fn roll_back_prepared(gid: &str) {
    let gid = CString::new(gid).expect("a gid in a view has no zero byte");
    // SAFETY: inside a transaction that has done nothing yet, as ROLLBACK PREPARED demands.
    unsafe { pg_guard_ffi_boundary(|| FinishPreparedTransaction(gid.as_ptr(), false)) }
}

/// What an object is called, for a reason: `table public.t`. `None` if it is gone.
pub fn describe(class: pg_sys::Oid, object: pg_sys::Oid, column: i32) -> Option<String> {
    // SAFETY: inside a transaction; null or a palloc'ed C string.
    unsafe {
        let text = pg_sys::getObjectDescription(&address(class, object, column), true);
        if text.is_null() {
            return None;
        }
        Some(
            std::ffi::CStr::from_ptr(text)
                .to_string_lossy()
                .into_owned(),
        )
    }
}

fn address(class: pg_sys::Oid, object: pg_sys::Oid, column: i32) -> pg_sys::ObjectAddress {
    pg_sys::ObjectAddress {
        classId: class,
        objectId: object,
        objectSubId: column,
    }
}
