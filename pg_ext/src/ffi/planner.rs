//! How our own statements are planned: by index, and once.
//!
//! A kept plan may be made while a table is empty and used when it has a hundred thousand rows. The planner would read
//! an empty table as a whole, and go on doing so until the next ANALYZE. Every statement of ours has its index, so the
//! planner is told to prefer it, whatever the statistics say.

use pgrx::pg_sys;

/// While this lives, plans are made by index and kept plans are not made anew for each set of values.
pub struct ByIndex {
    seqscan: bool,
    jit: bool,
    mode: i32,
}

/// Plans by index until the result is dropped; also on the way of an error, which unwinds through here.
pub fn by_index() -> ByIndex {
    // SAFETY: settings of this backend, which has one thread; only our own constant statements run meanwhile.
    unsafe {
        let before = ByIndex {
            seqscan: pg_sys::enable_seqscan,
            jit: pg_sys::jit_enabled,
            mode: pg_sys::plan_cache_mode,
        };
        pg_sys::enable_seqscan = false;
        // A table read as a whole after all (a catalog, say) looks so dear then that it would be compiled.
        pg_sys::jit_enabled = false;
        pg_sys::plan_cache_mode = pg_sys::PlanCacheMode::PLAN_CACHE_MODE_FORCE_GENERIC_PLAN as i32;
        before
    }
}

impl Drop for ByIndex {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe {
            pg_sys::enable_seqscan = self.seqscan;
            pg_sys::jit_enabled = self.jit;
            pg_sys::plan_cache_mode = self.mode;
        }
    }
}
