//! `policy read`: prints a policy.

use serde_json::{Value, json};

use super::API;
use crate::cli::client::Request;
use crate::cli::fail::Fail;
use crate::cli::session::Session;
use crate::cli::show::Format;
use crate::cli::verb::{Count, Output, Run, Verb};

pub static VERB: Verb = Verb {
    name: "policy read",
    about: "Print a policy",
    usage: "[options] NAME",
    help: "Prints the policy NAME as it was uploaded.

      $ leasehold policy read apps > apps-policy.hcl",
    arguments: Count::Exactly(1),
    flags: &[],
    output: Output::Data,
    run: Run::Client(read),
};

fn read(session: &mut Session) -> Result<u8, Fail> {
    let name = session.first().trim().to_lowercase();
    let request = Request::get(format!("{API}/{name}"));
    let doing = format!("Error reading policy named {name}");
    let secret = session.find(&request, &doing, &format!("No policy named: {name}"))?;
    let policy = secret.field("policy").unwrap_or_default();
    match session.format() {
        Format::Table => session.say(policy.as_str().unwrap_or_default().trim()),
        _ => session.show_value(&json!({"policy": Value::clone(&policy)})),
    }
}
