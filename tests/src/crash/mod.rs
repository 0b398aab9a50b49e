//! Crashes on purpose, for the crash test and the soak: a broker and its PostgreSQL ([`World`]), clients that keep a
//! ledger of what they were told ([`Load`], [`Ledger`]), ways to die ([`Kind`]), and the judgement of what is left
//! ([`judge`]).
//!
//! Beside it the negative control: the naive way, in which lease and login are two transactions ([`naive`]). The same
//! deaths must break that one, or the judges are blind.

mod client;
mod judge;
mod kind;
mod ledger;
mod load;
pub mod naive;
mod world;

pub use client::Client;
pub use judge::{both_ways, in_time, judge};
pub use kind::{Cycle, Kind, crash_cluster, deck};
pub use ledger::{Ledger, Share, Stand};
pub use load::Load;
pub use world::{Layout, World};
