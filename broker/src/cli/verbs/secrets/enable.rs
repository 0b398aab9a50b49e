//! `secrets enable`: switches a secrets engine on.

use crate::cli::fail::Fail;
use crate::cli::session::Session;
use crate::cli::verb::{Count, Output, Run, Verb};
use crate::cli::verbs::mounts::{self, SECRETS, flags};

pub static VERB: Verb = Verb {
    name: "secrets enable",
    about: "Switch a secrets engine on",
    usage: "[options] TYPE",
    help: "Switches a secrets engine on. It is then at the path of its type, or at -path.

Databases, at database/:

      $ leasehold secrets enable database

Again, elsewhere, with leases of at most a day:

      $ leasehold secrets enable -path=db-prod -max-lease-ttl=24h database",
    arguments: Count::Exactly(1),
    flags: &flags::ENABLE_SECRETS,
    output: Output::Message,
    run: Run::Client(enable),
};

fn enable(session: &mut Session) -> Result<u8, Fail> {
    mounts::enable(session, &SECRETS, "Error enabling")
}
