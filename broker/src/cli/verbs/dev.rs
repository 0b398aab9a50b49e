//! `dev`: a throw-away server with a PostgreSQL of its own, to try things out.

use crate::cli::verb::{Count, Output, Run, Verb};

pub static VERB: Verb = Verb {
    name: "dev",
    about: "Run a throw-away server with a PostgreSQL, to try things out",
    usage: "[options]",
    help: "",
    arguments: Count::Exactly(0),
    flags: &[],
    output: Output::Message,
    run: Run::Program(crate::dev::run),
};
