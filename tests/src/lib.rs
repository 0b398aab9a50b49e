//! Out-of-process tests: what they share. A real PostgreSQL, a real broker process, real clients.
//!
//! [`Cluster`] is a throw-away PostgreSQL with the extension, [`Broker`] a running broker, [`Actor`] somebody who
//! speaks to it. Nothing here imports the crates under test: they are met as files, over SQL and over HTTP.
//! To add a test: a file in `tests/tests/`, its first line `let cluster = Cluster::start(Options::default())?;`.

mod actor;
mod asking;
mod broker;
pub mod built;
mod child;
mod clock;
mod cluster;
pub mod crash;
mod crowd;
mod defects;
mod engine;
mod gate;
pub mod golden;
mod lease;
pub mod memory;
mod port;
mod proxy;
mod refusal;
mod served;
mod told;
mod watch;

pub use actor::{Actor, Answer};
pub use asking::Asking;
pub use broker::{Broker, DevOptions};
pub use child::run_with_input;
pub use clock::clock_shift;
pub use cluster::{Cluster, Options, Stop, wait_until};
pub use crowd::{Crowd, VERIFIER};
pub use engine::Engine;
pub use gate::Gate;
pub use lease::Lease;
pub use proxy::{Freeze, Wire};
pub use refusal::{refused, sqlstate};
pub use served::{Served, Setup};
pub use told::told;
