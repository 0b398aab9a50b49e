//! What pipelines give, and what functions are given besides their arguments.

use std::fmt;

use rand::CryptoRng;
use time::OffsetDateTime;

use super::Names;

/// What a pipeline gives.
#[derive(Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Int(i64),
    Bool(bool),
}

/// Where functions get what is not in their arguments.
pub(super) struct Context<'c> {
    pub names: &'c Names<'c>,
    pub now: OffsetDateTime,
    pub rng: &'c mut dyn CryptoRng,
}

impl Value {
    /// Of an argument whose type the function's row has promised.
    pub fn text(&self) -> &str {
        match self {
            Value::Text(text) => text,
            Value::Int(_) | Value::Bool(_) => "",
        }
    }

    /// Of an argument whose type the function's row has promised.
    pub fn int(&self) -> i64 {
        match self {
            Value::Int(number) => *number,
            Value::Text(_) | Value::Bool(_) => 0,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => f.write_str(text),
            Value::Int(number) => number.fmt(f),
            Value::Bool(truth) => truth.fmt(f),
        }
    }
}

/// As the template has it.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => write!(f, "{text:?}"),
            Value::Int(number) => number.fmt(f),
            Value::Bool(truth) => truth.fmt(f),
        }
    }
}
