//! `secrets tune`: changes what a secrets engine was told.

use crate::cli::fail::Fail;
use crate::cli::session::Session;
use crate::cli::verb::{Count, Output, Run, Verb};
use crate::cli::verbs::mounts::{self, SECRETS, flags};

pub static VERB: Verb = Verb {
    name: "secrets tune",
    about: "Change the settings of a secrets engine",
    usage: "[options] PATH",
    help: "Changes settings of the secrets engine at PATH. What is not given stays as it is.

      $ leasehold secrets tune -default-lease-ttl=45m -max-lease-ttl=48h database/",
    arguments: Count::Exactly(1),
    flags: &flags::TUNE_SECRETS,
    output: Output::Message,
    run: Run::Client(tune),
};

fn tune(session: &mut Session) -> Result<u8, Fail> {
    mounts::tune(session, &SECRETS)
}
