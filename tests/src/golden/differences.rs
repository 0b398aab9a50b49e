//! The one list of deliberate differences, `tests/golden/differences.json`.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
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

/// Steps that differ for one reason.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    kind: Kind,
    why: String,
    /// Places that may differ: `status`, `.errors[0]`; empty = the whole step.
    #[serde(default)]
    at: Vec<String>,
    /// Scenario -> numbers of its steps, from 0 (in `raw-http.jsonl`: lines, from 0).
    steps: BTreeMap<String, Vec<usize>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Anywhere {
    /// Last name of the place, in any scenario.
    name: String,
    why: String,
}

/// The list, and which of its entries have been needed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Differences {
    anywhere: Vec<Anywhere>,
    entries: Vec<Entry>,
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
            .entries
            .iter()
            .map(|e| &e.why)
            .chain(list.anywhere.iter().map(|a| &a.why))
            .any(|why| why.len() < 10);
        ensure!(!silent, "every difference gives its reason");
        Ok(list)
    }

    /// Scenarios with an entry.
    pub fn scenarios(&self) -> BTreeSet<&str> {
        self.entries
            .iter()
            .flat_map(|e| e.steps.keys().map(String::as_str))
            .collect()
    }

    /// True where the place may hold anything in any scenario.
    pub fn anywhere(&self, at: &str) -> bool {
        let name = at.rsplit('.').next().unwrap_or(at);
        self.anywhere.iter().any(|entry| entry.name == name)
    }

    /// The kind under which a difference at this place of this step is listed.
    pub fn listed(&mut self, scenario: &str, step: usize, at: &str) -> Option<Kind> {
        let (index, entry) = self.entries.iter().enumerate().find(|(_, e)| {
            e.steps.get(scenario).is_some_and(|s| s.contains(&step))
                && (e.at.is_empty() || e.at.iter().any(|a| a == at))
        })?;
        self.used.insert((index, step));
        Some(entry.kind)
    }

    /// Entries of a scenario that was replayed and did not differ there: the list has to shrink with them.
    /// Forgets what this scenario has used.
    pub fn stale(&mut self, scenario: &str) -> Vec<String> {
        let used = std::mem::take(&mut self.used);
        let entries = self.entries.iter().enumerate();
        entries
            .flat_map(|(index, entry)| {
                let steps = entry.steps.get(scenario).into_iter().flatten();
                steps.map(move |step| (index, *step, entry))
            })
            .filter(|(index, step, _)| !used.contains(&(*index, *step)))
            .map(|(_, step, entry)| {
                format!(
                    "{scenario} step {step} agrees now; take it out of the list ({})",
                    entry.why
                )
            })
            .collect()
    }
}
