//! The background workers: a launcher for the cluster, a standing sweeper in each database that holds the
//! extension, and short-lived cleaners. They keep nothing that is not a row: any of them may die at any time.

pub mod board;
pub mod heartbeat;
pub mod settings;
pub mod wake;

/// True if the library was preloaded, so that there can be workers.
pub fn preloaded() -> bool {
    crate::ffi::shmem::board().is_some()
}
