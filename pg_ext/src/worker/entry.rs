//! What the postmaster calls when it starts one of our workers, by these names.

use super::{cleaner, launcher, sweeper};
use pgrx::{pg_guard, pg_sys};

/// The launcher: static, one for the cluster.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn leasehold_launcher(_argument: pg_sys::Datum) {
    launcher::main();
}

/// A sweeper: its argument is its place on the board.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn leasehold_sweeper(argument: pg_sys::Datum) {
    sweeper::main(argument.value());
}

/// A cleaner: its argument is its job on the board.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn leasehold_cleaner(argument: pg_sys::Datum) {
    cleaner::main(argument.value());
}
