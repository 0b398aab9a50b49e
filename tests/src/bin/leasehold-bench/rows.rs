//! The rows of the table, one file a subject.

pub mod ends;
pub mod guide;
pub mod issue;
pub mod large;
pub mod requests;
