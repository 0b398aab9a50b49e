//! `auth tune`: changes what an auth method was told.

use crate::cli::fail::Fail;
use crate::cli::session::Session;
use crate::cli::verb::{Count, Output, Run, Verb};
use crate::cli::verbs::mounts::{self, AUTH, flags};

pub static VERB: Verb = Verb {
    name: "auth tune",
    about: "Change the settings of an auth method",
    usage: "[options] PATH",
    help: "Changes settings of the auth method at PATH. What is not given stays as it is.

      $ leasehold auth tune -default-lease-ttl=45m -max-lease-ttl=48h userpass/",
    arguments: Count::Exactly(1),
    flags: &flags::TUNE_AUTH,
    output: Output::Message,
    run: Run::Client(tune),
};

fn tune(session: &mut Session) -> Result<u8, Fail> {
    mounts::tune(session, &AUTH)
}
