//! Is there somebody who ends what is issued now?

use crate::core::error::Fault;
use crate::core::names::SQL_SCOPE;
use crate::ffi::{clock, latch, xact};
use crate::worker::{self, heartbeat};

/// Refuses to make what nobody would end; in the scope of SQL, without preload, it warns only.
pub fn ensure(scope: &str) -> Result<(), Fault> {
    if !worker::preloaded() {
        let fault = Fault::NobodyEnforces {
            why: "leasehold is not in shared_preload_libraries",
            cure: "Add leasehold to shared_preload_libraries and restart the server.",
        };
        if scope != SQL_SCOPE {
            return Err(fault);
        }
        pgrx::warning!(
            "{fault}: sessions of this login will outlive the lease, until somebody calls leasehold.sweep()"
        );
        return Ok(());
    }
    await_first_beat();
    if !heartbeat::fresh(xact::my_database()) {
        return Err(Fault::NobodyEnforces {
            why: "its worker has not shown itself for five seconds",
            cure: "Look for \"leasehold\" in the server's log; a new worker starts within a second where max_worker_processes has room for it.",
        });
    }
    Ok(())
}

/// Right after CREATE EXTENSION, or after a crash, the worker is still on its way.
fn await_first_beat() {
    const PATIENCE_MS: u64 = 3_000;
    let database = xact::my_database();
    let began = clock::monotonic_ms();
    while heartbeat::age_ms(database).is_none() && clock::monotonic_ms() - began < PATIENCE_MS {
        latch::wait(10);
    }
}
