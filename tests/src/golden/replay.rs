//! Runs a scenario step by step.

use anyhow::{Context, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::compare::{Difference, dig};
use super::differences::{Differences, Kind};
use super::judge::judge;
use super::mask::{Variables, fill, fill_text};
use super::raw;
use super::report::{Outcome, Report};
use super::scenario::{Scenario, Step};
use super::wire::{Answer, send};

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

/// Replays scenarios of a folder.
pub struct Replay {
    folder: PathBuf,
    server: Server,
    differences: Differences,
}

impl Replay {
    /// Scenarios of `folder` against `server`.
    pub fn new(folder: &Path, server: Server, differences: Differences) -> Replay {
        Replay {
            folder: folder.to_owned(),
            server,
            differences,
        }
    }

    /// Runs `<name>.json`, or, for [`raw::NAME`], the requests in raw bytes.
    pub fn run(&mut self, name: &str) -> Result<Outcome> {
        let mut report = Report::default();
        let about = if name == raw::NAME {
            for (number, step) in raw::load(&self.folder)?.iter().enumerate() {
                report.total += 1;
                let found = raw::replay(step, &self.server.address, &self.server.root)?;
                self.settle(name, number, step.about(), found, &mut report);
            }
            raw::ABOUT.to_owned()
        } else {
            let scenario = Scenario::load(&self.folder, name)?;
            self.run_scenario(name, &scenario, &mut report)?;
            scenario.about
        };
        report.failures.extend(self.differences.stale(name));
        Ok(Outcome {
            name: name.to_owned(),
            about,
            report,
        })
    }

    fn run_scenario(&mut self, name: &str, scenario: &Scenario, report: &mut Report) -> Result<()> {
        let mut variables = self.variables();
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
                Err(error) => {
                    let text = format!("want {} got no answer: {error:#}", step.status);
                    vec![Difference::new("status", text)]
                }
            };
            self.settle(name, number, &describe(step), found, report);
            for (variable, dotted) in &step.save {
                let saved = parsed.as_ref().and_then(|p| dig(p, dotted)).cloned();
                variables.set(
                    variable,
                    saved.unwrap_or_else(|| Value::String("UNSAVED".into())),
                );
            }
        }
        Ok(())
    }

    fn variables(&self) -> Variables {
        let server = &self.server;
        let mut variables = Variables::default();
        for (name, value) in [
            ("root", &server.root),
            ("pg", &server.pg),
            ("pg_user", &server.pg_user),
            ("pg_password", &server.pg_password),
        ] {
            variables.set(name, Value::String(value.clone()));
        }
        variables
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
            headers.push((name.clone(), plain(&fill(value, variables))));
        }
        let actor = step.actor.as_deref().unwrap_or("nobody");
        if actor != "nobody" && !step.headers.contains_key("X-Vault-Token") {
            let token = variables
                .get(actor)
                .with_context(|| format!("actor {actor}"))?;
            headers.push(("X-Vault-Token".into(), plain(token)));
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
        step: &str,
        mut found: Vec<Difference>,
        report: &mut Report,
    ) {
        found.retain(|difference| !self.differences.anywhere(&difference.at));
        if found.is_empty() {
            report.agree += 1;
            return;
        }
        let mut kinds = Vec::new();
        for difference in &found {
            match self.differences.listed(name, number, &difference.at) {
                Some(kind) => kinds.push(kind),
                None => report.failures.push(format!(
                    "{name} step {number} ({step}): {}: {}",
                    difference.at, difference.text
                )),
            }
        }
        if kinds.len() < found.len() {
            return;
        }
        if kinds.contains(&Kind::Later) {
            report.later += 1;
        } else {
            report.by_decision += 1;
        }
    }
}

/// Who asked for what, and what the recording says to an implementer.
fn describe(step: &Step) -> String {
    let mut text = format!(
        "{} {}",
        step.actor.as_deref().unwrap_or("nobody"),
        step.request.as_deref().unwrap_or_default()
    );
    for (label, more) in [("", &step.what), ("note: ", &step.note)] {
        if let Some(more) = more {
            text.push_str(&format!("; {label}{more}"));
        }
    }
    text
}

/// A text as it is, anything else as JSON.
fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
