//! `cargo xtask fuzz [TARGET] [--seconds=N]`: libFuzzer on the broker's readers of foreign text.
//!
//! The fuzzer wants to see which branches an input took, so the crates that are watched are compiled with LLVM's coverage
//! of edges. That is a pass of the compiler that everybody has, and cargo lets a wrapper add it to the crates of this
//! workspace only: dependencies stay those of every other build, and only the broker's library is compiled once more.
//! We are that wrapper ourselves ([`wrap`]).

use anyhow::{Context, Result, bail, ensure};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use crate::{cargo, machine, step};

/// Set where we are called by cargo in the place of the compiler.
const WRAPPER: &str = "LEASEHOLD_FUZZ_WRAPPER";
/// The crates that are watched.
const WATCHED: [&str; 2] = ["leasehold_broker", "leasehold_fuzz"];
/// Flags for them: a counter for each edge, and a table of where the edges are.
const COVERAGE: [&str; 7] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cdebug-assertions=on",
    "-Coverflow-checks=on",
];
const TARGETS: [&str; 5] = ["duration", "json", "path", "policy", "template"];
/// How long each target is fuzzed unless said.
const SECONDS: u32 = 30;
/// How many at a time.
const AT_ONCE: usize = 2;
/// Longest input in bytes, longest time for one in seconds, and most memory in MiB.
const LIMITS: [&str; 3] = ["-max_len=1024", "-timeout=10", "-rss_limit_mb=1024"];

/// If cargo called us in the place of the compiler: becomes the compiler, with more flags for what is watched.
pub(crate) fn wrap() {
    if std::env::var_os(WRAPPER).is_none() {
        return;
    }
    let mut arguments = std::env::args_os().skip(1);
    let Some(compiler) = arguments.next() else {
        return;
    };
    let arguments: Vec<_> = arguments.collect();
    let watched = arguments
        .windows(2)
        .any(|pair| pair[0] == "--crate-name" && WATCHED.iter().any(|name| pair[1] == *name));
    let mut command = Command::new(compiler);
    command.args(arguments);
    if watched {
        command.args(COVERAGE);
    }
    let error = command.exec();
    eprintln!("error: running the compiler: {error}");
    std::process::exit(1);
}

/// Builds the fuzzer, and lets it look for inputs that break a target.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut targets = Vec::new();
    let mut seconds = SECONDS;
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let value = match word.strip_prefix("--seconds") {
            Some("") => words.next().map(String::as_str),
            Some(rest) => rest.strip_prefix('='),
            None => {
                let known = TARGETS.iter().find(|name| *name == word);
                targets.push(*known.with_context(|| {
                    format!("no target {word}: there are {}", TARGETS.join(", "))
                })?);
                continue;
            }
        };
        seconds = value
            .and_then(|value| value.parse().ok())
            .with_context(|| format!("{word} wants a number of seconds"))?;
    }
    if targets.is_empty() {
        targets.extend(TARGETS);
    }
    machine::prepare()?;
    step::begin("building the fuzzer");
    step::run(
        cargo::cargo("build")
            .args(["--release", "--workspace", "--bin", "leasehold-fuzz"])
            .args(["--features", "leasehold_fuzz/libfuzzer"])
            .env("RUSTC_WORKSPACE_WRAPPER", std::env::current_exe()?)
            .env(WRAPPER, "1"),
    )?;
    step::begin(&format!("fuzzing, {seconds} s each"));
    targets.reverse();
    let targets = Mutex::new(targets);
    let next = || targets.lock().ok().and_then(|mut targets| targets.pop());
    let broken: Vec<&str> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                scope.spawn(|| {
                    let mut broken = Vec::new();
                    while let Some(target) = next() {
                        if let Err(error) = fuzz(target, seconds) {
                            println!("{target}: {error:#}");
                            broken.push(target);
                        }
                    }
                    broken
                })
            })
            .collect();
        let joined = threads.into_iter().filter_map(|thread| thread.join().ok());
        joined.flatten().collect()
    });
    if !broken.is_empty() {
        bail!(
            "broken: {}. What broke them lies in tests/fuzz/found/: mend it, and keep the file",
            broken.join(", ")
        );
    }
    Ok(())
}

/// One target for its time. What was learnt stays in `target/fuzz/` for the next time.
fn fuzz(target: &str, seconds: u32) -> Result<()> {
    let own = cargo::target_folder().join("fuzz").join(target);
    let (corpus, seeds) = (own.join("corpus"), own.join("seeds"));
    let found: PathBuf = cargo::top().join("tests/fuzz/found").join(target);
    for folder in [&corpus, &seeds, &found] {
        std::fs::create_dir_all(folder)?;
    }
    let log = own.join("log");
    let status = Command::new(cargo::release_folder().join("leasehold-fuzz"))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", found.display()))
        .args(LIMITS)
        .args([&corpus, &seeds, &found])
        .env("LEASEHOLD_FUZZ_TARGET", target)
        .env("LEASEHOLD_FUZZ_SEEDS", &seeds)
        .stdout(File::create(&log)?)
        .stderr(File::options().append(true).open(&log)?)
        .status()
        .context("running the fuzzer")?;
    // Gone again if nothing was found.
    let _ = std::fs::remove_dir(&found);
    let said = String::from_utf8_lossy(&std::fs::read(&log)?).into_owned();
    if !status.success() {
        let lines: Vec<&str> = said.lines().collect();
        bail!(
            "{status}\n{}",
            lines[lines.len().saturating_sub(40)..].join("\n")
        );
    }
    let last = said.lines().find(|line| line.contains("DONE"));
    let last = last.context("the fuzzer did not say that it is done")?;
    ensure!(last.contains("cov: "), "the fuzzer saw no coverage: {last}");
    println!(
        "{target}: {}",
        last.split_whitespace().collect::<Vec<_>>().join(" ")
    );
    Ok(())
}
