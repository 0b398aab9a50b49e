//! `auth disable`: switches an auth method off.

use crate::cli::fail::Fail;
use crate::cli::session::Session;
use crate::cli::verb::{Count, Output, Run, Verb};
use crate::cli::verbs::mounts::{self, AUTH};

pub static VERB: Verb = Verb {
    name: "auth disable",
    about: "Switch an auth method off",
    usage: "[options] PATH",
    help: "Switches the auth method at PATH off. The tokens that it gave are revoked, and their leases.

      $ leasehold auth disable userpass",
    arguments: Count::Exactly(1),
    flags: &[],
    output: Output::Message,
    run: Run::Client(disable),
};

fn disable(session: &mut Session) -> Result<u8, Fail> {
    mounts::disable(session, &AUTH, "Error disabling auth method at")
}
