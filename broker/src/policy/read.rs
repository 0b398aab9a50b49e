//! Items to rules: what each key of a policy means and which values it takes (contract 4.2).

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;
use thiserror::Error;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::hcl1::{self, Body, Item, SyntaxError, Value, ValueKind};
use super::{Capabilities, Capability, PathRule, Pattern, Policy, WrappingBounds};
use crate::duration::{self, Span};

const BLOCK_KEYS: [&str; 9] = [
    "allowed_parameters",
    "capabilities",
    "comment",
    "denied_parameters",
    "expiration",
    "max_wrapping_ttl",
    "min_wrapping_ttl",
    "policy",
    "required_parameters",
];

/// Why a text is no policy. The messages follow `failed to parse policy: `.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// Not HCL.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// Keys that no policy has, or that would restrict in a way this server can not keep.
    #[error("{0}")]
    Keys(KeyErrors),
    /// A `path` block says something that can not be meant.
    #[error("path {path:?}: {detail}")]
    Rule {
        /// Its pattern.
        path: String,
        /// What is wrong.
        detail: String,
    },
    /// `{{` without `}}` or the other way round.
    #[error("failed to validate policy templating: unbalanced templating characters")]
    Templating,
    /// A bound on wrapping that is no duration.
    #[error("error parsing {key}: {detail}")]
    WrappingBound {
        /// Which bound.
        key: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// The bounds leave nothing between them.
    #[error("max_wrapping_ttl cannot be less than min_wrapping_ttl")]
    WrappingBounds,
    /// `name` is no text.
    #[error("name: {0}")]
    Name(String),
    /// Base64 of something that is no text.
    #[error("the decoded text is not UTF-8")]
    Encoding,
}

/// Every key that is wrong, at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyErrors(Vec<String>);

impl fmt::Display for KeyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0.len() == 1 { "error" } else { "errors" };
        write!(f, "{} {plural} occurred:", self.0.len())?;
        self.0
            .iter()
            .try_for_each(|error| write!(f, "\n\t* {error}"))?;
        f.write_str("\n\n")
    }
}

/// The text that a client submitted: what is valid padded base64 is decoded, blindly, as every
/// word of 4, 8, … letters is (contract 4.1). What comes out is what is stored.
pub fn decode_submitted(text: &str) -> Result<String, PolicyError> {
    match STANDARD.decode(text) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| PolicyError::Encoding),
        Err(_) => Ok(text.to_owned()),
    }
}

impl Policy {
    /// Reads a policy from its text.
    pub fn parse(name: &str, text: &str) -> Result<Policy, PolicyError> {
        let body = hcl1::parse(text)?;
        check_keys(&body, &["name", "path"], "")?;
        for item in body.items.iter().filter(|item| item.key == "name") {
            word(&item.value).map_err(PolicyError::Name)?;
        }
        let mut rules = Vec::new();
        for item in body.items.iter().filter(|item| item.key == "path") {
            match item.labels.first() {
                Some(path) => rules.push(rule(path, &item.value)?),
                None => check_unlabelled(&item.value)?,
            }
        }
        Ok(Policy {
            name: name.to_owned(),
            rules,
        })
    }
}

/// A `path` without a pattern says nothing if it is empty, and is refused if not.
fn check_unlabelled(value: &Value) -> Result<(), PolicyError> {
    if let ValueKind::Object(body) = &value.kind {
        check_keys(body, &BLOCK_KEYS, "path \"path\": ")?;
        if body.items.is_empty() {
            return Ok(());
        }
    }
    let detail = format!("expected a pattern and an object, got {}", value.what());
    Err(PolicyError::Rule {
        path: "path".into(),
        detail,
    })
}

