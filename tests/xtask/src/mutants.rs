//! `cargo xtask mutants`: negative controls. Each mutant takes one safety out of a copy of the tree, and the tests that
//! claim it must then fail; one that survives is an error.
//!
//! To add one: a [`Mutant`] in `extension.rs` or `broker.rs`. A unit test here keeps the tables fitting the tree.

mod broker;
mod copy;
mod extension;
mod trial;

use anyhow::{Result, bail, ensure};

use crate::step;
use trial::Verdict;

/// One safety taken out.
pub(crate) struct Mutant {
    /// How it is called on the command line.
    pub(crate) name: &'static str,
    /// What is lost with it, in a few words.
    pub(crate) safety: &'static str,
    /// The file, from the top of the checkout.
    pub(crate) file: &'static str,
    /// Text that stands exactly once in that file …
    pub(crate) from: &'static str,
    /// … and what it is replaced by.
    pub(crate) to: &'static str,
    /// Tests of which at least one must fail: `file::test` below `tests/tests`, or `unit::path::of::the::test`.
    pub(crate) tests: &'static [&'static str],
}

/// All mutants.
fn all() -> impl Iterator<Item = &'static Mutant> {
    extension::MUTANTS.iter().chain(broker::MUTANTS)
}

/// Tries the mutants whose names contain one of `words`, or all.
pub(crate) fn run(words: &[String]) -> Result<()> {
    let chosen: Vec<&Mutant> = all()
        .filter(|mutant| {
            words.is_empty() || words.iter().any(|word| mutant.name.contains(word.as_str()))
        })
        .collect();
    ensure!(!chosen.is_empty(), "no mutant is called like that");
    let tree = copy::Tree::refresh()?;
    step::begin("the copy as it is, whose tests must pass");
    let mut tests: Vec<&str> = chosen
        .iter()
        .flat_map(|mutant| mutant.tests)
        .copied()
        .collect();
    tests.sort_unstable();
    tests.dedup();
    match trial::run(&tree, &tests)? {
        Verdict::Survives => {}
        verdict => bail!("the tests do not pass without any mutation: {verdict}"),
    }
    let mut survivors = Vec::new();
    for mutant in &chosen {
        step::begin(&format!("{}: {}", mutant.name, mutant.safety));
        let _mutated = tree.mutate(mutant)?;
        let verdict = trial::run(&tree, mutant.tests)?;
        println!("{}: {verdict}", mutant.name);
        if !verdict.is_killed() {
            survivors.push(mutant.name);
        }
    }
    step::begin("done");
    println!(
        "{} killed, {} survived",
        chosen.len() - survivors.len(),
        survivors.len()
    );
    if !survivors.is_empty() {
        bail!("no test misses: {}", survivors.join(", "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{all, trial};
    use crate::cargo;
    use std::collections::HashSet;

    #[test]
    fn every_mutant_fits_the_tree() {
        let mut names = HashSet::new();
        for mutant in all() {
            let name = mutant.name;
            assert!(names.insert(name), "two mutants are called {name}");
            assert_ne!(mutant.from, mutant.to, "{name} changes nothing");
            let text = std::fs::read_to_string(cargo::top().join(mutant.file)).expect(mutant.file);
            let count = text.matches(mutant.from).count();
            assert_eq!(
                count, 1,
                "{name}: its text stands {count} times in {}",
                mutant.file
            );
            assert!(!mutant.tests.is_empty(), "{name} has no test");
            for test in mutant.tests {
                let (file, function) = trial::split(test);
                let function = function.rsplit("::").next().unwrap_or_default();
                let held = if file == trial::UNIT {
                    // Below the file that is mutated, or beside it.
                    let above = cargo::top().join(mutant.file).with_extension("");
                    std::iter::once(text.clone())
                        .chain(sources(&above))
                        .any(|text| has(&text, function))
                } else {
                    // One file, or a folder of modules.
                    let path = cargo::top().join(format!("tests/tests/{file}"));
                    let alone = std::fs::read_to_string(path.with_extension("rs"));
                    alone
                        .into_iter()
                        .chain(sources(&path))
                        .any(|text| has(&text, function))
                };
                assert!(held, "{name}: there is no test {test}");
            }
        }
    }

    fn has(text: &str, function: &str) -> bool {
        text.contains(&format!("fn {function}("))
    }

    fn sources(folder: &std::path::Path) -> Vec<String> {
        let entries = folder.read_dir().into_iter().flatten().flatten();
        entries
            .filter_map(|entry| std::fs::read_to_string(entry.path()).ok())
            .collect()
    }
}
