//! `token lookup`: what is known of a token.

use serde_json::json;

use crate::cli::client::Request;
use crate::cli::fail::Fail;
use crate::cli::flags::{Flag, Kind};
use crate::cli::session::Session;
use crate::cli::verb::{Count, Output, Run, Verb};

pub static VERB: Verb = Verb {
    name: "token lookup",
    about: "Print what is known of a token",
    usage: "[options] [TOKEN | ACCESSOR]",
    help: "Prints policies, age and end of a token. Without an argument: of your own.

      $ leasehold token lookup

      $ leasehold token lookup -accessor 9793c9b3...",
    arguments: Count::Between(0, 1),
    flags: &[Flag::new(
        "accessor",
        Kind::Switch,
        "The argument is an accessor, not a token.",
    )],
    output: Output::Data,
    run: Run::Client(lookup),
};

fn lookup(session: &mut Session) -> Result<u8, Fail> {
    let which = session.first().trim();
    let request = match (session.flags.is_on("accessor"), which) {
        (true, "") => {
            return Err(Fail::Usage(
                "Not enough arguments with -accessor (expected 1, got 0)".into(),
            ));
        }
        (true, accessor) => {
            Request::post("auth/token/lookup-accessor").body(json!({"accessor": accessor}))
        }
        (false, "") => Request::get("auth/token/lookup-self"),
        (false, token) => Request::post("auth/token/lookup").body(json!({"token": token})),
    };
    let secret = session.ask(&request, "Error looking up token")?;
    session.show(&secret)
}