fn rule(path: &str, value: &Value) -> Result<PathRule, PolicyError> {
    let refuse = |detail: String| PolicyError::Rule {
        path: path.to_owned(),
        detail,
    };
    let templated = is_templated(path)?;
    let ValueKind::Object(body) = &value.kind else {
        return Err(refuse(format!("expected an object, got {}", value.what())));
    };
    check_keys(body, &BLOCK_KEYS, &format!("path {path:?}: "))?;
    let block = read_block(body).map_err(refuse)?;
    let Ok(pattern) = Pattern::parse(path) else {
        return Err(refuse(
            "invalid use of wildcards ('+*' is forbidden)".into(),
        ));
    };
    let mut rule = PathRule {
        pattern,
        capabilities: Capabilities::NONE,
        parameters: Default::default(),
        wrapping: WrappingBounds::default(),
        expires_at: block.expires_at,
        templated,
    };
    rule.capabilities = capabilities(&block).map_err(refuse)?;
    if rule.capabilities.has(Capability::Deny) {
        return Ok(rule);
    }
    rule.parameters.allowed = block.allowed;
    rule.parameters.denied = block.denied;
    rule.parameters.required = block
        .required
        .iter()
        .map(|name| name.to_lowercase())
        .collect();
    rule.wrapping.min = bound("min_wrapping_ttl", block.min_wrapping)?;
    rule.wrapping.max = bound("max_wrapping_ttl", block.max_wrapping)?;
    match rule.wrapping {
        WrappingBounds {
            min: Some(min),
            max: Some(max),
        } if max < min => Err(PolicyError::WrappingBounds),
        _ => Ok(rule),
    }
}

/// The attributes of a block, typed; lists given twice add up, of others the last counts.
#[derive(Default)]
struct Block<'b> {
    capabilities: Vec<String>,
    policy: String,
    allowed: BTreeMap<String, Vec<Json>>,
    denied: BTreeMap<String, Vec<Json>>,
    required: Vec<String>,
    min_wrapping: Option<&'b Value>,
    max_wrapping: Option<&'b Value>,
    expires_at: Option<OffsetDateTime>,
}

fn read_block(body: &Body) -> Result<Block<'_>, String> {
    let mut block = Block::default();
    for Item {
        key, labels, value, ..
    } in &body.items
    {
        if let Some(label) = labels.first() {
            return Err(format!("{key}: unexpected {label:?} after the key"));
        }
        let in_key = |detail: String| format!("{key}: {detail}");
        match key.as_str() {
            "capabilities" => block.capabilities.extend(words(value).map_err(in_key)?),
            "policy" => block.policy = word(value).map_err(in_key)?,
            "allowed_parameters" => add_values(&mut block.allowed, value).map_err(in_key)?,
            "denied_parameters" => add_values(&mut block.denied, value).map_err(in_key)?,
            "required_parameters" => block.required.extend(words(value).map_err(in_key)?),
            "min_wrapping_ttl" => block.min_wrapping = Some(value),
            "max_wrapping_ttl" => block.max_wrapping = Some(value),
            "expiration" => block.expires_at = Some(instant(value)?),
            "comment" => drop(word(value).map_err(in_key)?),
            _ => return Err(in_key("not a key of a path block".into())),
        }
    }
    Ok(block)
}

fn capabilities(block: &Block<'_>) -> Result<Capabilities, String> {
    use Capability::{Create, Delete, Deny, List, Read, Sudo, Update};
    let legacy: &[Capability] = match block.policy.as_str() {
        "" => &[],
        "deny" => return Ok([Deny].into_iter().collect()),
        "read" => &[Read, List],
        "write" => &[Create, Read, Update, Delete, List],
        "sudo" => &[Create, Read, Update, Delete, List, Sudo],
        other => return Err(format!("invalid policy {other:?}")),
    };
    let mut set = Capabilities::NONE;
    for word in &block.capabilities {
        match Capability::from_word(word) {
            // What stands behind a deny is not looked at.
            Some(Deny) => return Ok([Deny].into_iter().collect()),
            Some(capability) => set.insert(capability),
            // Of newer servers: they grant what this one does not have.
            None if word == "subscribe" || word == "recover" => {}
            None => return Err(format!("invalid capability {word:?}")),
        }
    }
    legacy.iter().for_each(|capability| set.insert(*capability));
    Ok(set)
}

