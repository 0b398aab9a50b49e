//! Runs a scenario step by step.

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::compare::{Difference, differ, dig};
use super::differences::{Differences, Kind};
use super::mask::{Variables, fill, fill_text, mask, mask_text};
use super::wire::{Answer, send};

#[derive(Debug, Deserialize)]
struct Scenario {
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
struct Step {
    sleep: Option<f64>,
    #[serde(rename = "as")]
    actor: Option<String>,
    #[serde(rename = "do")]
    request: Option<String>,
    #[serde(default, deserialize_with = "present")]
    body: Option<Value>,
    raw: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, Value>,
    #[serde(default)]
    save: BTreeMap<String, String>,
    #[serde(default)]
    status: u16,
    #[serde(default)]
    headers_seen: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "present")]
    answer: Option<Value>,
    text: Option<String>,
    compare: Option<String>,
    #[serde(default)]
    keys: Vec<String>,
    #[serde(default)]
    accept: Vec<u16>,
}

/// Tells a member that is null from one that is absent.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// The server under test and the PostgreSQL it may use.
#[derive(Clone, Debug)]
pub struct Server {
    /// `127.0.0.1:8200`.
    pub address: String,
    /// A root token.
    pub root: String,
    /// `127.0.0.1:5432`.
    pub pg: String,
    /// A superuser, as in the guide.
    pub pg_user: String,
    /// Its password.
    pub pg_password: String,
}

/// What a scenario came to.
#[derive(Debug, Default)]
pub struct Report {
    /// Steps sent.
    pub total: usize,
    /// Steps that agree.
    pub agree: usize,
    /// Steps that differ as listed.
    pub by_decision: usize,
    /// Steps that wait for a later piece, as listed.
    pub later: usize,
    /// What differs without being listed, and what is listed without differing.
    pub failures: Vec<String>,
}

impl Report {
    /// Adds another scenario's.
    pub fn add(&mut self, other: Report) {
        self.total += other.total;
        self.agree += other.agree;
        self.by_decision += other.by_decision;
        self.later += other.later;
        self.failures.extend(other.failures);
    }

    /// `N of M steps agree, K differ by decision, L wait for a later piece`
    pub fn line(&self) -> String {
        format!(
            "{} of {} steps agree, {} differ by decision, {} wait for a later piece",
            self.agree, self.total, self.by_decision, self.later
        )
    }
}

/// Replays scenarios of a folder.
pub struct Replay {
    folder: PathBuf,
    server: Server,
    differences: Differences,
}

impl Replay {
    /// Scenarios of `folder` against `server`.
    pub fn new(folder: &Path, server: Server) -> Result<Self> {
        Ok(Replay {
            folder: folder.to_owned(),
            server,
            differences: Differences::load(folder)?,
        })
    }

