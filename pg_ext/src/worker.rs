//! The background workers: a launcher for the cluster, a standing sweeper in each database that holds the
//! extension, and short-lived cleaners. They keep nothing that is not a row: any of them may die at any time.

pub mod aside;
pub mod board;
mod cleaner;
mod entry;
mod errands;
mod groups;
pub mod heartbeat;
mod homes;
mod hunt;
mod job;
pub mod launcher;
mod orphans;
mod pass;
pub mod progress;
pub mod settings;
mod statements;
mod strangers;
mod sweeper;
mod upkeep;
pub mod wake;

/// True if the library was preloaded, so that there can be workers.
pub fn preloaded() -> bool {
    crate::ffi::shmem::board().is_some()
}
