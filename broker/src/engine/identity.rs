//! `identity/`: listed, as tools expect it to be, and without endpoints: nobody has an identity here but by a token.

use super::Engine;
use crate::logical::PathTable;
use crate::mount::MountKind;

/// The mount at `identity/`.
pub static ENGINE: Engine = Engine {
    engine_type: "identity",
    kind: MountKind::Secret,
    built_in: true,
    paths: PathTable { rows: &[] },
    help: "Identities are not served here: tokens are not tied to entities.",
};
