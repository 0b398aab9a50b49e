//! `print token`: the token that requests would show.

use crate::cli::fail::Fail;
use crate::cli::session::Session;
use crate::cli::verb::{Count, Output, Run, Verb};

pub static VERB: Verb = Verb {
    name: "print token",
    about: "Print the token in use",
    usage: "[options]",
    help: "Prints the token that requests show: that of the environment, else that of the token \
           file that \"leasehold login\" writes. Nothing is sent.

      $ curl -H \"X-Vault-Token: $(leasehold print token)\" ...",
    arguments: Count::Exactly(0),
    flags: &[],
    output: Output::Message,
    run: Run::Client(print_token),
};

fn print_token(session: &mut Session) -> Result<u8, Fail> {
    match session.token()? {
        Some(token) => session.say(token.expose()),
        None => Err(Fail::Stopped(
            "there is no token: see \"leasehold login -h\"".to_owned(),
        )),
    }
}
