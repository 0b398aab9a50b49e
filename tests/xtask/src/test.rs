//! `cargo xtask test`: everything that has to hold, in one profile.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use crate::{build, cargo, clients, fuzz, machine, step};

/// How many tests did what.
#[derive(Default)]
struct Count {
    passed: usize,
    failed: usize,
}

/// Checks, builds and tests. With words, only the tests whose names contain one of them.
pub(crate) fn run(words: &[String]) -> Result<()> {
    machine::prepare()?;
    let mut failures = Vec::new();
    let mut check = |what: &str, outcome: Result<()>| {
        if let Err(error) = outcome {
            println!("{what}: {error:#}");
            failures.push(what.to_owned());
        }
    };
    if words.is_empty() {
        step::begin("formatting");
        check(
            "formatting",
            step::run(cargo::cargo("fmt").args(["--all", "--check"])),
        );
    }
    step::begin("building everything (some minutes the first time)");
    step::run(cargo::cargo("build").args(["--release", "--workspace"]))?;
    build::place_extension()?;
    step::run(cargo::cargo("test").args(["--release", "--workspace", "--no-run"]))?;
    if words.is_empty() {
        step::begin("lints");
        check(
            "lints",
            step::run(
                cargo::cargo("clippy")
                    .args(["--release", "--workspace", "--all-targets"])
                    .args(["--", "-D", "warnings"]),
            ),
        );
    }
    check("clients of other languages", clients::prepare());
    step::begin("tests");
    let count = tests(words)?;
    if words.is_empty() {
        check("fuzzing", fuzz::run(&[]));
    }
    step::begin("done");
    for what in &failures {
        println!("failed: {what}");
    }
    println!(
        "{} passed, {} failed",
        count.passed,
        count.failed + failures.len()
    );
    if count.failed + failures.len() > 0 {
        bail!("not everything holds");
    }
    Ok(())
}

/// Runs all test executables, shows what they print, and adds up their results.
fn tests(words: &[String]) -> Result<Count> {
    let mut command = cargo::cargo("test");
    command.args(["--release", "--workspace", "--no-fail-fast", "--"]);
    command.args(words);
    // A backtrace of a failed assertion is long and says little.
    command.env("RUST_BACKTRACE", "0");
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("running cargo test")?;
    let output = child.stdout.take().context("the tests' output")?;
    let mut count = Count::default();
    let mut seen = std::io::stdout().lock();
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        seen.write_all(&line)?;
        seen.write_all(b"\n")?;
        if let Some((passed, failed)) = result(&String::from_utf8_lossy(&line)) {
            count.passed += passed;
            count.failed += failed;
        }
    }
    let status = child.wait()?;
    if !status.success() && count.failed == 0 {
        // A test executable that died has said no result.
        count.failed = 1;
    }
    Ok(count)
}

/// Reads `test result: ok. 3 passed; 1 failed; …`.
fn result(line: &str) -> Option<(usize, usize)> {
    let rest = line.strip_prefix("test result: ")?;
    let number = |word: &str| -> Option<usize> {
        let before = rest.split(word).next()?.trim_end();
        before.rsplit(' ').next()?.parse().ok()
    };
    Some((number(" passed")?, number(" failed")?))
}

#[cfg(test)]
mod tests {
    use super::result;

    #[test]
    fn results_are_read_from_the_lines_of_test_executables() {
        let check = |line: &str, expect| assert_eq!(result(line), expect, "{line}");
        check(
            "test result: ok. 31 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            Some((31, 0)),
        );
        check(
            "test result: FAILED. 3 passed; 12 failed; 0 ignored; 0 measured; 1 filtered out; finished in 9.44s",
            Some((3, 12)),
        );
        check("test result_is_not_one ... ok", None);
        check("3 passed", None);
    }
}
