//! The settings of the server that are ours. None needs a preload, none can be set by a login.

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};

static HISTORY_DAYS: GucSetting<i32> = GucSetting::<i32>::new(30);

/// Makes the settings known to this process; called once when the library is loaded.
pub fn define() {
    GucRegistry::define_int_guc(
        c"leasehold.history_days",
        c"How many days the history of ended leases is kept.",
        c"Rows older than this are deleted in batches by the sweeper.",
        &HISTORY_DAYS,
        1,
        3650,
        GucContext::Sighup,
        GucFlags::default(),
    );
}

/// How many days the history of ended leases is kept.
pub fn history_days() -> i32 {
    HISTORY_DAYS.get()
}
