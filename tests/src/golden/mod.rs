//! Recorded answers of a reference server, replayed against a running broker.
//!
//! A scenario is a file of `tests/golden/`: steps with what was asked and what was seen. The rules of comparison (masks,
//! tolerances, `compare`, `accept`) are in [`mask`], [`compare`] and [`judge`]; [`raw`] are the requests that are no
//! well-formed HTTP. What differs on purpose stands in `tests/golden/differences.json`, each entry with its reason; a
//! difference that is not listed fails, and so does a listed one that no longer differs. To add a scenario: put its
//! file there and its name into the test's list.

mod compare;
mod differences;
mod judge;
mod mask;
mod raw;
mod replay;
mod report;
mod scenario;
mod table;
mod wire;

pub use differences::Differences;
pub use replay::{Replay, Server};
pub use report::{Outcome, Report};
pub use table::{section, sections_of};
pub use wire::{Answer, send};
