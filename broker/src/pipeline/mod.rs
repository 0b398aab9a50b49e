//! The way of a logical request: caller, verdict, mount, endpoint, fields, handler.
//!
//! Everything that decides is read from the store in this very request, or is a guess that a statement of this very request
//! has found still to be so ([`crate::logical::Guess`]); nothing is authorised from what this process remembers.
//! Not here: HTTP (`http` calls [`serve`] and makes bytes of what comes back).

mod caller;
mod fields;
mod help;
mod serve;
mod verdict;

pub use serve::{Served, serve};
