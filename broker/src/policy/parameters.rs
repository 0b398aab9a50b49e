//! What a rule asks of the data of a request (contract 4.5).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Constraints on the fields of a write's body or the query of a read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    /// If not empty, only these fields, with these values (an empty list means any), may be given.
    pub allowed: BTreeMap<String, Vec<Value>>,
    /// These fields, with these values (an empty list means any), must not be given.
    pub denied: BTreeMap<String, Vec<Value>>,
    /// These fields must be given.
    pub required: BTreeSet<String>,
}

/// The name that stands for every field.
const EVERY: &str = "*";

impl Parameters {
    /// Adds what another rule for the same pattern says.
    pub fn merge(&mut self, other: &Parameters) {
        merge_values(&mut self.allowed, &other.allowed);
        merge_values(&mut self.denied, &other.denied);
        self.required.extend(other.required.iter().cloned());
    }

    /// Whether data satisfies them.
    pub fn allow(&self, data: Option<&Map<String, Value>>) -> bool {
        let empty = Map::new();
        let data = data.unwrap_or(&empty);
        if !self.required.iter().all(|name| data.contains_key(name)) {
            return false;
        }
        if data.is_empty() {
            return true;
        }
        !self.denies(data) && self.allows(data)
    }

    fn denies(&self, data: &Map<String, Value>) -> bool {
        let denied = |(name, value): (&String, &Value)| {
            let values = self.denied.get(&name.to_lowercase());
            values.is_some_and(|values| is_among(value, values))
        };
        self.denied.contains_key(EVERY) || data.iter().any(denied)
    }

    fn allows(&self, data: &Map<String, Value>) -> bool {
        let every = self.allowed.contains_key(EVERY);
        if self.allowed.is_empty() || every && self.allowed.len() == 1 {
            return true;
        }
        data.iter().all(
            |(name, value)| match self.allowed.get(&name.to_lowercase()) {
                Some(values) => is_among(value, values),
                None => every,
            },
        )
    }
}

fn merge_values(into: &mut BTreeMap<String, Vec<Value>>, from: &BTreeMap<String, Vec<Value>>) {
    for (name, values) in from {
        match into.get_mut(name) {
            None => drop(into.insert(name.clone(), values.clone())),
            // An empty list means any value, and stays so.
            Some(present) if present.is_empty() || values.is_empty() => present.clear(),
            Some(present) => present.extend_from_slice(values),
        }
    }
}

fn is_among(value: &Value, listed: &[Value]) -> bool {
    listed.is_empty() || listed.iter().any(|item| is_match(item, value))
}

/// Texts match as globs; lists of texts and bools when they are the same; numbers never.
fn is_match(item: &Value, value: &Value) -> bool {
    match (item, value) {
        (Value::String(glob), Value::String(text)) => glob_matches(glob, text),
        _ => !has_number(item) && item == value,
    }
}

fn has_number(value: &Value) -> bool {
    match value {
        Value::Number(_) => true,
        Value::Array(items) => items.iter().any(has_number),
        Value::Object(members) => members.values().any(has_number),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

/// A `*` at either end stands for anything; one inside, or one alone, for itself.
fn glob_matches(glob: &str, text: &str) -> bool {
    if glob.len() < 2 {
        return glob == text;
    }
    match (glob.strip_prefix('*'), glob.strip_suffix('*')) {
        (Some(tail), Some(_)) => text.contains(tail.strip_suffix('*').unwrap_or(tail)),
        (Some(tail), None) => text.ends_with(tail),
        (None, Some(head)) => text.starts_with(head),
        (None, None) => glob == text,
    }
}
