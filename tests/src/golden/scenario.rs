//! A scenario as its file holds it.

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// A recorded conversation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is about, in a line.
    pub about: String,
    /// One after the other.
    pub steps: Vec<Step>,
    /// The same facts for unit tests of pure code.
    #[serde(rename = "table", default)]
    _table: serde::de::IgnoredAny,
}

/// A request with its recorded answer, or a pause.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Seconds to wait; nothing is sent.
    pub sleep: Option<f64>,
    /// `root`, `nobody` (also when absent), or a saved token.
    #[serde(rename = "as")]
    pub actor: Option<String>,
    /// `METHOD path`, below `/v1/` unless it begins with a slash.
    #[serde(rename = "do")]
    pub request: Option<String>,
    /// Sent as JSON.
    #[serde(default, deserialize_with = "present")]
    pub body: Option<Value>,
    /// Sent as it is.
    pub raw: Option<String>,
    /// Sent besides the token.
    #[serde(default)]
    pub headers: BTreeMap<String, Value>,
    /// Name -> dotted path in the answer.
    #[serde(default)]
    pub save: BTreeMap<String, String>,
    /// Recorded status.
    #[serde(default)]
    pub status: u16,
    /// Recorded headers, those worth comparing.
    #[serde(default)]
    pub headers_seen: BTreeMap<String, String>,
    /// Recorded JSON body.
    #[serde(default, deserialize_with = "present")]
    pub answer: Option<Value>,
    /// Recorded other body.
    pub text: Option<String>,
    /// `status`, `subset`, else everything.
    pub compare: Option<String>,
    /// With `subset`: dotted paths.
    #[serde(default)]
    pub keys: Vec<String>,
    /// Statuses that are as good as the recorded one.
    #[serde(default)]
    pub accept: Vec<u16>,
    /// Why an implementer may differ.
    pub note: Option<String>,
    /// A label.
    pub what: Option<String>,
}

impl Scenario {
    /// Reads `<name>.json`.
    pub fn load(folder: &Path, name: &str) -> Result<Scenario> {
        let file = folder.join(format!("{name}.json"));
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("reading {}", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{}", file.display()))
    }
}

/// Tells a member that is null from one that is absent.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}
