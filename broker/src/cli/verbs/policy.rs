//! `policy`: policies by name.

pub mod delete;
pub mod fmt;
pub mod list;
pub mod read;
pub mod write;

/// Where the server keeps them.
const API: &str = "sys/policies/acl";