    /// Runs `<name>.json`.
    pub fn run(&mut self, name: &str) -> Result<Report> {
        let file = self.folder.join(format!("{name}.json"));
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("reading {}", file.display()))?;
        let scenario: Scenario =
            serde_json::from_str(&text).with_context(|| format!("{}", file.display()))?;
        let mut variables = self.variables();
        let mut report = Report::default();
        for (number, step) in scenario.steps.iter().enumerate() {
            if let Some(seconds) = step.sleep {
                std::thread::sleep(Duration::from_secs_f64(seconds));
                continue;
            }
            report.total += 1;
            let answer = self.call(step, &variables);
            let parsed: Option<Value> = answer
                .as_ref()
                .ok()
                .and_then(|a| serde_json::from_str(&a.text).ok());
            let found = match &answer {
                Ok(answer) => judge(step, answer, parsed.as_ref(), &variables),
                Err(error) => vec![Difference {
                    at: "status".into(),
                    text: format!("want {} got no answer: {error:#}", step.status),
                }],
            };
            self.settle(name, number, step, found, &mut report);
            for (variable, dotted) in &step.save {
                let saved = parsed.as_ref().and_then(|p| dig(p, dotted)).cloned();
                variables.insert(
                    variable.clone(),
                    saved.unwrap_or_else(|| Value::String("UNSAVED".into())),
                );
            }
        }
        report.failures.extend(self.differences.stale(name));
        Ok(report)
    }

    fn variables(&self) -> Variables {
        let server = &self.server;
        [
            ("root", &server.root),
            ("pg", &server.pg),
            ("pg_user", &server.pg_user),
            ("pg_password", &server.pg_password),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::String(value.clone())))
        .collect()
    }

    fn call(&self, step: &Step, variables: &Variables) -> Result<Answer> {
        let request = step
            .request
            .as_deref()
            .context("a step has `do` or `sleep`")?;
        let (method, path) = request.split_once(' ').unwrap_or((request, ""));
        let path = fill_text(path, variables);
        let target = if path.starts_with('/') {
            path
        } else {
            format!("/v1/{path}")
        };
        let mut headers: Vec<(String, String)> = Vec::new();
        for (name, value) in &step.headers {
            let value = fill(value, variables);
            headers.push((
                name.clone(),
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned),
            ));
        }
        let actor = step.actor.as_deref().unwrap_or("nobody");
        if actor != "nobody" && !headers.iter().any(|(name, _)| name == "X-Vault-Token") {
            let token = variables
                .get(actor)
                .with_context(|| format!("actor {actor}"))?;
            headers.push((
                "X-Vault-Token".into(),
                token
                    .as_str()
                    .map_or_else(|| token.to_string(), str::to_owned),
            ));
        }
        let body = match (&step.raw, &step.body) {
            (Some(raw), _) => Some(fill_text(raw, variables).into_bytes()),
            (None, Some(body)) => Some(fill(body, variables).to_string().into_bytes()),
            (None, None) => None,
        };
        send(
            &self.server.address,
            method,
            &target,
            &headers,
            body.as_deref(),
        )
    }

    /// Counts a step, looking every difference up in the list.
    fn settle(
        &mut self,
        name: &str,
        number: usize,
        step: &Step,
        found: Vec<Difference>,
        report: &mut Report,
    ) {
        let found: Vec<_> = found
            .into_iter()
            .filter(|d| !self.differences.anywhere(&d.at))
            .collect();
        if found.is_empty() {
            report.agree += 1;
            return;
        }
        let mut kinds = Vec::new();
        for difference in &found {
            match self.differences.listed(name, number, &difference.at) {
                Some(kind) => kinds.push(kind),
                None => {
                    let request = step.request.as_deref().unwrap_or_default();
                    let actor = step.actor.as_deref().unwrap_or("nobody");
                    report.failures.push(format!(
                        "{name} step {number} ({actor} {request}): {}: {}",
                        difference.at, difference.text
                    ));
                }
            }
        }
        if kinds.len() == found.len() {
            if kinds.contains(&Kind::Later) {
                report.later += 1
            } else {
                report.by_decision += 1
            }
        }
    }
}

/// What of a step's answer is not as recorded.
fn judge(
    step: &Step,
    answer: &Answer,
    parsed: Option<&Value>,
    variables: &Variables,
) -> Vec<Difference> {
    let mut out = Vec::new();
    let how = step.compare.as_deref().unwrap_or("all");
    if answer.status != step.status {
        if !step.accept.contains(&answer.status) {
            let text: String = answer.text.chars().take(300).collect();
            out.push(Difference {
                at: "status".into(),
                text: format!("want {} got {} {text}", step.status, answer.status),
            });
        }
        return out;
    }
    if how == "status" {
        return out;
    }
    if let Some(want) = &step.answer {
        let got = parsed.map_or(Value::Null, |p| mask(p, "", variables));
        if how == "subset" {
            for dotted in &step.keys {
                match (dig(want, dotted), dig(&got, dotted)) {
                    (Some(want), Some(got)) => differ(want, got, &format!(".{dotted}"), &mut out),
                    _ => out.push(Difference {
                        at: format!(".{dotted}"),
                        text: "missing".into(),
                    }),
                }
            }
        } else {
            differ(want, &got, "", &mut out);
        }
    } else if let Some(want) = &step.text {
        let got = mask_text(&answer.text, "", variables);
        if *want != got {
            out.push(Difference {
                at: "text".into(),
                text: format!("want {want:?} got {got:?}"),
            });
        }
    } else if !answer.text.is_empty() {
        out.push(Difference {
            at: "body".into(),
            text: format!("want none got {}", answer.text),
        });
    }
    for name in ["content-type", "cache-control"] {
        let want = step.headers_seen.get(name).map(String::as_str);
        if want != answer.header(name) {
            out.push(Difference {
                at: format!("header {name}"),
                text: format!("want {want:?} got {:?}", answer.header(name)),
            });
        }
    }
    for name in ["retry-after", "location", "allow"] {
        if step.headers_seen.contains_key(name) && answer.header(name).is_none() {
            out.push(Difference {
                at: format!("header {name}"),
                text: "missing".into(),
            });
        }
    }
    out
}
