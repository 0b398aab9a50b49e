//! Building the copy and running some of its tests.

use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use super::copy::Tree;
use crate::{cargo, step};

/// What stands before `::` for a unit test.
pub(crate) const UNIT: &str = "unit";
/// A test that waits for what the mutant has taken away may never end; this is as good as failed.
const PATIENCE: Duration = Duration::from_secs(300);

/// What the tests said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All passed.
    Survives,
    /// One failed.
    Killed,
    /// They did not end.
    Hangs,
}

impl Verdict {
    /// True if the tests noticed.
    pub(crate) fn is_killed(&self) -> bool {
        *self != Verdict::Survives
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Survives => "SURVIVES, all tests pass",
            Verdict::Killed => "killed, a test fails",
            Verdict::Hangs => "killed, a test does not end",
        })
    }
}

/// `file::test` in its two parts.
pub(crate) fn split(test: &str) -> (&str, &str) {
    test.split_once("::").unwrap_or((test, ""))
}

/// Builds the copy and runs `tests`.
pub(crate) fn run(tree: &Tree, tests: &[&str]) -> Result<Verdict> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for test in tests {
        let (file, function) = split(test);
        groups.entry(file).or_default().push(function);
    }
    // What does not build is no answer.
    step::run(in_copy(tree, "build").args(["--release", "--workspace", "--quiet"]))?;
    let mut no_run = in_copy(tree, "test");
    no_run.args(["--release", "--workspace", "--quiet", "--no-run"]);
    groups.keys().for_each(|file| pick(&mut no_run, file));
    step::run(&mut no_run)?;
    for (file, functions) in groups {
        let mut command = in_copy(tree, "test");
        command.args(["--release", "--workspace", "--quiet"]);
        pick(&mut command, file);
        command.args(["--", "--exact"]).args(&functions);
        let log = tree.folder().with_file_name("last-tests.log");
        let output = std::fs::File::create(&log)?;
        command.stdout(output.try_clone()?).stderr(output);
        let Some(status) = within(
            PATIENCE,
            command.process_group(0).spawn().context("cargo test")?,
        )?
        else {
            return Ok(Verdict::Hangs);
        };
        let text = String::from_utf8_lossy(&std::fs::read(&log)?).into_owned();
        let failed = text.contains("test result: FAILED");
        let passed = passed(&text);
        if status.success() {
            ensure!(
                passed == functions.len(),
                "{passed} of {} tests ran: {file} {functions:?}",
                functions.len()
            );
        } else if failed {
            text.lines()
                .filter(|line| line.contains("panicked at") || line.starts_with("Error:"))
                .take(3)
                .for_each(|line| println!("  {line}"));
            return Ok(Verdict::Killed);
        } else {
            bail!("{file} {functions:?} gave no result:\n{text}");
        }
    }
    Ok(Verdict::Survives)
}

fn passed(text: &str) -> usize {
    text.lines()
        .filter_map(|line| {
            line.strip_prefix("test result: ok. ")?
                .split(' ')
                .next()?
                .parse::<usize>()
                .ok()
        })
        .sum()
}

fn pick(command: &mut Command, file: &str) {
    if file == UNIT {
        command.args(["--lib", "--bins"]);
    } else {
        command.args(["--test", file]);
    }
}

fn in_copy(tree: &Tree, verb: &str) -> Command {
    let mut command = cargo::cargo(verb);
    command
        .current_dir(tree.folder())
        .env("CARGO_TARGET_DIR", tree.target())
        .env("CARGO_INCREMENTAL", "1")
        .env("RUST_BACKTRACE", "0");
    command
}

/// The status of `child`, a process group of its own; `None` if it had to be ended.
fn within(limit: Duration, mut child: Child) -> Result<Option<ExitStatus>> {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begin.elapsed() > limit {
            let group = format!("-{}", child.id());
            step::run(Command::new("kill").args(["-s", "KILL", "--", &group]))?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
