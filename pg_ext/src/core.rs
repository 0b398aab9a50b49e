//! Pure decisions: no PostgreSQL, no clock, no randomness. What they need comes in as arguments.

pub mod backoff;
pub mod digest;
pub mod error;
pub mod instant;
pub mod label;
pub mod names;
pub mod power;
pub mod prefix;
pub mod scram;
pub mod template;
pub mod trouble;
pub mod ttl;
