//! The files under test, as `cargo build` left them beside the running test executable.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// `target/<profile>` of the running test executable (which lies in its `deps/`).
pub fn profile_folder() -> Result<PathBuf> {
    let executable = std::env::current_exe().context("the path of the running test")?;
    let folder = executable
        .ancestors()
        .find(|folder| folder.join("deps").is_dir())
        .with_context(|| format!("no profile folder above {}", executable.display()))?;
    Ok(folder.to_owned())
}

/// A file below the folder in which `cargo xtask test` installs what is written in other languages. It is not there where
/// the language is not.
pub fn client(file: &str) -> Result<PathBuf> {
    let profile = profile_folder()?;
    let target = profile.parent().context("the target folder")?;
    Ok(target.join("clients").join(file))
}

/// The top of the checkout.
pub fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this package lies one below the top")
        .to_owned()
}

/// The broker's binary, with the extension's files beside it as `cargo xtask build` leaves them: `leasehold dev` looks
/// for them there.
pub fn binary() -> Result<PathBuf> {
    library()?;
    place_scripts()?;
    existing(
        profile_folder()?.join("leasehold"),
        "cargo build -p leasehold",
    )
}

/// Once a process, however many of its tests ask at the same time: they would take each other's half-made files away.
fn place_scripts() -> Result<()> {
    static PLACED: Mutex<bool> = Mutex::new(false);
    let mut placed = PLACED.lock().unwrap_or_else(PoisonError::into_inner);
    if *placed {
        return Ok(());
    }
    for script in scripts()? {
        let name = script.file_name().context("a file name")?;
        let target = profile_folder()?.join(name);
        let new = target.with_extension(format!("new-{}", std::process::id()));
        // Whole or not at all: other test processes do the same at the same time.
        std::fs::copy(&script, &new).and_then(|_| std::fs::rename(&new, &target))?;
    }
    *placed = true;
    Ok(())
}

/// The extension's library.
pub fn library() -> Result<PathBuf> {
    existing(
        profile_folder()?.join("libleasehold_pg.so"),
        "cargo build -p leasehold_pg",
    )
}

/// The extension's control file and SQL scripts.
pub fn scripts() -> Result<Vec<PathBuf>> {
    let folder = top().join("sql");
    let mut files = vec![existing(
        folder.join("leasehold.control"),
        "a full checkout",
    )?];
    for entry in std::fs::read_dir(&folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with("leasehold--") && name.ends_with(".sql") {
            files.push(folder.join(name));
        }
    }
    Ok(files)
}

fn existing(file: PathBuf, cure: &str) -> Result<PathBuf> {
    ensure!(
        file.exists(),
        "{} is not there: run `{cure}` in the profile of the tests (or `cargo xtask test`)",
        file.display()
    );
    Ok(file)
}
