//! `operator seal`: the server forgets its root key.

use crate::cli::client::Request;
use crate::cli::fail::Fail;
use crate::cli::session::Session;
use crate::cli::verb::{Count, Output, Run, Verb};

pub static VERB: Verb = Verb {
    name: "operator seal",
    about: "Seal a server",
    usage: "[options]",
    help: "Seals the server: it forgets its root key and answers nothing until it is unsealed. \
           Leases go on, and end in time: that is PostgreSQL's work.

      $ leasehold operator seal",
    arguments: Count::Exactly(0),
    flags: &[],
    output: Output::Message,
    run: Run::Client(seal),
};

fn seal(session: &mut Session) -> Result<u8, Fail> {
    session.send(&Request::put("sys/seal"), "Error sealing")?;
    session.say("Success! The server is sealed.")
}
