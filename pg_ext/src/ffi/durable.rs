//! Durable before answered.

use pgrx::pg_sys;

/// Makes the commit of this transaction wait for the disk (and for the synchronous standby, if there is one), whatever
/// the database or the session says. A stronger setting stays.
pub fn ensure() {
    // SAFETY: reads a setting of this session; the change holds until the transaction ends.
    unsafe {
        if pg_sys::synchronous_commit
            < pg_sys::SyncCommitLevel::SYNCHRONOUS_COMMIT_REMOTE_FLUSH as i32
        {
            pg_sys::set_config_option(
                c"synchronous_commit".as_ptr(),
                c"on".as_ptr(),
                pg_sys::GucContext::PGC_USERSET,
                pg_sys::GucSource::PGC_S_SESSION,
                pg_sys::GucAction::GUC_ACTION_LOCAL,
                true,
                0,
                false,
            );
        }
    }
}

/// Writes to the disk what this transaction has written so far. Whoever commits waits until all is on disk that was written before,
/// others' rows too: a short transaction is not to wait for all that a long one writes.
pub fn so_far() {
    // SAFETY: inside a transaction; the end of this backend's last record is never beyond what is written.
    unsafe {
        if pg_sys::XactLastRecEnd != 0 {
            pg_sys::XLogFlush(pg_sys::XactLastRecEnd);
        }
    }
}
