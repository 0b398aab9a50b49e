//! HTTP: bytes to a logical request, and its outcome back to bytes (contract 1.1 to 1.8).
//!
//! One path of its own per connection, no router: what exists is in the engines' tables, what is refused before them stands in
//! [`intake`], in the contract's order. Not here: who may do what, and what an endpoint does.

mod body;
mod delivery;
mod envelope;
mod form;
mod intake;
mod listen;
mod query;
mod service;

pub use intake::body_fields;
pub use listen::{Listener, Listening};
