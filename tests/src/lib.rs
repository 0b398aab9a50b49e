//! Out-of-process tests: what they share. A real PostgreSQL, a real broker process, real clients.
//!
//! [`Cluster`] is a throw-away PostgreSQL with the extension, [`Broker`] a running broker, [`Actor`] somebody who
//! speaks to it. Nothing here imports the crates under test: they are met as files, over SQL and over HTTP.
//! To add a test: a file in `tests/tests/`, its first line `let cluster = Cluster::start(Options::default())?;`.

mod actor;
mod broker;
pub mod built;
mod cluster;
pub mod crash;
pub mod golden;
mod served;
mod watch;

pub use actor::{Actor, Answer};
pub use broker::{Broker, DevOptions};
pub use cluster::{Cluster, Options, Stop, wait_until};
pub use served::Served;
