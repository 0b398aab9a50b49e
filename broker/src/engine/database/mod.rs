//! The database secrets engine (contract 7): connections, roles, and credentials that end by themselves.
//!
//! Not here: how a login is made or ended (the extension's, behind `target`), and the order of issuing (`lease`).

mod config;
mod connection;
mod credential;
mod creds;
mod extras;
mod fault;
mod moved;
mod reset;
mod role;

use super::Engine;
use crate::logical::{PathSpec, PathTable};
use crate::mount::MountKind;

/// What `sys/mounts` calls `database`.
pub static ENGINE: Engine = Engine {
    engine_type: "database",
    kind: MountKind::Secret,
    built_in: false,
    paths: PathTable { rows: ROWS },
    help: "Short-lived PostgreSQL credentials: configure a connection, describe a role, read creds/ROLE.",
};

static ROWS: &[&[PathSpec]] = &[config::ROWS, reset::ROWS, role::ROWS, creds::ROWS];
