//! `token renew`: gives a token more time.

use serde_json::json;

use crate::cli::client::Request;
use crate::cli::fail::Fail;
use crate::cli::flags::{Flag, Kind};
use crate::cli::session::Session;
use crate::cli::verb::{Count, Output, Run, Verb};

pub static VERB: Verb = Verb {
    name: "token renew",
    about: "Give a token more time",
    usage: "[options] [TOKEN | ACCESSOR]",
    help: "Makes a token end later, up to its maximum. Without an argument: your own.

      $ leasehold token renew -increment=30m",
    arguments: Count::Between(0, 1),
    flags: &[
        Flag::new(
            "accessor",
            Kind::Switch,
            "The argument is an accessor, not a token.",
        ),
        Flag::new(
            "increment",
            Kind::Duration,
            "Time from now to the new end. Without it: as long as it was last given, or its period.",
        )
        .alias("i"),
    ],
    output: Output::Fields,
    run: Run::Client(renew),
};

fn renew(session: &mut Session) -> Result<u8, Fail> {
    let which = session.first().trim();
    let increment = session
        .flags
        .duration("increment")
        .unwrap_or_default()
        .seconds();
    let request = match (session.flags.is_on("accessor"), which) {
        (true, "") => {
            return Err(Fail::Usage(
                "Not enough arguments with -accessor (expected 1, got 0)".into(),
            ));
        }
        (true, accessor) => Request::post("auth/token/renew-accessor")
            .body(json!({"accessor": accessor, "increment": increment})),
        (false, "") => Request::put("auth/token/renew-self").body(json!({"increment": increment})),
        (false, token) => {
            Request::put("auth/token/renew").body(json!({"increment": increment, "token": token}))
        }
    };
    let secret = session.ask(&request, "Error renewing token")?;
    session.show(&secret)
}
