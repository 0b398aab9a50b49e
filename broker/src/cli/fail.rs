//! Why a verb failed: what is said, and with which exit code.

use std::io;

use thiserror::Error;

use super::client::ClientError;
use super::verb::Verb;
use super::{EXIT_REFUSED, EXIT_USAGE, PROGRAM};

/// A failed verb.
#[derive(Debug, Error)]
pub enum Fail {
    /// Wrong use of the command line: the usage line follows.
    #[error("{0}")]
    Usage(String),
    /// What was given can not be used: a bad `key=value`, an absent field.
    #[error("{0}")]
    Input(String),
    /// Nothing there, or something on this machine stands in the way.
    #[error("{0}")]
    Stopped(String),
    /// The server refused, or was not reached.
    #[error("{doing}: {source}")]
    Request {
        /// `Error reading database/creds/x`.
        doing: String,
        /// Why.
        source: ClientError,
        /// Exit code: 2, but 1 for `status`.
        exit: u8,
    },
    /// The output could not be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
    /// No failure: instead of doing its work the verb showed what it would send.
    #[error("nothing was sent")]
    Shown(String),
}

impl Fail {
    /// The exit code of the process.
    pub fn exit_code(&self) -> u8 {
        match self {
            Fail::Usage(_) | Fail::Input(_) | Fail::Output(_) => EXIT_USAGE,
            Fail::Stopped(_) => EXIT_REFUSED,
            Fail::Request { exit, .. } => *exit,
            Fail::Shown(_) => 0,
        }
    }

    /// What to print on stderr; nothing when the reader of our output has gone away.
    pub fn text(&self, verb: &Verb) -> Option<String> {
        match self {
            Fail::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => None,
            Fail::Usage(message) => {
                let name = verb.name;
                let usage = format!("Usage: {PROGRAM} {name} {}", verb.usage);
                let usage = usage.trim_end();
                Some(format!(
                    "{message}\n\n{usage}\nAll of it: {PROGRAM} {name} -h"
                ))
            }
            other => Some(other.to_string()),
        }
    }

    /// For `result.map_err(Fail::while_doing("Error listing"))`.
    pub fn while_doing(doing: impl Into<String>) -> impl FnOnce(ClientError) -> Fail {
        move |source| match source {
            ClientError::Shown(text) => Fail::Shown(text),
            source => Fail::Request {
                doing: doing.into(),
                source,
                exit: EXIT_REFUSED,
            },
        }
    }
}
