//! `cargo xtask crash | soak | mass`: tests that run anyway, for longer or with more than every time.
//!
//! What is tried, and how it is judged, is in `tests/tests/`; here are only the numbers.

use anyhow::{Context, Result, bail};

use crate::{build, cargo, step};

/// A test, and the numbers it takes.
pub(crate) struct Trial {
    /// As the chore is called.
    pub(crate) name: &'static str,
    /// The test's executable.
    file: &'static str,
    /// The test in it.
    test: &'static str,
    options: &'static [Number],
}

/// `--OPTION N`, and where the test looks for it.
struct Number {
    option: &'static str,
    variable: &'static str,
    usual: Option<u64>,
}

pub(crate) const CRASH: Trial = Trial {
    name: "crash",
    file: "crash",
    test: "crashes_break_nothing",
    options: &[
        Number {
            option: "--cycles",
            variable: "LEASEHOLD_CRASH_CYCLES",
            usual: Some(20),
        },
        // Without one the test draws and prints it.
        Number {
            option: "--seed",
            variable: "LEASEHOLD_CRASH_SEED",
            usual: None,
        },
    ],
};

pub(crate) const SOAK: Trial = Trial {
    name: "soak",
    file: "soak",
    test: "faults_of_all_kinds_break_nothing",
    options: &[
        Number {
            option: "--minutes",
            variable: "LEASEHOLD_SOAK_MINUTES",
            usual: Some(30),
        },
        Number {
            option: "--seed",
            variable: "LEASEHOLD_SOAK_SEED",
            usual: None,
        },
    ],
};

pub(crate) const MASS: Trial = Trial {
    name: "mass",
    file: "mass",
    test: "very_many_leases_end_at_once_in_each_way",
    options: &[Number {
        option: "--leases",
        variable: "LEASEHOLD_MASS_LEASES",
        usual: Some(100_000),
    }],
};

/// Builds, then runs the test with the numbers given.
pub(crate) fn run(trial: &Trial, arguments: &[String]) -> Result<()> {
    let numbers = read(trial, arguments)?;
    build::run()?;
    step::begin(trial.name);
    let mut command = cargo::cargo("test");
    command.args(["--release", "--workspace", "--quiet", "--test", trial.file]);
    command.args(["--", "--exact", trial.test, "--nocapture"]);
    command.env("RUST_BACKTRACE", "0").envs(numbers);
    step::run(&mut command)
}

/// `--cycles 5` or `--cycles=5`.
fn read(trial: &Trial, arguments: &[String]) -> Result<Vec<(&'static str, String)>> {
    let mut given: Vec<(&'static str, String)> = Vec::new();
    let mut words = arguments.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let (option, value) = match word.split_once('=') {
            Some((option, value)) => (option, Some(value)),
            None => (word, words.next()),
        };
        let Some(number) = trial.options.iter().find(|known| known.option == option) else {
            let known: Vec<_> = trial.options.iter().map(|known| known.option).collect();
            bail!(
                "unexpected argument {option}: {} takes {} N",
                trial.name,
                known.join(" N and ")
            );
        };
        let value = value.with_context(|| format!("{option} wants a number"))?;
        value
            .parse::<u64>()
            .with_context(|| format!("{option} {value}: want a number"))?;
        given.push((number.variable, value.to_owned()));
    }
    for number in trial.options {
        let is_given = given
            .iter()
            .any(|(variable, _)| *variable == number.variable);
        if let Some(usual) = number.usual.filter(|_| !is_given) {
            given.push((number.variable, usual.to_string()));
        }
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::{CRASH, read};

    #[test]
    fn numbers_are_read_from_either_form() {
        let check = |words: &[&str], expect: Option<&str>| {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            let got = read(&CRASH, &words).ok().map(|numbers| {
                let all: Vec<_> = numbers
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                all.join(" ").replace("LEASEHOLD_CRASH_", "")
            });
            assert_eq!(got.as_deref(), expect, "{words:?}");
        };
        check(&[], Some("CYCLES=20"));
        check(&["--cycles", "5"], Some("CYCLES=5"));
        check(&["--cycles=5", "--seed", "7"], Some("CYCLES=5 SEED=7"));
        check(&["--seed", "7"], Some("SEED=7 CYCLES=20"));
        check(&["--cycles"], None);
        check(&["--cycles", "many"], None);
        check(&["--minutes", "5"], None);
    }
}
