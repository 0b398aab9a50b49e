//! `server`: runs a server. With `-dev` it is `dev`.

use std::process::ExitCode;

use crate::cli::verb::{Count, Output, Run, Verb};
use crate::{dev, server};

pub static VERB: Verb = Verb {
    name: "server",
    about: "Run a server",
    usage: "[options]",
    help: "",
    arguments: Count::Exactly(0),
    flags: &[],
    output: Output::Message,
    run: Run::Program(run),
};

fn run(args: &[String]) -> ExitCode {
    if args
        .iter()
        .any(|arg| ["-dev", "--dev"].contains(&arg.as_str()))
    {
        dev::run(args)
    } else {
        server::main(args)
    }
}
