//! `secrets disable`: switches a secrets engine off.

use crate::cli::fail::Fail;
use crate::cli::session::Session;
use crate::cli::verb::{Count, Output, Run, Verb};
use crate::cli::verbs::mounts::{self, SECRETS};

pub static VERB: Verb = Verb {
    name: "secrets disable",
    about: "Switch a secrets engine off",
    usage: "[options] PATH",
    help: "Switches the secrets engine at PATH off. Every lease of it is revoked: its logins end at once. What it stored is deleted.

      $ leasehold secrets disable database",
    arguments: Count::Exactly(1),
    flags: &[],
    output: Output::Message,
    run: Run::Client(disable),
};

fn disable(session: &mut Session) -> Result<u8, Fail> {
    mounts::disable(session, &SECRETS, "Error disabling secrets engine at")
}
