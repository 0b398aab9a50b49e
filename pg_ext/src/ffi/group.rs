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

/// As [`hold_alone`], if nobody holds it right now; whether it is so.
pub fn try_hold_alone(group: Oid) -> bool {
    let tag = pg_sys::LOCKTAG {
        locktag_field1: pg_sys::InvalidOid.to_u32(),
        locktag_field2: pg_sys::AuthIdRelationId.to_u32(),
        locktag_field3: group.to_u32(),
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    };
    // SAFETY: inside a transaction; the tag is what LockSharedObject() makes, which knows no such question.
    unsafe {
        let mode = pg_sys::AccessExclusiveLock as i32;
        let got = pg_sys::LockAcquire(&tag, mode, false, true);
        pg_sys::AcceptInvalidationMessages();
        got != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
    }
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
