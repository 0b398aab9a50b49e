//! Request bodies: where both accept, our reader and serde_json agree; a refusal has its reason; every field type takes
//! or refuses every value.

use leasehold_broker::fields::{FieldType, coerce};
use leasehold_broker::http::body_fields;
use leasehold_broker::json::{self, JsonError};
use serde_json::Value;

const TYPES: [FieldType; 13] = [
    FieldType::String,
    FieldType::LowerString,
    FieldType::Int,
    FieldType::Bool,
    FieldType::DurationSecond,
    FieldType::SignedDurationSecond,
    FieldType::CommaStringSlice,
    FieldType::StringSlice,
    FieldType::KvPairs,
    FieldType::Map,
    FieldType::Time,
    FieldType::Header,
    FieldType::Any,
];

pub(crate) fn target(data: &[u8]) {
    compare(data);
    for media in ["application/json", "application/x-www-form-urlencoded"] {
        match body_fields(media, data) {
            Ok(fields) => {
                for value in fields.values() {
                    for kind in TYPES {
                        let _ = coerce(kind, value);
                    }
                }
            }
            Err(fault) => assert!((400..500).contains(&fault.status), "{}", fault.status),
        }
    }
}

fn compare(data: &[u8]) {
    let theirs = serde_json::from_slice::<Value>(data).ok();
    let ours = match json::parse(data) {
        Ok(ours) => ours.into_value(),
        Err(JsonError::TooDeep | JsonError::TooMany) => return,
        Err(error) => {
            assert!(theirs.is_none(), "refused with {error}");
            return;
        }
    };
    let written = serde_json::to_vec(&ours).expect("a value can be written");
    let again = json::parse(&written).expect("what was written can be read");
    assert!(
        same(&again.into_value(), &ours),
        "another value after writing"
    );
    match theirs {
        Some(theirs) => assert!(same(&theirs, &ours), "{ours} instead of {theirs}"),
        // What serde_json refuses and clients send: half a surrogate pair, what is not UTF-8, and exponents without end.
        None => {
            let text = String::from_utf8_lossy(data).to_lowercase();
            let known = text.contains("\\ud") || std::str::from_utf8(data).is_err();
            assert!(known, "accepted, and serde_json refuses it");
        }
    }
}

/// The same value: numbers by what they say, not by how they are written.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other
                || one.as_f64().map(f64::to_bits) == other.as_f64().map(f64::to_bits)
                || is_zero(one) && is_zero(other)
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        _ => one == other,
    }
}

fn is_zero(number: &serde_json::Number) -> bool {
    number.as_f64() == Some(0.0)
}
