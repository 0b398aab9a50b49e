//! Roles (recipes): how they are defined, offered, planned, shared and audited.

pub mod audit;
pub mod define;
pub mod offer;
pub mod rights;
pub mod settings;
pub mod shared;
pub mod statements;
