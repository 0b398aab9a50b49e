//! `sys/`: the endpoints of the server itself.

mod about;
mod capabilities;
pub mod init;
mod leases;
mod mounts;
mod openapi;
mod policies;
mod remount;
mod seal;
pub mod special;
pub mod special_call;
mod state;
mod tools;
mod ui;
pub mod unseal;
mod wrapping;

use super::Engine;
use crate::logical::{PathSpec, PathTable};
use crate::mount::MountKind;

/// The mount at `sys/`.
pub static ENGINE: Engine = Engine {
    engine_type: "system",
    kind: MountKind::Secret,
    built_in: true,
    paths: PathTable { rows: ROWS },
    help: "The server itself: mounts, policies, leases, its own state.",
};

static ROWS: &[&[PathSpec]] = &[
    mounts::ROWS,
    remount::ROWS,
    policies::ROWS,
    capabilities::ROWS,
    leases::ROWS,
    tools::ROWS,
    ui::ROWS,
    about::ROWS,
    openapi::ROWS,
    wrapping::ROWS,
];
