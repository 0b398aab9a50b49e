//! `policy fmt`: lays a policy file out anew. Local: nothing is sent.

mod layout;

use std::fs;

use crate::cli::data::plain;
use crate::cli::fail::Fail;
use crate::cli::session::Session;
use crate::cli::verb::{Count, Output, Run, Verb};
use crate::policy::Policy;

pub static VERB: Verb = Verb {
    name: "policy fmt",
    about: "Lay a policy file out",
    usage: "[options] FILE",
    help:
        "Checks the policy in FILE and writes it back with even indentation and spacing. Comments \
           stay. A file that is no policy is left alone, and the exit code is 1. Nothing is sent.

      $ leasehold policy fmt apps-policy.hcl",
    arguments: Count::Exactly(1),
    flags: &[],
    output: Output::Message,
    run: Run::Client(format),
};

fn format(session: &mut Session) -> Result<u8, Fail> {
    let file = session.first().trim().to_owned();
    let broken = |doing: &str, error: &std::io::Error| {
        Fail::Stopped(format!(
            "Error {doing} policy file: open {file}: {}",
            plain(error)
        ))
    };
    let text = fs::read_to_string(&file).map_err(|error| broken("reading", &error))?;
    let check = |text: &str| {
        Policy::parse(&file, text)
            .map(drop)
            .map_err(|error| Fail::Input(format!("failed to parse policy: {error}")))
    };
    check(&text)?;
    let fresh = layout::lay_out(&text).unwrap_or_else(|| text.clone());
    // What can not be read any more must never replace what could.
    check(&fresh)?;
    if fresh != text {
        fs::write(&file, fresh).map_err(|error| broken("writing", &error))?;
    }
    session.say(format!("Success! Formatted policy: {file}"))
}
