//! Watching our own extension come and go: `DROP EXTENSION` is refused while a lease lives, because nobody would end it.

use super::{databases, label, xact};
use crate::worker::wake;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::{pg_guard, pg_sys};
use std::ffi::CStr;

static mut NEXT: pg_sys::object_access_hook_type = None;

/// Starts watching; called once when the library is loaded.
pub fn watch() {
    // SAFETY: a process loads a library once, and hooks are called by its only thread.
    unsafe {
        NEXT = pg_sys::object_access_hook;
        pg_sys::object_access_hook = Some(on_access);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn on_access(
    access: pg_sys::ObjectAccessType::Type,
    class: pg_sys::Oid,
    object: pg_sys::Oid,
    column: i32,
    argument: *mut std::ffi::c_void,
) {
    // SAFETY: in the hook made for this, after whoever came before us.
    unsafe {
        if let Some(next) = NEXT {
            pg_guard_ffi_boundary(|| next(access, class, object, column, argument));
        }
        match access {
            pg_sys::ObjectAccessType::OAT_POST_CREATE if class == pg_sys::ExtensionRelationId => {
                // A label may be about to be set, ours or not: the launcher looks.
                wake::launcher_at_commit();
            }
            pg_sys::ObjectAccessType::OAT_DROP
                if class == pg_sys::RelationRelationId && column == 0 && is_leases(object) =>
            {
                crate::lease::end::refuse_if_live();
            }
            pg_sys::ObjectAccessType::OAT_DROP
                if class == pg_sys::ExtensionRelationId
                    && Some(object) == databases::extension() =>
            {
                label::unmark_database(xact::my_database());
                wake::launcher_at_commit();
            }
            _ => {}
        }
    }
}

/// True if `relation` is our table of live leases. This runs for every table that anybody drops, in any database, and what follows
/// is a question to that table with the rights of whoever drops it: a table of that name that is not the extension's own may be a
/// trap.
///
/// # Safety
/// Inside a transaction.
unsafe fn is_leases(relation: pg_sys::Oid) -> bool {
    // SAFETY: both return null or a palloc'ed C string.
    unsafe {
        let name = pg_sys::get_rel_name(relation);
        if name.is_null() || CStr::from_ptr(name) != c"live_leases" {
            return false;
        }
        let schema = pg_sys::get_namespace_name(pg_sys::get_rel_namespace(relation));
        if schema.is_null() || CStr::from_ptr(schema) != c"leasehold" {
            return false;
        }
        databases::extension().is_some_and(|ours| {
            pg_sys::getExtensionOfObject(pg_sys::RelationRelationId, relation) == ours
        })
    }
}
