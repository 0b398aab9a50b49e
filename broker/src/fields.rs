//! Declared types of fields and their coercion (contract 1.5).

/// How a field's value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// Text.
    String,
}

/// A coerced value.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue {
    /// Text.
    String(String),
}
