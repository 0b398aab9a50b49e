//! The catalog caches of this backend.

use pgrx::pg_sys;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

/// Takes in what others have committed, so that catalog rows are read anew.
pub fn accept() {
    // SAFETY: inside a transaction; what a lock on a table would do as well.
    unsafe { pg_sys::AcceptInvalidationMessages() }
}

/// Makes this transaction's own changes of the catalogs visible to what comes next.
pub fn see_own_changes() {
    // SAFETY: inside a transaction that is not in parallel mode.
    unsafe { pg_sys::CommandCounterIncrement() }
}

static CHANGES: AtomicU64 = AtomicU64::new(0);

/// Caches of the objects that can be granted, of the schemas they are in and of their columns. Roles and memberships
/// are not among them: every issue changes those.
const GRANTABLE: [u32; 9] = [
    pg_sys::SysCacheIdentifier::RELOID,
    pg_sys::SysCacheIdentifier::ATTNUM,
    pg_sys::SysCacheIdentifier::NAMESPACEOID,
    pg_sys::SysCacheIdentifier::PROCOID,
    pg_sys::SysCacheIdentifier::TYPEOID,
    pg_sys::SysCacheIdentifier::DATABASEOID,
    pg_sys::SysCacheIdentifier::TABLESPACEOID,
    pg_sys::SysCacheIdentifier::FOREIGNSERVEROID,
    pg_sys::SysCacheIdentifier::FOREIGNDATAWRAPPEROID,
];

/// A number that differs from an earlier one if this backend has heard since then of any change to objects that can be
/// granted, its own included. Nothing is known of the time before the first call.
pub fn changes() -> u64 {
    static WATCHING: Once = Once::new();
    WATCHING.call_once(|| {
        for cache in GRANTABLE {
            // SAFETY: a backend registers a function of this library, which is never unloaded, once for each cache.
            unsafe {
                pg_sys::CacheRegisterSyscacheCallback(
                    cache as i32,
                    Some(heard),
                    pg_sys::Datum::from(0),
                );
            }
        }
    });
    CHANGES.load(Ordering::Relaxed)
}

/// Called wherever invalidations are taken in, so it does nothing that could fail.
unsafe extern "C-unwind" fn heard(_argument: pg_sys::Datum, _cache: i32, _hash: u32) {
    CHANGES.fetch_add(1, Ordering::Relaxed);
}
