//! `policy write`: uploads a policy.

use std::fs;
use std::io::{self, Read};

use serde_json::json;

use super::API;
use crate::cli::client::Request;
use crate::cli::data::plain;
use crate::cli::fail::Fail;
use crate::cli::session::Session;
use crate::cli::verb::{Count, Output, Run, Verb};

pub static VERB: Verb = Verb {
    name: "policy write",
    about: "Upload a policy",
    usage: "[options] NAME FILE",
    help:
        "Uploads the policy in FILE (- is standard input) under NAME, in place of what was there. \
           It counts from the next request of every token that has it. Names are in small letters.

      $ leasehold policy write apps apps-policy.hcl

A policy grants capabilities on paths:

      path \"database/creds/readonly\" {
        capabilities = [\"read\"]
      }",
    arguments: Count::Exactly(2),
    flags: &[],
    output: Output::Message,
    run: Run::Client(write),
};

fn write(session: &mut Session) -> Result<u8, Fail> {
    let name = session.arguments[0].trim().to_owned();
    let file = session.arguments[1].trim();
    let text = if file == "-" {
        let mut text = String::new();
        io::stdin().lock().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(file)
    };
    let text = text.map_err(|error| {
        Fail::Stopped(format!(
            "Error opening policy file: open {file}: {}",
            plain(&error)
        ))
    })?;
    let lower = name.to_lowercase();
    if lower != name {
        session.warn(format!(
            "Policy name was converted from {name:?} to {lower:?}"
        ))?;
    }
    let request = Request::put(format!("{API}/{lower}")).body(json!({"policy": text}));
    let answer = session.ask(&request, "Error uploading policy")?;
    session.show_warnings(&answer)?;
    session.say(format!("Success! Uploaded policy: {lower}"))
}
