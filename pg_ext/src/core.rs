//! Pure decisions: no PostgreSQL, no clock, no randomness. What they need comes in as arguments.

pub mod backoff;
pub mod digest;
pub mod error;
pub mod label;
pub mod power;
pub mod names;
pub mod prefix;
pub mod scram;
pub mod template;
pub mod trouble;
pub mod ttl;
