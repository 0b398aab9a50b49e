//! `policy delete`: deletes a policy.

use super::API;
use crate::cli::client::Request;
use crate::cli::fail::Fail;
use crate::cli::session::Session;
use crate::cli::verb::{Count, Output, Run, Verb};

pub static VERB: Verb = Verb {
    name: "policy delete",
    about: "Delete a policy",
    usage: "[options] NAME",
    help: "Deletes the policy NAME. Tokens that have it keep the name and lose what it granted, \
           from their next request on.

      $ leasehold policy delete apps",
    arguments: Count::Exactly(1),
    flags: &[],
    output: Output::Message,
    run: Run::Client(delete),
};

fn delete(session: &mut Session) -> Result<u8, Fail> {
    let name = session.first().trim().to_lowercase();
    let request = Request::delete(format!("{API}/{name}"));
    session.send(&request, &format!("Error deleting {name}"))?;
    session.say(format!("Success! Deleted policy: {name}"))
}
