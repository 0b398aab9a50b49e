//! The coercion itself: one small function a type.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{FieldType, FieldValue};
use crate::duration::{self, Span};

/// Turns what a client sent into what an engine declared. The error is the detail only: the caller
/// puts `error converting input for field "x": ` before it.
pub fn coerce(kind: FieldType, value: &Value) -> Result<FieldValue, String> {
    Ok(match kind {
        FieldType::String => FieldValue::Text(text(value)?),
        FieldType::LowerString => FieldValue::Text(text(value)?.to_lowercase()),
        FieldType::Int => FieldValue::Int(int(value)?),
        FieldType::Bool => FieldValue::Bool(truth(value)?),
        FieldType::DurationSecond => optional(positive_span(value)?, FieldValue::Duration),
        FieldType::SignedDurationSecond => optional(span(value)?, FieldValue::Duration),
        FieldType::CommaStringSlice => FieldValue::List(comma_list(value)?),
        FieldType::StringSlice => FieldValue::List(list(value)?),
        FieldType::KvPairs => FieldValue::Pairs(pairs(value)?),
        FieldType::Map => FieldValue::Map(map(value)?),
        FieldType::Time => optional(instant(value)?, FieldValue::Time),
        FieldType::Header => FieldValue::Header(header(value)?),
        FieldType::Any => FieldValue::Any(value.clone()),
    })
}

fn optional<T>(given: Option<T>, wrap: fn(T) -> FieldValue) -> FieldValue {
    given.map_or(FieldValue::Unset, wrap)
}

fn text(value: &Value) -> Result<String, String> {
    Ok(match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(true) => "1".into(),
        Value::Bool(false) => "0".into(),
        Value::Array(_) | Value::Object(_) => return Err(mismatch("a string", value)),
    })
}

fn int(value: &Value) -> Result<i64, String> {
    let digits = match value {
        Value::Null => return Ok(0),
        Value::Bool(truth) => return Ok((*truth).into()),
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.is_empty() => return Ok(0),
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => return Err(mismatch("a whole number", value)),
    };
    parse_int(&digits).ok_or_else(|| "expected a whole number of at most 64 bits".into())
}

/// A whole number as a Go source text writes one: `0x1F`, `010` and `0o10`, `0b1`, `1_000`.
fn parse_int(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, body, prefixed) = if let Some(body) = lower.strip_prefix("0x") {
        (16, body, true)
    } else if let Some(body) = lower.strip_prefix("0b") {
        (2, body, true)
    } else if let Some(body) = lower.strip_prefix("0o") {
        (8, body, true)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..], true)
    } else {
        (10, &lower[..], false)
    };
    // An underscore stands between digits, or between the base and the first digit.
    let separated = body.strip_prefix('_').filter(|_| prefixed).unwrap_or(body);
    if separated.is_empty() || separated.split('_').any(str::is_empty) {
        return None;
    }
    let plain: String = separated.chars().filter(|c| *c != '_').collect();
    if !plain.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let sign = if negative { "-" } else { "" };
    i64::from_str_radix(&format!("{sign}{plain}"), radix).ok()
}

fn truth(value: &Value) -> Result<bool, String> {
    let text = match value {
        Value::Null => return Ok(false),
        Value::Bool(truth) => return Ok(*truth),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => return Err(mismatch("a bool", value)),
    };
    let is_number = value.is_number();
    match text.as_str() {
        "1" => Ok(true),
        "0" => Ok(false),
        "t" | "T" | "true" | "True" | "TRUE" if !is_number => Ok(true),
        "" | "f" | "F" | "false" | "False" | "FALSE" if !is_number => Ok(false),
        _ => Err("expected a bool, true or false".into()),
    }
}

fn span(value: &Value) -> Result<Option<Span>, String> {
    duration::parse_json(value).map_err(|error| error.to_string())
}

fn positive_span(value: &Value) -> Result<Option<Span>, String> {
    match span(value)? {
        Some(span) if span.is_negative() => Err(format!(
            "cannot provide negative value '{}'",
            span.seconds()
        )),
        other => Ok(other),
    }
}

fn comma_list(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::String(text) if text.is_empty() => Ok(Vec::new()),
        Value::String(text) => Ok(text.split(',').map(|part| part.trim().to_owned()).collect()),
        _ => list(value),
    }
}

