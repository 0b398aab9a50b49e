//! Says what is going on, and runs commands that tell by themselves.

use anyhow::{Context, Result, bail};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Instant;

/// A heading with the time since the beginning, so that a silent machine still shows where it is.
pub(crate) fn begin(what: &str) {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    let seconds = BEGIN.get_or_init(Instant::now).elapsed().as_secs();
    println!("== [{:02}:{:02}] {what}", seconds / 60, seconds % 60);
}

/// Runs a command whose output people see; an error if it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    let status = command
        .status()
        .with_context(|| format!("running {shown}"))?;
    if !status.success() {
        bail!("{shown}: {status}");
    }
    Ok(())
}

/// Whether a command can be run and succeeds; what it prints is not shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

fn show(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|a| a.to_string_lossy().into_owned()));
    words.join(" ")
}