fn check_keys(body: &Body, known: &[&str], context: &str) -> Result<(), PolicyError> {
    let strays = body
        .items
        .iter()
        .filter(|item| !known.contains(&item.key.as_str()));
    let error = |item: &Item| {
        format!(
            "{context}invalid key {:?} on line {}",
            item.key, item.assign_line
        )
    };
    let errors: Vec<String> = strays.map(error).collect();
    match errors.is_empty() {
        true => Ok(()),
        false => Err(PolicyError::Keys(KeyErrors(errors))),
    }
}

/// Whether a pattern has templates: `{{` and `}}` in turns.
fn is_templated(path: &str) -> Result<bool, PolicyError> {
    let pieces: Vec<&str> = path.split("}}").collect();
    let (last, closed) = pieces.split_last().expect("a split has one piece at least");
    let opened_once = |piece: &&str| piece.matches("{{").count() == 1;
    if last.contains("{{") || !closed.iter().all(opened_once) {
        return Err(PolicyError::Templating);
    }
    Ok(!closed.is_empty())
}

fn word(value: &Value) -> Result<String, String> {
    match &value.kind {
        ValueKind::Text(text) | ValueKind::Number(text) => Ok(text.clone()),
        _ => Err(format!("expected a string, got {}", value.what())),
    }
}

fn words(value: &Value) -> Result<Vec<String>, String> {
    match &value.kind {
        ValueKind::List(items) => items.iter().map(word).collect(),
        ValueKind::Object(body) if body.items.is_empty() => Ok(Vec::new()),
        _ => Err(format!("expected a list of strings, got {}", value.what())),
    }
}

fn add_values(into: &mut BTreeMap<String, Vec<Json>>, value: &Value) -> Result<(), String> {
    let ValueKind::Object(body) = &value.kind else {
        return Err(format!("expected an object of lists, got {}", value.what()));
    };
    for item in &body.items {
        let ValueKind::List(items) = &item.value.kind else {
            return Err(format!(
                "{:?}: expected a list, got {}",
                item.key,
                item.value.what()
            ));
        };
        let values = into.entry(item.key.to_lowercase()).or_default();
        values.extend(items.iter().map(to_json));
    }
    Ok(())
}

fn to_json(value: &Value) -> Json {
    match &value.kind {
        ValueKind::Text(text) => Json::String(text.clone()),
        // Numbers of a policy never match: which one it is does not matter.
        ValueKind::Number(_) | ValueKind::Float(_) => Json::from(0),
        ValueKind::Bool(truth) => Json::Bool(*truth),
        ValueKind::Null => Json::Null,
        ValueKind::List(items) => items.iter().map(to_json).collect(),
        ValueKind::Object(body) => body
            .items
            .iter()
            .map(|item| (item.key.clone(), to_json(&item.value)))
            .collect(),
    }
}

fn instant(value: &Value) -> Result<OffsetDateTime, String> {
    let parsed = match &value.kind {
        ValueKind::Text(text) => OffsetDateTime::parse(text, &Rfc3339).ok(),
        ValueKind::Number(text) => text
            .parse()
            .ok()
            .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok()),
        _ => None,
    };
    parsed.ok_or_else(|| "invalid expiration time: could not parse string as date and time".into())
}