fn list(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Object(map) if map.is_empty() => Ok(Vec::new()),
        Value::Object(_) => Err(mismatch("a list of strings", value)),
        Value::String(text) if text.is_empty() => Ok(Vec::new()),
        Value::Array(items) => items.iter().map(trimmed).collect(),
        Value::String(_) | Value::Number(_) | Value::Bool(_) => Ok(vec![trimmed(value)?]),
    }
}

fn trimmed(value: &Value) -> Result<String, String> {
    text(value).map(|text| text.trim().to_owned())
}

fn pairs(value: &Value) -> Result<BTreeMap<String, String>, String> {
    match value {
        Value::Null => Ok(BTreeMap::new()),
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| Ok((name.clone(), text(value)?)))
            .collect(),
        Value::Array(items) => items.iter().map(pair).collect(),
        Value::String(_) | Value::Number(_) | Value::Bool(_) => Ok([pair(value)?].into()),
    }
}

fn pair(value: &Value) -> Result<(String, String), String> {
    let text = text(value)?;
    match text.split_once('=') {
        Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
        None => Err(format!("invalid key pair {text:?}")),
    }
}

fn map(value: &Value) -> Result<Map<String, Value>, String> {
    match value {
        Value::Null => Ok(Map::new()),
        Value::Array(items) if items.is_empty() => Ok(Map::new()),
        Value::Object(map) => Ok(map.clone()),
        _ => Err(mismatch("an object", value)),
    }
}

fn instant(value: &Value) -> Result<Option<OffsetDateTime>, String> {
    let refusal = || "expected a time: RFC 3339, or seconds since 1970".to_owned();
    let seconds = match value {
        Value::Null => return Ok(None),
        Value::String(text) if text.is_empty() => return Ok(None),
        Value::String(text) => match text.parse::<i64>() {
            Ok(seconds) => seconds,
            Err(_) => {
                return OffsetDateTime::parse(text, &Rfc3339)
                    .map(Some)
                    .map_err(|_| refusal());
            }
        },
        Value::Number(number) => number.as_i64().ok_or_else(refusal)?,
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => return Err(refusal()),
    };
    OffsetDateTime::from_unix_timestamp(seconds)
        .map(Some)
        .map_err(|_| refusal())
}

fn header(value: &Value) -> Result<BTreeMap<String, Vec<String>>, String> {
    let refusal =
        || "expected an object of strings or lists of strings, or base64 of one".to_owned();
    let decoded;
    let map = match value {
        Value::Null => return Ok(BTreeMap::new()),
        Value::Object(map) => map,
        Value::String(text) if text.is_empty() => return Ok(BTreeMap::new()),
        Value::String(text) => {
            let json = match text.starts_with('{') {
                true => text.clone().into_bytes(),
                false => STANDARD.decode(text).map_err(|_| refusal())?,
            };
            decoded = serde_json::from_slice::<Map<String, Value>>(&json).map_err(|_| refusal())?;
            &decoded
        }
        _ => return Err(refusal()),
    };
    let values = |value: &Value| match value {
        Value::Array(items) => items.iter().map(text).collect(),
        single => Ok(vec![text(single)?]),
    };
    map.iter()
        .map(|(name, value)| Ok((name.to_lowercase(), values(value)?)))
        .collect()
}

