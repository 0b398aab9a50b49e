//! The broker's own rows: the only SQL of the broker outside `target`. Constant texts, bound values.
//!
//! Functions take an executor (`&PgPool`, or `&mut PgConnection` within a transaction) and speak in Rust types; what a row means is
//! decided above. Absence is `Ok(None)`.
//!
//! Statements that walk from a token up to those above it look each of them up by its key: `cross join lateral (… offset 0)`
//! leaves the planner no other way. By a plain join it reads all tokens for a few, as it takes the walk to be a long one.

pub mod callers;
pub mod comparison;
pub mod configs;
mod connect;
pub mod cubbyholes;
pub mod growth;
pub mod installation;
pub mod intents;
pub mod leases;
mod line;
mod migrate;
pub mod mounts;
pub mod new_tokens;
pub mod outbox;
pub mod owners;
pub mod policies;
pub mod reads;
pub mod roles;
mod standing;
pub mod sweep;
pub mod targets;
pub mod together;
pub mod token_roles;
pub mod tokens;
pub mod tokens_by_path;
pub mod unconfirmed;
pub mod wrapping;

pub use connect::{StoreError, connect, is_deadlock, warm};
pub use migrate::{MigrateError, migrate};
