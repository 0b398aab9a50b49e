//! Roles (recipes): how they are defined, offered, planned and audited.

pub mod audit;
pub mod statements;
