//! Leasehold's PostgreSQL extension: logins with leases, ended on time by the server itself.
//!
//! It knows roles (recipes), leases, logins, sessions and time; it never knows HTTP, tokens or policies.
//! Who may import whom: `api -> lease, role -> catalog`, `worker -> lease`, everyone may use the pure `core`,
//! and `ffi` is the only place with unsafe code. The SQL side is written by hand in `sql/`.

mod api;
mod catalog;
mod core;
mod ffi;
mod lease;
mod role;
mod worker;

pgrx::pg_module_magic!();

/// Called by PostgreSQL when the library is loaded: by the postmaster when it is preloaded, else by the first
/// backend that needs a function of it. Without preload there is no shared memory and no worker, and that is
/// not an error: `CREATE EXTENSION` and recipes work, leases then end by `VALID UNTIL` and by `sweep()`.
#[pgrx::pg_guard]
pub extern "C-unwind" fn _PG_init() {
    ffi::label::register();
    ffi::guard::watch();
    ffi::commands::watch();
    worker::settings::define();
    if ffi::shmem::preloading() {
        ffi::shmem::request();
        worker::launcher::register();
    }
}
