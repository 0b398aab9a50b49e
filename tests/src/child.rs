//! Programs that a test runs to their end.

use anyhow::{Context, Result};
use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Runs `command` with that on its standard input.
pub fn run_with_input(command: &mut Command, input: &[u8]) -> Result<Output> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("running {}", command.get_program().display()))?;
    // Input is small, so no pipe fills up on both sides. Who does not read it has ended already: no fault.
    let _ = child.stdin.take().context("stdin")?.write_all(input);
    Ok(child.wait_with_output()?)
}
