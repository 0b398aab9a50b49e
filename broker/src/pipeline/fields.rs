//! Fields of a request: captures over body, coerced to their declared types; and what is said about the others (contract 1.4, 1.5).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::fields::{self, FieldValue};
use crate::logical::{Body, Captures, Operation, PathSpec, replaced_by_path};

/// All declared fields that were given. The error is the contract's text without its `Field validation failed: `.
pub(super) fn coerce(
    spec: &PathSpec,
    captures: &Captures,
    body: &Body,
) -> Result<BTreeMap<&'static str, FieldValue>, String> {
    let mut coerced = BTreeMap::new();
    for field in spec.fields {
        let captured = captures
            .get(field.name)
            .map(|text| Value::String(text.clone()));
        let Some(value) = captured.as_ref().or_else(|| body.get(field.name)) else {
            continue;
        };
        let value = fields::coerce(field.kind, value).map_err(|detail| {
            format!(
                "error converting input for field \"{}\": {detail}",
                field.name
            )
        })?;
        coerced.insert(field.name, value);
    }
    Ok(coerced)
}

/// Warnings for a response: fields nobody reads, and fields the path had the last word on.
pub(super) fn warnings(
    spec: &PathSpec,
    operation: Operation,
    captures: &Captures,
    body: &Body,
) -> Vec<String> {
    let takes_all = spec.open && operation.is_write();
    let mut warnings = Vec::new();
    let declared = |name: &str| spec.fields.iter().any(|field| field.name == name);
    let ignored: Vec<&str> = body
        .keys()
        .map(String::as_str)
        .filter(|name| !takes_all && !declared(name) && !captures.contains_key(*name))
        .collect();
    if !ignored.is_empty() {
        warnings.push(format!(
            "Endpoint ignored these unrecognized parameters: [{}]",
            ignored.join(" ")
        ));
    }
    let replaced: Vec<&str> = captures
        .keys()
        .copied()
        .filter(|name| body.contains_key(*name))
        .collect();
    if !replaced.is_empty() {
        warnings.push(replaced_by_path(&replaced));
    }
    warnings
}
