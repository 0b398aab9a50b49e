//! `policy list`: the names of policies.

use super::API;
use crate::cli::client::Request;
use crate::cli::fail::Fail;
use crate::cli::session::Session;
use crate::cli::show::{self, Format};
use crate::cli::verb::{Count, Output, Run, Verb};

pub static VERB: Verb = Verb {
    name: "policy list",
    about: "List policies",
    usage: "[options]",
    help: "Lists the names of all policies, one a line.

      $ leasehold policy list",
    arguments: Count::Exactly(0),
    flags: &[],
    output: Output::Data,
    run: Run::Client(list),
};

fn list(session: &mut Session) -> Result<u8, Fail> {
    let secret = session.ask(&Request::list(API), "Error listing policies")?;
    let keys = secret.keys().cloned().unwrap_or_default();
    if session.format() != Format::Table {
        return session.show_value(&keys);
    }
    for key in &keys {
        session.say(show::bare(key))?;
    }
    Ok(0)
}
