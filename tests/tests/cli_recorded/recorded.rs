//! The recorded runs of the reference's command line, and where ours differs on purpose.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, ensure};
use leasehold_tests::built;
use serde::Deserialize;
use serde_json::Value;

/// One run.
#[derive(Debug, Deserialize)]
pub struct Run {
    /// Its number.
    pub n: u32,
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Variables besides address and token; null takes one away.
    #[serde(default)]
    pub env: BTreeMap<String, Option<String>>,
    /// Standard input.
    #[serde(default)]
    pub stdin: String,
    /// Exit code.
    pub exit: i32,
    /// Requests that the server saw.
    pub requests: Vec<Request>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// One request of a run.
#[derive(Debug, Deserialize)]
pub struct Request {
    /// `PUT`
    pub method: String,
    /// `/v1/…`
    pub path: String,
    /// Without the question mark.
    pub query: String,
    /// Those that matter.
    pub headers: BTreeMap<String, String>,
    /// None for no body.
    pub body: Option<Value>,
    /// Status of the answer.
    pub status: u16,
}

/// The body of each answer of a run: what the server had to answer for the recorded output.
#[derive(Debug, Deserialize)]
struct Answers {
    n: u32,
    answers: Vec<Option<Value>>,
}

/// Where ours differs, and why.
#[derive(Debug, Deserialize)]
pub struct Differences {
    /// Words that are others everywhere.
    pub texts: Vec<Text>,
    /// Runs with another output.
    pub runs: Vec<Other>,
    /// Runs that are not replayed.
    pub left_out: Vec<LeftOut>,
}

/// A text that is another everywhere.
#[derive(Debug, Deserialize)]
pub struct Text {
    recorded: String,
    ours: String,
    why: String,
}

/// Another output of one run, or of several.
#[derive(Debug, Deserialize)]
pub struct Other {
    /// Which.
    pub runs: Vec<u32>,
    /// Ours; as recorded, if not given. Of stderr the beginning.
    pub stdout: Option<String>,
    /// The same.
    pub stderr: Option<String>,
    /// Why.
    pub why: String,
}

/// Runs that are left out.
#[derive(Debug, Deserialize)]
pub struct LeftOut {
    /// Which.
    pub runs: Vec<u32>,
    /// Why.
    pub why: String,
}

impl Differences {
    /// The list, checked: every entry has a reason.
    pub fn load() -> Result<Differences> {
        let file = built::top().join("tests/golden/cli-differences.json");
        let list: Differences = serde_json::from_str(&fs::read_to_string(file)?)?;
        let reasons = list.texts.iter().map(|text| &text.why);
        let reasons = reasons.chain(list.runs.iter().map(|run| &run.why));
        for why in reasons.chain(list.left_out.iter().map(|left_out| &left_out.why)) {
            ensure!(!why.trim().is_empty(), "a difference without a reason");
        }
        Ok(list)
    }

    /// A recorded text in our words.
    pub fn reword(&self, text: &str) -> String {
        self.texts.iter().fold(text.to_owned(), |text, other| {
            text.replace(&other.recorded, &other.ours)
        })
    }

    /// Why a run is left out, if it is.
    pub fn reason_to_leave_out(&self, run: u32) -> Option<&str> {
        let left_out = self
            .left_out
            .iter()
            .find(|left_out| left_out.runs.contains(&run))?;
        Some(&left_out.why)
    }

    /// Our own output of a run, if it is another.
    pub fn other(&self, run: u32) -> Option<&Other> {
        self.runs.iter().find(|other| other.runs.contains(&run))
    }
}

/// All runs with the answers that they need, `fill` applied to the text of both.
pub fn load(fill: impl Fn(&str) -> String) -> Result<Vec<(Run, Vec<Option<Value>>)>> {
    let golden = built::top().join("tests/golden");
    let runs = fs::read_to_string(golden.join("cli.jsonl"))?;
    let answers = fs::read_to_string(golden.join("cli-answers.jsonl"))?;
    let mut by_run = BTreeMap::new();
    for line in answers.lines() {
        let answers: Answers = serde_json::from_str(&fill(line))?;
        by_run.insert(answers.n, answers.answers);
    }
    runs.lines()
        .map(|line| {
            let run: Run = serde_json::from_str(&fill(line)).with_context(|| line.to_owned())?;
            let answers = by_run.remove(&run.n).unwrap_or_default();
            Ok((run, answers))
        })
        .collect()
}
