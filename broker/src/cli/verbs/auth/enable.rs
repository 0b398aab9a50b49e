//! `auth enable`: switches an auth method on.

use crate::cli::fail::Fail;
use crate::cli::session::Session;
use crate::cli::verb::{Count, Output, Run, Verb};
use crate::cli::verbs::mounts::{self, AUTH, flags};

pub static VERB: Verb = Verb {
    name: "auth enable",
    about: "Switch an auth method on",
    usage: "[options] TYPE",
    help: "Switches an auth method on. It is then at auth/ and the path of its type, or -path. Which types there are the \
           server says; a Leasehold has no other than its tokens.

      $ leasehold auth enable userpass

      $ leasehold auth enable -path=people userpass",
    arguments: Count::Exactly(1),
    flags: &flags::ENABLE_AUTH,
    output: Output::Message,
    run: Run::Client(enable),
};

fn enable(session: &mut Session) -> Result<u8, Fail> {
    let doing = format!("Error enabling {} auth", session.first().trim());
    mounts::enable(session, &AUTH, &doing)
}
