//! Who may do what: policies as texts, as rules, and as the list of rules that a token has.
//!
//! Not here: which policies a token has, where their texts are kept, and what an endpoint needs
//! (the engines' tables say that). Nothing here reads a clock or a store.
//!
//! A text becomes a [`Policy`] ([`Policy::parse`]); the policies of a token become an [`Acl`]; a
//! [`Query`] gets a [`Verdict`]. Deny wins, and where no rule matches the verdict is deny.

mod acl;
mod builtin;
pub mod hcl1;
mod parameters;
mod pattern;
mod read;
mod rules;

pub use acl::{Acl, Query, ResultantAcl, Verdict};
pub use builtin::{DEFAULT, DEFAULT_TEXT, RESPONSE_WRAPPING, RESPONSE_WRAPPING_TEXT, ROOT};
pub use parameters::Parameters;
pub use pattern::Pattern;
pub use read::{PolicyError, decode_submitted};
pub use rules::{Capabilities, Capability, PathRule, Policy, WrappingBounds};