/// A bound that is not above zero binds nothing.
fn bound(key: &'static str, value: Option<&Value>) -> Result<Option<Span>, PolicyError> {
    let Some(value) = value else { return Ok(None) };
    let refuse = |detail: String| PolicyError::WrappingBound { key, detail };
    let span = match &value.kind {
        ValueKind::Text(text) | ValueKind::Number(text) => {
            duration::parse(text).map_err(|error| refuse(error.to_string()))?
        }
        ValueKind::Float(text) => {
            let whole = text.split(['.', 'e', 'E']).next().unwrap_or_default();
            duration::parse(whole).map_err(|error| refuse(error.to_string()))?
        }
        _ => return Err(refuse("could not parse duration from input".into())),
    };
    Ok(Some(span).filter(|span| *span > Span::ZERO))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the reference took and refused, and with which words.
    const RECORDED: &str = include_str!("../../../tests/golden/policies-grammar.json");

    /// Where we differ, and why.
    fn differs(text: &str, error: Option<&str>) -> Option<bool> {
        let refused_here = [
            // Ignoring these would widen what the policy's author meant to narrow.
            "mfa_methods",
            "pagination_limit",
            // The reference forgives JSON that is none.
            "[\"read\",]}}}",
            "[\"read\"]}}\n",
            "}}} trailing",
            "}}}{\"path\"",
        ];
        let truncated = text == "{\"path\":{\"a\":{\"capabilities\":[\"read\"]}}";
        if error.is_none() && (truncated || refused_here.iter().any(|part| text.contains(part))) {
            return Some(false);
        }
        // Capabilities of newer servers.
        ["\"subscribe\"", "\"recover\""]
            .iter()
            .any(|word| text.contains(word))
            .then_some(true)
    }

    #[test]
    fn takes_what_the_reference_takes() {
        let recorded: Json = serde_json::from_str(RECORDED).unwrap();
        let rows = recorded["table"].as_array().unwrap();
        assert!(rows.len() > 150);
        for row in rows {
            let (text, error) = (row["text"].as_str().unwrap(), row["error"].as_str());
            let read = decode_submitted(text).and_then(|text| Policy::parse("p", &text));
            let expect = differs(text, error).unwrap_or(row["accepted"].as_bool().unwrap());
            assert_eq!(read.is_ok(), expect, "{text:?}: {read:?}");
            let (Err(ours), Some(theirs)) = (read, error) else {
                continue;
            };
            if is_theirs_alone(theirs) || ours == PolicyError::Encoding {
                continue;
            }
            let ours = format!("failed to parse policy: {ours}");
            assert_eq!(without_place(&ours), without_place(theirs), "{text:?}");
        }
    }

    /// Texts that speak of the reference's own insides: ours say the same in plain words.
    fn is_theirs_alone(error: &str) -> bool {
        [
            "*ast.",
            "Unknown token",
            "got: ",
            "LBRACE",
            "failed to parse policy: 1:5",
            // A list of blocks under one pattern in JSON: one stray key is named once.
            "invalid key \"a\" on line 1\n\t* path \"path\": invalid key \"a\"",
            "key '\"",
        ]
        .iter()
        .any(|part| error.contains(part))
    }

    /// The reference reports the last of several errors in a row, one character late at the end.
    fn without_place(error: &str) -> String {
        match error.split_once("At ") {
            Some((head, tail)) => format!("{head}{}", tail.split_once(": ").unwrap().1),
            None => error.to_owned(),
        }
    }

    #[test]
    fn builtin_texts_are_policies() {
        let rules = |text| Policy::parse("p", text).unwrap().rules.len();
        assert_eq!(rules(super::super::DEFAULT_TEXT), 18);
        assert_eq!(rules(super::super::RESPONSE_WRAPPING_TEXT), 2);
    }

    #[test]
    fn deep_nesting_is_refused() {
        for open in ["path \"a\" { x = ", "[", "{"] {
            for text in [
                open.repeat(100_000),
                format!("x = {}", open.repeat(100_000)),
            ] {
                assert!(Policy::parse("p", &text).is_err());
            }
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,60}|[-+a\" {}\\[\\]=,\\\\\n<#/*0-9.$]{0,60}") {
            let _ = Policy::parse("p", &text);
            let _ = decode_submitted(&text);
        }

        /// A policy of blocks and its JSON form say the same.
        #[test]
        fn json_says_the_same(
            paths in prop::collection::btree_map("[a-c+/*]{1,6}", prop::sample::subsequence(
                vec!["create", "read", "update", "delete", "list", "sudo"], 0..4), 0..4),
        ) {
            let hcl: String = paths
                .iter()
                .map(|(path, words)| format!("path {path:?} {{ capabilities = {words:?} }}\n"))
                .collect();
            let members: serde_json::Map<String, Json> = paths
                .iter()
                .map(|(path, words)| (path.clone(), serde_json::json!({ "capabilities": words })))
                .collect();
            let json = serde_json::json!({ "path": members }).to_string();
            prop_assert_eq!(Policy::parse("p", &hcl), Policy::parse("p", &json));
        }
    }
}
