//! Weak typing of request fields (contract 1.5): what each declared type accepts from JSON.
//!
//! Not routing and not defaults: the caller knows which fields it declared and what an absent one
//! means. `null` is not absence, except for durations and times, where it gives
//! [`FieldValue::Unset`].

mod coerce;

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use time::OffsetDateTime;

pub use coerce::coerce;

use crate::duration::Span;

/// The declared type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// A text; numbers keep their source form, bools become `1` and `0`.
    String,
    /// A text, lower-cased and not trimmed.
    LowerString,
    /// A whole number of 64 bits.
    Int,
    /// A bool, or a text that Go reads as one.
    Bool,
    /// A duration that must not be negative.
    DurationSecond,
    /// A duration that may be negative.
    SignedDurationSecond,
    /// A list; a text is split at commas.
    CommaStringSlice,
    /// A list; a text is one element.
    StringSlice,
    /// Names and values.
    KvPairs,
    /// An object, as it is.
    Map,
    /// An instant: RFC 3339, or seconds since 1970.
    Time,
    /// HTTP header names with their values.
    Header,
    /// Any JSON, as it is.
    Any,
}

impl FieldType {
    /// What help pages call it.
    pub fn word(self) -> &'static str {
        match self {
            FieldType::String | FieldType::LowerString => "string",
            FieldType::Int => "int",
            FieldType::Bool => "bool",
            FieldType::DurationSecond | FieldType::SignedDurationSecond => "duration",
            FieldType::CommaStringSlice | FieldType::StringSlice => "list of strings",
            FieldType::KvPairs => "names and values",
            FieldType::Map => "object",
            FieldType::Time => "time",
            FieldType::Header => "HTTP headers",
            FieldType::Any => "any",
        }
    }
}

/// A field after coercion.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue {
    /// `null` for a duration or a time: as if the field had been left out.
    Unset,
    /// Of [`FieldType::String`] and [`FieldType::LowerString`].
    Text(String),
    /// Of [`FieldType::Int`].
    Int(i64),
    /// Of [`FieldType::Bool`].
    Bool(bool),
    /// Of [`FieldType::DurationSecond`] and [`FieldType::SignedDurationSecond`].
    Duration(Span),
    /// Of [`FieldType::CommaStringSlice`] and [`FieldType::StringSlice`].
    List(Vec<String>),
    /// Of [`FieldType::KvPairs`].
    Pairs(BTreeMap<String, String>),
    /// Of [`FieldType::Map`].
    Map(Map<String, Value>),
    /// Of [`FieldType::Time`].
    Time(OffsetDateTime),
    /// Of [`FieldType::Header`]; names are lower-cased.
    Header(BTreeMap<String, Vec<String>>),
    /// Of [`FieldType::Any`].
    Any(Value),
}

impl FieldValue {
    /// Whether it counts as left out.
    pub fn is_unset(&self) -> bool {
        matches!(self, FieldValue::Unset)
    }

    /// The text, if the field is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            FieldValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if the field is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            FieldValue::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The bool, if the field is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            FieldValue::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The duration, if the field is one and was given.
    pub fn as_duration(&self) -> Option<Span> {
        match self {
            FieldValue::Duration(span) => Some(*span),
            _ => None,
        }
    }

    /// The list, if the field is one.
    pub fn as_list(&self) -> Option<&[String]> {
        match self {
            FieldValue::List(list) => Some(list),
            _ => None,
        }
    }

    /// The pairs, if the field is made of them.
    pub fn as_pairs(&self) -> Option<&BTreeMap<String, String>> {
        match self {
            FieldValue::Pairs(pairs) => Some(pairs),
            _ => None,
        }
    }

    /// The object, if the field is one.
    pub fn as_map(&self) -> Option<&Map<String, Value>> {
        match self {
            FieldValue::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The instant, if the field is one and was given.
    pub fn as_time(&self) -> Option<OffsetDateTime> {
        match self {
            FieldValue::Time(instant) => Some(*instant),
            _ => None,
        }
    }

    /// The headers, if the field holds them.
    pub fn as_header(&self) -> Option<&BTreeMap<String, Vec<String>>> {
        match self {
            FieldValue::Header(header) => Some(header),
            _ => None,
        }
    }

    /// The JSON as it came, if the field takes any.
    pub fn as_any(&self) -> Option<&Value> {
        match self {
            FieldValue::Any(value) => Some(value),
            _ => None,
        }
    }
}
