//! `version`: of this program.

use std::io::{self, Write};

use crate::cli::fail::Fail;
use crate::cli::session::Session;
use crate::cli::verb::{Count, Output, Run, Verb};

pub static VERB: Verb = Verb {
    name: "version",
    about: "Print the version of this program",
    usage: "",
    help: "Prints the version of this program. That of a server is in \"leasehold status\".",
    arguments: Count::Exactly(0),
    flags: &[],
    output: Output::Message,
    run: Run::Client(version),
};

/// Prints the version.
pub fn print(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Leasehold v{}", env!("CARGO_PKG_VERSION"))
}

fn version(session: &mut Session) -> Result<u8, Fail> {
    print(session.out)?;
    Ok(0)
}
