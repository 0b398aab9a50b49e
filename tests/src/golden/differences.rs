//! The one list of deliberate differences, `tests/golden/differences.json`.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;

/// Why a difference stands.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// We answer otherwise on purpose.
    Decision,
    /// The scenario needs a piece that is not built yet.
    Later,
}

#[derive(Debug, Deserialize)]
struct Step {
    scenario: String,
    steps: Vec<usize>,
    /// Places that may differ; empty = the whole step.
    #[serde(default)]
    at: Vec<String>,
    kind: Kind,
    why: String,
}

#[derive(Debug, Deserialize)]
struct Anywhere {
    /// Last name of the place, in any scenario.
    name: String,
    why: String,
}

/// The list, and which of its entries have been needed.
#[derive(Debug, Deserialize)]
pub struct Differences {
    anywhere: Vec<Anywhere>,
    steps: Vec<Step>,
    #[serde(skip)]
    used: BTreeSet<(usize, usize)>,
}

impl Differences {
    /// Reads the list.
    pub fn load(folder: &Path) -> Result<Self> {
        let file = folder.join("differences.json");
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("reading {}", file.display()))?;
        let list: Differences =
            serde_json::from_str(&text).with_context(|| format!("{}", file.display()))?;
        let silent = list
            .steps
            .iter()
            .map(|s| &s.why)
            .chain(list.anywhere.iter().map(|a| &a.why))
            .any(|why| why.len() < 10);
        anyhow::ensure!(!silent, "every difference gives its reason");
        Ok(list)
    }

    /// True where the place may hold anything in any scenario.
    pub fn anywhere(&self, at: &str) -> bool {
        let name = at.rsplit('.').next().unwrap_or(at);
        self.anywhere.iter().any(|entry| entry.name == name)
    }

    /// The kind under which a difference at this place of this step is listed.
    pub fn listed(&mut self, scenario: &str, step: usize, at: &str) -> Option<Kind> {
        let (index, entry) = self.steps.iter().enumerate().find(|(_, s)| {
            s.scenario == scenario
                && s.steps.contains(&step)
                && (s.at.is_empty() || s.at.iter().any(|a| a == at))
        })?;
        self.used.insert((index, step));
        Some(entry.kind)
    }

    /// Entries of a scenario that was replayed and did not differ there: the list has to shrink with them.
    pub fn stale(&self, scenario: &str) -> Vec<String> {
        let entries = self
            .steps
            .iter()
            .enumerate()
            .filter(|(_, s)| s.scenario == scenario);
        entries
            .flat_map(|(index, s)| s.steps.iter().map(move |step| (index, *step, s)))
            .filter(|(index, step, _)| !self.used.contains(&(*index, *step)))
            .map(|(_, step, s)| {
                format!(
                    "{scenario} step {step} agrees now; take it out of the list ({})",
                    s.why
                )
            })
            .collect()
    }
}
