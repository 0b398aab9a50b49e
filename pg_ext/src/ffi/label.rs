//! Our security label provider: the mark on logins and databases, which only the extension and superusers set.

use crate::core::label::{GroupMark, Installation, Mark, PROVIDER};
use crate::worker::wake;
use pgrx::{PgSqlErrorCode, pg_guard, pg_sys};
use std::ffi::{CStr, CString};

/// Makes the provider known to this process; called once when the library is loaded.
pub fn register() {
    // SAFETY: both pointers are static; the server copies the name.
    unsafe { pg_sys::register_label_provider(PROVIDER_C.as_ptr(), Some(judge)) }
}

/// Labels `login` as made by lease number `lease_number` of `installation`.
pub fn mark(login: pg_sys::Oid, installation: Installation, lease_number: i64) {
    set(
        pg_sys::AuthIdRelationId,
        login,
        &Mark {
            installation,
            lease_number,
        }
        .to_string(),
    );
}

/// The mark on `login`; `None` if it has no label of ours.
pub fn read(login: pg_sys::Oid) -> Option<Mark> {
    Mark::parse(&get(pg_sys::AuthIdRelationId, login)?)
}

/// Labels `group` as holding the grants of a shared recipe.
pub fn mark_group(group: pg_sys::Oid, mark: GroupMark) {
    set(pg_sys::AuthIdRelationId, group, &mark.to_string());
}

/// The mark on a shared recipe's group; `None` if it has no such label.
pub fn read_group(group: pg_sys::Oid) -> Option<GroupMark> {
    GroupMark::parse(&get(pg_sys::AuthIdRelationId, group)?)
}

/// The installation that a login or a group is marked for.
pub fn owner_of(role: pg_sys::Oid) -> Option<Installation> {
    let label = get(pg_sys::AuthIdRelationId, role)?;
    Mark::parse(&label)
        .map(|mark| mark.installation)
        .or_else(|| GroupMark::parse(&label).map(|mark| mark.installation))
}

/// The installation that the label of `database` names; `None` if it has none. A copy has the label of its original: see
/// [`super::databases::installation_at`]. Needs no database of its own.
pub fn installation(database: pg_sys::Oid) -> Option<Installation> {
    Installation::parse(&get(pg_sys::DatabaseRelationId, database)?)
}

/// Removes our label from `database`.
pub fn unmark_database(database: pg_sys::Oid) {
    let object = shared_object(pg_sys::DatabaseRelationId, database);
    // SAFETY: a null label removes the row, if there is one.
    unsafe { pg_sys::SetSecurityLabel(&object, PROVIDER_C.as_ptr(), std::ptr::null()) }
}

const PROVIDER_C: &CStr = c"leasehold";
const _: () = assert!(PROVIDER.len() == PROVIDER_C.count_bytes());

/// Asked for every `SECURITY LABEL FOR leasehold` statement, removal (null) included. The server's own check, the
/// ownership of the object, would let a role's creator or a database's owner forge or remove a mark.
#[pg_guard]
unsafe extern "C-unwind" fn judge(
    object: *const pg_sys::ObjectAddress,
    _label: *const std::ffi::c_char,
) {
    // SAFETY: called inside a statement, where the current user is known.
    if !unsafe { pg_sys::superuser() } {
        pgrx::ereport!(
            ERROR,
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            "labels of leasehold are set by the extension itself and by superusers only"
        );
    }
    // SAFETY: the server names an object that it has looked up.
    if unsafe { (*object).classId } == pg_sys::DatabaseRelationId {
        wake::launcher_at_commit();
    }
}

fn get(class: pg_sys::Oid, object: pg_sys::Oid) -> Option<String> {
    let object = shared_object(class, object);
    // SAFETY: inside a transaction; returns null or a palloc'ed C string.
    unsafe {
        let label = pg_sys::GetSecurityLabel(&object, PROVIDER_C.as_ptr());
        if label.is_null() {
            return None;
        }
        let text = CStr::from_ptr(label).to_str().ok().map(str::to_owned);
        pg_sys::pfree(label.cast());
        text
    }
}

fn set(class: pg_sys::Oid, object: pg_sys::Oid, label: &str) {
    let object = shared_object(class, object);
    let label = CString::new(label).expect("a label of ours has no zero byte");
    // SAFETY: inside a transaction that may write. Below the statement, so the provider is not asked: this
    // is the extension itself, and its callers have decided already.
    unsafe { pg_sys::SetSecurityLabel(&object, PROVIDER_C.as_ptr(), label.as_ptr()) }
}

fn shared_object(class: pg_sys::Oid, object: pg_sys::Oid) -> pg_sys::ObjectAddress {
    pg_sys::ObjectAddress {
        classId: class,
        objectId: object,
        objectSubId: 0,
    }
}
