//! The groups of shared recipes in the server's catalogs: held while a login joins, and told to people.

use pgrx::pg_sys::{self, Oid};
use std::ffi::CString;

/// Keeps `group` from being dropped until this transaction ends; waits for a transaction that is dropping it, after which
/// it may be gone.
pub fn hold(group: Oid) {
    lock(group, pg_sys::AccessShareLock);
}

/// Waits until nobody holds `group`, and lets nobody hold it until this transaction ends.
pub fn hold_alone(group: Oid) {
    lock(group, pg_sys::AccessExclusiveLock);
}

fn lock(group: Oid, mode: u32) {
    // SAFETY: inside a transaction. The lock that DROP ROLE takes; it takes in invalidations, so that what is looked up
    // next is news.
    unsafe { pg_sys::LockSharedObject(pg_sys::AuthIdRelationId, group, 0, mode as i32) }
}

/// `COMMENT ON ROLE`.
pub fn comment(group: Oid, text: &str) {
    let text = CString::new(text).expect("a text from PostgreSQL has no zero byte");
    // SAFETY: inside a transaction that may write; the text is copied.
    unsafe { pg_sys::CreateSharedComments(group, pg_sys::AuthIdRelationId, text.as_ptr()) }
}
