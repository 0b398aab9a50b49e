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
