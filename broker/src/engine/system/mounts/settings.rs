//! The `config` of a mount as it is given at enabling: strictly typed, as clients' bodies carry it (contract 3.4). Pure.

use serde_json::{Map, Value};

use crate::duration;
use crate::mount::MountKind;

/// Lists of names, replaced whole.
pub(super) const LISTS: &[&str] = &[
    "audit_non_hmac_request_keys",
    "audit_non_hmac_response_keys",
    "passthrough_request_headers",
    "allowed_response_headers",
];

const UNCONVERTIBLE: &str = "unable to convert given mount config information";

/// Reads it. The error is the contract's text.
pub(super) fn read(
    kind: MountKind,
    given: &Map<String, Value>,
    system_max_seconds: i64,
) -> Result<Map<String, Value>, String> {
    let mut config = Map::new();
    let default = ttl(given, "default_lease_ttl", "default TTL")?;
    let max = ttl(given, "max_lease_ttl", "max TTL")?;
    if max > 0 && default > max {
        return Err("given default lease TTL greater than given max lease TTL".into());
    }
    if max == 0 && default > system_max_seconds {
        return Err(format!(
            "given default lease TTL greater than system max lease TTL of {system_max_seconds}"
        ));
    }
    config.insert("default_lease_ttl".into(), default.into());
    config.insert("max_lease_ttl".into(), max.into());
    let truth = match given.get("force_no_cache") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(truth)) => *truth,
        Some(_) => return Err(UNCONVERTIBLE.into()),
    };
    config.insert("force_no_cache".into(), truth.into());
    for name in LISTS {
        let list = names(given.get(*name))?;
        if !list.is_empty() {
            config.insert((*name).into(), list.into());
        }
    }
    if let Some(visibility) = text(given, "listing_visibility")? {
        check_visibility(&visibility)?;
        if !visibility.is_empty() {
            config.insert("listing_visibility".into(), visibility.into());
        }
    }
    text(given, "plugin_name")?;
    let token_type = text(given, "token_type")?;
    if kind == MountKind::Auth {
        let token_type = check_token_type(token_type.as_deref().unwrap_or_default())?;
        config.insert("token_type".into(), token_type.into());
    }
    if let Some(lockout) = given
        .get("user_lockout_config")
        .filter(|lockout| !lockout.is_null())
    {
        lockout.as_object().ok_or(UNCONVERTIBLE)?;
    }
    Ok(config)
}

/// Whether a mount may be listed so.
pub(super) fn check_visibility(visibility: &str) -> Result<(), String> {
    match visibility {
        "" | "unauth" | "hidden" => Ok(()),
        other => Err(format!("invalid listing_visibility {other}")),
    }
}

/// A token type; the empty one is the usual one.
pub(super) fn check_token_type(token_type: &str) -> Result<&str, String> {
    match token_type {
        "" => Ok("default-service"),
        "default-service" | "default-batch" | "service" | "batch" => Ok(token_type),
        _ => Err("invalid value for 'token_type'".into()),
    }
}

fn text(given: &Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match given.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(UNCONVERTIBLE.into()),
    }
}

fn names(value: Option<&Value>) -> Result<Vec<String>, String> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) if text.is_empty() => Ok(Vec::new()),
        Some(Value::String(text)) => {
            Ok(text.split(',').map(|name| name.trim().to_owned()).collect())
        }
        Some(Value::Array(list)) => list
            .iter()
            .map(|name| {
                name.as_str()
                    .map(str::to_owned)
                    .ok_or_else(|| UNCONVERTIBLE.to_owned())
            })
            .collect(),
        Some(_) => Err(UNCONVERTIBLE.into()),
    }
}

fn ttl(given: &Map<String, Value>, name: &str, what: &str) -> Result<i64, String> {
    let value = match given.get(name) {
        None | Some(Value::Null) => return Ok(0),
        Some(value @ (Value::String(_) | Value::Number(_))) => value,
        Some(_) => return Err(UNCONVERTIBLE.into()),
    };
    let written = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    let refuse = |why: String| format!("unable to parse {what} of {written}: {why}");
    let seconds = duration::parse_json(value)
        .map_err(|error| refuse(error.to_string()))?
        .map_or(0, duration::Span::seconds);
    if seconds < 0 {
        return Err(refuse(format!("cannot provide negative value '{seconds}'")));
    }
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(kind: MountKind, given: Value, expect: Result<Value, &str>) {
        let read = read(kind, given.as_object().expect("an object"), 100);
        assert_eq!(
            read.map(Value::Object),
            expect.map_err(str::to_owned),
            "{given}"
        );
    }

    #[test]
    fn configs_are_read_strictly() {
        let secret = MountKind::Secret;
        let plain = json!({ "default_lease_ttl": 0, "max_lease_ttl": 0, "force_no_cache": false });
        check(secret, json!({}), Ok(plain.clone()));
        check(
            secret,
            json!({ "default_lease_ttl": "", "options": null, "unknown": [] }),
            Ok(plain),
        );
        check(
            secret,
            json!({ "default_lease_ttl": "1m", "max_lease_ttl": 90, "listing_visibility": "unauth", "passthrough_request_headers": "a, b" }),
            Ok(json!({
                "default_lease_ttl": 60, "max_lease_ttl": 90, "force_no_cache": false, "listing_visibility": "unauth",
                "passthrough_request_headers": ["a", "b"],
            })),
        );
        check(
            secret,
            json!({ "force_no_cache": "true" }),
            Err(UNCONVERTIBLE),
        );
        check(
            secret,
            json!({ "default_lease_ttl": [] }),
            Err(UNCONVERTIBLE),
        );
        check(
            secret,
            json!({ "default_lease_ttl": 101 }),
            Err("given default lease TTL greater than system max lease TTL of 100"),
        );
        check(
            secret,
            json!({ "default_lease_ttl": 2, "max_lease_ttl": 1 }),
            Err("given default lease TTL greater than given max lease TTL"),
        );
        check(
            secret,
            json!({ "max_lease_ttl": -1 }),
            Err("unable to parse max TTL of -1: cannot provide negative value '-1'"),
        );
        check(
            secret,
            json!({ "listing_visibility": "x" }),
            Err("invalid listing_visibility x"),
        );
        check(
            MountKind::Auth,
            json!({ "token_type": "x" }),
            Err("invalid value for 'token_type'"),
        );
    }
}
