//! `cargo xtask dev`: builds, then becomes `leasehold dev`.

use anyhow::{Context, Result};
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::{build, cargo};

/// Does not return if all is well: signals and exit code are the program's own.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    build::run()?;
    let program = cargo::release_folder().join("leasehold");
    let error = Command::new(&program).arg("dev").args(arguments).exec();
    Err(error).with_context(|| format!("running {}", program.display()))
}
