//! One value as text, as people know it from the tables of this API's command lines.

use serde_json::Value;

use crate::duration::Span;

/// A value in a table: seconds under a name of a length of time are printed as one.
pub fn cell(key: &str, value: &Value) -> String {
    match value.as_i64() {
        Some(number) if looks_like_duration(key) => seconds(number),
        _ => bare(value),
    }
}

/// Whether the name is that of a length of time.
fn looks_like_duration(key: &str) -> bool {
    ["ttl", "duration", "period"].iter().any(|word| {
        key.strip_suffix(word)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('_'))
    })
}

/// Seconds: `1h`, `767h59m57s`, `0s`.
pub fn seconds(seconds: i64) -> String {
    Span::from_seconds(seconds).to_string()
}

/// A value without quotes: texts as they are, `[a b]`, `map[k:v]`, `<nil>`.
pub fn bare(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(bool) => bool.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(bare).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(map) => {
            let pairs: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{key}:{}", bare(value)))
                .collect();
            format!("map[{}]", pairs.join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_cells() {
        let check = |key: &str, json: &str, expect: &str| {
            let value: Value = serde_json::from_str(json).unwrap();
            assert_eq!(cell(key, &value), expect, "{key} {json}");
        };
        check("ttl", "3600", "1h");
        check("creation_ttl", "2764800", "768h");
        check("rotation_period", "0", "0s");
        check("lease_duration", "2764797", "767h59m57s");
        check("throttle", "3600", "3600");
        check("ttl", "null", "<nil>");
        check("ttl", "\"x\"", "x");
        check("n", "1.50", "1.50");
        check("l", "[\"a\", [1, null]]", "[a [1 <nil>]]");
        check("m", "{\"b\": true, \"a\": {}}", "map[a:map[] b:true]");
    }
}
