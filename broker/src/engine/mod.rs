//! The engines: what can be mounted, and what is always there. One table of paths each.
//!
//! To add one: a module with a `pub static ENGINE: Engine`, and its line in [`ENGINES`].

pub mod cubbyhole;
pub mod database;
pub mod identity;
pub mod system;
pub mod token;

use crate::logical::PathTable;
use crate::mount::MountKind;

/// A kind of mount.
pub struct Engine {
    /// What `sys/mounts` calls it.
    pub engine_type: &'static str,
    /// Which table of mounts it goes into.
    pub kind: MountKind,
    /// True for what every server has once: it can be neither enabled nor disabled.
    pub built_in: bool,
    /// Its endpoints.
    pub paths: PathTable,
    /// The mount's own help.
    pub help: &'static str,
}

/// All engines.
pub static ENGINES: &[&Engine] = &[
    &cubbyhole::ENGINE,
    &database::ENGINE,
    &identity::ENGINE,
    &system::ENGINE,
    &token::ENGINE,
];

/// The engine of a mount.
pub fn find(kind: MountKind, engine_type: &str) -> Option<&'static Engine> {
    ENGINES
        .iter()
        .find(|engine| engine.kind == kind && engine.engine_type == engine_type)
        .copied()
}
