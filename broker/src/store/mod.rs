//! The broker's own rows: the only SQL of the broker outside `target`. Constant texts, bound values.
//!
//! Functions take an executor (`&PgPool`, or `&mut PgConnection` within a transaction) and speak in Rust types; what a row means is
//! decided above. Absence is `Ok(None)`.

pub mod callers;
pub mod comparison;
mod connect;
pub mod cubbyholes;
pub mod database;
pub mod installation;
pub mod intents;
pub mod leases;
mod migrate;
pub mod mounts;
pub mod new_tokens;
pub mod outbox;
pub mod owners;
pub mod policies;
pub mod reads;
pub mod sweep;
pub mod token_roles;
pub mod tokens;
pub mod tokens_by_path;
pub mod wrapping;

pub use connect::{StoreError, connect, warm};
pub use migrate::{MigrateError, migrate};
