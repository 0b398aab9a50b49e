//! `cargo xtask build`: the program, and beside it the extension's files.

use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

use crate::{cargo, machine, step};

/// Installs what is missing and builds.
pub(crate) fn run() -> Result<()> {
    machine::prepare()?;
    build(&mut cargo::cargo("build"))
}

/// The same for a server of somebody's own: with its headers, if it has any.
pub(crate) fn run_for(pg_config: &str, headers: bool) -> Result<()> {
    if !headers {
        return run();
    }
    // Who has built a server knows what building takes; of Debian's packages none is wanted but perhaps clang's.
    build(cargo::cargo("build").env("PGRX_PG_CONFIG_PATH", pg_config))
}

fn build(cargo: &mut Command) -> Result<()> {
    step::begin("building the program and the extension (some minutes the first time)");
    // The whole workspace: a part of it would get its dependencies with other features, so they would be compiled again
    // by the next chore.
    step::run(cargo.args(["--release", "--workspace"]))?;
    place_extension()?;
    let folder = cargo::release_folder();
    step::begin(&format!("built: {}", folder.join("leasehold").display()));
    Ok(())
}

/// Puts the extension's files beside the program under the names they are installed by.
pub(crate) fn place_extension() -> Result<()> {
    let folder = cargo::release_folder();
    replace(
        &folder.join("libleasehold_pg.so"),
        &folder.join("leasehold.so"),
    )?;
    let scripts = cargo::top().join("sql");
    for entry in scripts.read_dir().context("reading sql/")? {
        let path = entry?.path();
        let Some(name) = path.file_name() else {
            continue;
        };
        if name.to_string_lossy().starts_with("leasehold") {
            replace(&path, &folder.join(name))?;
        }
    }
    Ok(())
}

/// Copies beside, then renames: whoever has the old file open keeps it.
fn replace(from: &Path, to: &Path) -> Result<()> {
    let new = to.with_extension("new");
    std::fs::copy(from, &new)
        .and_then(|_| std::fs::rename(&new, to))
        .with_context(|| format!("copying {} to {}", from.display(), to.display()))
}
