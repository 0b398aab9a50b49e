//! The language policies are written in: HCL version 1, and its JSON form.
//!
//! Not HCL 2, and not all of HCL 1: no interpolation is evaluated, and of its oddities only those
//! are kept that recorded policies show. The result is a tree of items; what they mean is the
//! reader's affair.

mod json;
mod lexer;
mod parser;

use std::fmt;

use thiserror::Error;

/// How deep lists and objects may nest.
const DEPTH_MAX: usize = 32;

/// A place in the text, counted from 1 in lines and characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The line; 0 where it is not known.
    pub line: usize,
    /// The character within the line.
    pub column: usize,
}

/// Why a text is not HCL.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("At {place}: {message}")]
pub struct SyntaxError {
    /// Where.
    pub place: Place,
    /// What is wrong there.
    pub message: String,
}

/// The items of a text, or of an object in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Body {
    /// In the order of the text; the same key may come twice.
    pub items: Vec<Item>,
}

/// `key = value`, or `key "label" { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The key.
    pub key: String,
    /// What stands between the key and the object.
    pub labels: Vec<String>,
    /// The line of the `=`; 0 for a block.
    pub assign_line: usize,
    /// What it is set to.
    pub value: Value,
}

/// A value and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// Where it begins.
    pub place: Place,
    /// What it is.
    pub kind: ValueKind,
}

/// The kinds of values.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueKind {
    /// A quoted text or a heredoc.
    Text(String),
    /// A whole number, as written.
    Number(String),
    /// A number with a fraction or an exponent, as written.
    Float(String),
    /// `true` or `false`.
    Bool(bool),
    /// JSON's `null`.
    Null,
    /// `[ … ]`.
    List(Vec<Value>),
    /// `{ … }`.
    Object(Body),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl Value {
    /// What a message calls it.
    pub fn what(&self) -> &'static str {
        match self.kind {
            ValueKind::Text(_) => "a string",
            ValueKind::Number(_) | ValueKind::Float(_) => "a number",
            ValueKind::Bool(_) => "a bool",
            ValueKind::Null => "null",
            ValueKind::List(_) => "a list",
            ValueKind::Object(_) => "an object",
        }
    }
}

/// Parses a text: JSON if its first character that is not blank is `{`, else HCL.
pub fn parse(text: &str) -> Result<Body, SyntaxError> {
    if text.trim_start().starts_with('{') {
        json::parse(text)
    } else {
        parser::parse(text)
    }
}
