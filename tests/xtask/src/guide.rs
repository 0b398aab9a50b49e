//! `cargo xtask guide`: the whole guide for real, as admin and then as app, each command with its answer.
//!
//! The files that the commands name lie in `tests/guide/`. It ends with an error at the first answer that is not as it
//! should be.

mod actor;
mod answer;
mod play;
mod stage;

use anyhow::Result;

use crate::{build, step};

/// Builds, starts the embedded mode, plays, and takes everything down.
pub(crate) fn run() -> Result<()> {
    build::run()?;
    step::begin("starting PostgreSQL and the broker");
    let stage = stage::Stage::set()?;
    play::all(&stage)?;
    stage.strike()?;
    step::begin("the guide ran to its end: every answer was as it should be");
    Ok(())
}
