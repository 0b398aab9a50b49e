//! Leasehold's broker: a Vault-compatible HTTP server, a command line and a dev mode for short-lived PostgreSQL credentials.
//!
//! The way of a request: `http` (bytes to request) -> `pipeline` (caller, verdict, mount, engine) -> `engine` -> `store` and `target`
//! -> `http` (envelope). `logical` holds the nouns that all of them share. The broker never knows how a login is made or removed:
//! that is the extension's, behind `target`.

pub mod authority;
pub mod cidr;
mod cli;
pub mod core;
pub mod dev;
pub mod duration;
pub mod engine;
pub mod fields;
pub mod gather;
pub mod glob;
pub mod http;
pub mod idle;
pub mod ids;
pub mod json;
pub mod lease;
pub mod logical;
pub mod mount;
pub mod password;
pub mod path;
pub mod pipeline;
pub mod policy;
pub mod ready;
pub mod recent;
pub mod scram;
pub mod seal;
pub mod secret;
pub mod server;
pub mod store;
pub mod target;
pub mod tasks;
pub mod template;
pub mod ttl;
pub mod warm;
pub mod wrapping;

pub use cli::run;
