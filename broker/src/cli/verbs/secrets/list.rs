//! `secrets list`: the secrets engines that are on.

use crate::cli::fail::Fail;
use crate::cli::session::Session;
use crate::cli::verb::{Count, Output, Run, Verb};
use crate::cli::verbs::mounts::{self, SECRETS, flags};

pub static VERB: Verb = Verb {
    name: "secrets list",
    about: "List secrets engines",
    usage: "[options]",
    help:
        "Lists the secrets engines that are switched on, with the path, type and accessor of each.

      $ leasehold secrets list -detailed",
    arguments: Count::Exactly(0),
    flags: &flags::LIST,
    output: Output::Data,
    run: Run::Client(list),
};

fn list(session: &mut Session) -> Result<u8, Fail> {
    mounts::list(session, &SECRETS)
}
