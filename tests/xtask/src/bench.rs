//! `cargo xtask bench`: builds, then becomes the load generator, which starts PostgreSQL and the broker itself.

use anyhow::{Context, Result};
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::{build, cargo, step};

/// Does not return if all is well.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    build::run()?;
    step::begin("measuring (below ten minutes)");
    let program = cargo::release_folder().join("leasehold-bench");
    let error = Command::new(&program)
        .args(arguments)
        .current_dir(cargo::top())
        .exec();
    Err(error).with_context(|| format!("running {}", program.display()))
}
