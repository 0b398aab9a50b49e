//! The server as a process: configuration, start, orderly end. `leasehold server -config=FILE`, and what dev mode starts from within.

mod config;
mod logging;
mod main;
mod settings;
mod start;
mod unseal;

pub use config::ConfigError;
pub use logging::start_logging;
pub use main::main;
pub use settings::Settings;
pub use start::{Running, StartError, initialise_and_unseal, start};
