//! Cargo, as this workspace uses it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The top of the checkout.
pub(crate) fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("this package lies two below the top")
        .to_owned()
}

/// Where everything that is made ends up.
pub(crate) fn target_folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    // A relative one is meant from where cargo was called, which is where we are.
    target.unwrap_or_else(|| top().join("target"))
}

/// Where release builds end up.
pub(crate) fn release_folder() -> PathBuf {
    target_folder().join("release")
}

/// `cargo VERB`, from the top, with the versions of Cargo.lock.
pub(crate) fn cargo(verb: &str) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.arg(verb).current_dir(top());
    if verb != "fmt" {
        command.arg("--locked");
    }
    // Set while we run under cargo ourselves. Build scripts look at some of them, and would make everything be compiled
    // again whenever a plain `cargo build` and a chore take turns.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let ours = [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_BIN_",
            "CARGO_CRATE_",
            "CARGO_PRIMARY_",
        ];
        if ours.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
}