fn mismatch(expected: &str, got: &Value) -> String {
    let got = match got {
        Value::Null => "null",
        Value::Bool(_) => "a bool",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    format!("expected {expected}, got {got}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn check(kind: FieldType, json: &str, expect: Option<FieldValue>) {
        let value = serde_json::from_str(json).unwrap();
        let coerced = coerce(kind, &value);
        assert_eq!(coerced.clone().ok(), expect, "{kind:?} {json}: {coerced:?}");
    }

    #[test]
    fn strings() {
        let check = |json: &str, expect: Option<&str>| {
            check(
                FieldType::String,
                json,
                expect.map(|text| FieldValue::Text(text.into())),
            );
        };
        check("\"x\"", Some("x"));
        check("\" x \"", Some(" x "));
        check("null", Some(""));
        check("true", Some("1"));
        check("false", Some("0"));
        check("5.50", Some("5.50"));
        check("-0", Some("-0"));
        check(
            "123456789012345678901234567890",
            Some("123456789012345678901234567890"),
        );
        check("[]", None);
        check("{}", None);
        check("[\"x\"]", None);
        let source = Value::Number(serde_json::Number::from_string_unchecked("1E3".into()));
        assert_eq!(
            coerce(FieldType::String, &source).unwrap().as_text(),
            Some("1E3")
        );
        let lower = coerce(FieldType::LowerString, &json!(" Ab ")).unwrap();
        assert_eq!(lower.as_text(), Some(" ab "));
    }

    #[test]
    fn ints() {
        let check = |json: &str, expect: Option<i64>| {
            check(FieldType::Int, json, expect.map(FieldValue::Int));
        };
        check("5", Some(5));
        check("\"5\"", Some(5));
        check("\"\"", Some(0));
        check("null", Some(0));
        check("true", Some(1));
        check("false", Some(0));
        check("-0", Some(0));
        check("\"+7\"", Some(7));
        check("\"-7\"", Some(-7));
        check("\"0x1F\"", Some(31));
        check("\"0x10\"", Some(16));
        check("\"010\"", Some(8));
        check("\"0o17\"", Some(15));
        check("\"0b101\"", Some(5));
        check("\"1_000\"", Some(1000));
        check("\"0x_1F\"", Some(31));
        check("9223372036854775807", Some(i64::MAX));
        check("-9223372036854775808", Some(i64::MIN));
        check("9223372036854775808", None);
        for refused in [
            "5.0",
            "1e2",
            "8.9",
            "\"8.0\"",
            "\" 8 \"",
            "\"1e2\"",
            "\"true\"",
            "\"x\"",
            "\"\u{ff18}\"",
            "\"_1\"",
            "\"1_\"",
            "\"1__0\"",
            "\"0x\"",
            "\"08\"",
            "\"--1\"",
            "\"-\"",
            "[]",
            "[8]",
            "{}",
        ] {
            check(refused, None);
        }
    }

    #[test]
    fn bools() {
        let check = |json: &str, expect: Option<bool>| {
            check(FieldType::Bool, json, expect.map(FieldValue::Bool));
        };
        for yes in [
            "true", "1", "\"1\"", "\"t\"", "\"T\"", "\"true\"", "\"True\"", "\"TRUE\"",
        ] {
            check(yes, Some(true));
        }
        for no in [
            "false",
            "0",
            "\"\"",
            "null",
            "\"0\"",
            "\"f\"",
            "\"F\"",
            "\"false\"",
            "\"False\"",
            "\"FALSE\"",
        ] {
            check(no, Some(false));
        }
        for refused in [
            "2",
            "-1",
            "1.0",
            "0.0",
            "\"tRue\"",
            "\"yes\"",
            "\" true\"",
            "[]",
            "{}",
            "[true]",
        ] {
            check(refused, None);
        }
    }

    #[test]
    fn durations() {
        let seconds = |seconds| Some(FieldValue::Duration(Span::from_seconds(seconds)));
        check(FieldType::DurationSecond, "60", seconds(60));
        check(FieldType::DurationSecond, "\"1m30s\"", seconds(90));
        check(FieldType::DurationSecond, "\"\"", seconds(0));
        check(FieldType::DurationSecond, "null", Some(FieldValue::Unset));
        check(FieldType::DurationSecond, "true", None);
        check(FieldType::SignedDurationSecond, "\"-5s\"", seconds(-5));
        let detail = |value| coerce(FieldType::DurationSecond, &value).unwrap_err();
        assert_eq!(detail(json!(-1)), "cannot provide negative value '-1'");
        assert_eq!(
            detail(json!("-1h")),
            "cannot provide negative value '-3600'"
        );
        assert_eq!(detail(json!("x")), "time: invalid duration \"x\"");
        assert_eq!(detail(json!([])), "could not parse duration from input");
    }

    #[test]
    fn lists() {
        let list = |items: &[&str]| {
            Some(FieldValue::List(
                items.iter().map(|item| (*item).to_owned()).collect(),
            ))
        };
        let both = [FieldType::CommaStringSlice, FieldType::StringSlice];
        for kind in both {
            check(kind, "\"\"", list(&[]));
            check(kind, "null", list(&[]));
            check(kind, "[]", list(&[]));
            check(kind, "{}", list(&[]));
            check(kind, "[\"\"]", list(&[""]));
            check(kind, "[null]", list(&[""]));
            check(kind, "[\"a,b\", \" c \"]", list(&["a,b", "c"]));
            check(kind, "[1, true, 2.50]", list(&["1", "1", "2.50"]));
            check(kind, "5", list(&["5"]));
            check(kind, "true", list(&["1"]));
            check(kind, "{\"a\":\"b\"}", None);
            check(kind, "[[\"a\"]]", None);
        }
        check(
            FieldType::CommaStringSlice,
            "\"a,b , c\"",
            list(&["a", "b", "c"]),
        );
        check(
            FieldType::CommaStringSlice,
            "\",a,,\"",
            list(&["", "a", "", ""]),
        );
        check(FieldType::StringSlice, "\"a,b\"", list(&["a,b"]));
        check(FieldType::StringSlice, "\" a \"", list(&["a"]));
    }

    #[test]
    fn pairs_and_maps() {
        let check = |json: &str, expect: Option<&[(&str, &str)]>| {
            let owned = |pairs: &[(&str, &str)]| {
                pairs
                    .iter()
                    .map(|(name, value)| (name.to_string(), value.to_string()))
                    .collect()
            };
            check(
                FieldType::KvPairs,
                json,
                expect.map(|pairs| FieldValue::Pairs(owned(pairs))),
            );
        };
        check(
            "{\"k\":\"v\",\"n\":5,\"b\":true,\"z\":null}",
            Some(&[("k", "v"), ("n", "5"), ("b", "1"), ("z", "")]),
        );
        check("[\"a=b\",\"c=d\"]", Some(&[("a", "b"), ("c", "d")]));
        check("\"a=b,c=d\"", Some(&[("a", "b,c=d")]));
        check("null", Some(&[]));
        check("{}", Some(&[]));
        for refused in [
            "\"\"",
            "\"nope\"",
            "5",
            "[\"a\"]",
            "{\"k\":[\"a\"]}",
            "{\"k\":{\"l\":1}}",
        ] {
            check(refused, None);
        }
        assert_eq!(
            coerce(FieldType::KvPairs, &json!(5)).unwrap_err(),
            "invalid key pair \"5\""
        );
        let map = |json: &str| coerce(FieldType::Map, &serde_json::from_str(json).unwrap());
        assert_eq!(map("[]").unwrap().as_map(), Some(&Map::new()));
        assert!(map("{\"a\":{\"b\":1}}").is_ok());
        assert!(map("\"x\"").is_err() && map("5").is_err() && map("[1]").is_err());
    }

    #[test]
    fn times_and_headers() {
        let time = |value| coerce(FieldType::Time, &value).map(|value| value.as_time());
        let day = OffsetDateTime::from_unix_timestamp(86_400).unwrap();
        assert_eq!(time(json!(86_400)), Ok(Some(day)));
        assert_eq!(time(json!("86400")), Ok(Some(day)));
        assert_eq!(time(json!("1970-01-02T00:00:00Z")), Ok(Some(day)));
        assert_eq!(time(json!(null)), Ok(None));
        assert!(time(json!("soon")).is_err() && time(json!(true)).is_err());

        let header =
            |value| coerce(FieldType::Header, &value).map(|value| value.as_header().cloned());
        let expect = Some([("x-a".to_owned(), vec!["1".to_owned()])].into());
        assert_eq!(header(json!({"X-A": "1"})), Ok(expect.clone()));
        assert_eq!(header(json!({"x-a": ["1"]})), Ok(expect.clone()));
        assert_eq!(header(json!("eyJ4LWEiOiIxIn0=")), Ok(expect));
        assert!(header(json!("no")).is_err() && header(json!(5)).is_err());
    }

    proptest! {
        /// A source text of every kind is read back as Rust reads it.
        #[test]
        fn decimal_ints(number in any::<i64>()) {
            prop_assert_eq!(parse_int(&number.to_string()), Some(number));
        }

        #[test]
        fn hexadecimal_ints(number in 0..i64::MAX) {
            prop_assert_eq!(parse_int(&format!("{number:#x}")), Some(number));
        }

        #[test]
        fn never_panics(text in "\\PC{0,16}|[-+0-9xXbBoO_]{0,12}") {
            for kind in [FieldType::Int, FieldType::Bool, FieldType::Time, FieldType::Header, FieldType::KvPairs] {
                let _ = coerce(kind, &Value::String(text.clone()));
            }
        }
    }
}
