//! `token revoke`: ends a token.

use serde_json::json;

use crate::cli::client::Request;
use crate::cli::fail::Fail;
use crate::cli::flags::{Flag, Kind};
use crate::cli::session::Session;
use crate::cli::verb::{Count, Output, Run, Verb};

pub static VERB: Verb = Verb {
    name: "token revoke",
    about: "End a token, its children and their leases",
    usage: "[options] [TOKEN | ACCESSOR | PATH]",
    help: "Ends a token, with its children and with every lease that they were given: their \
           database logins end at once. A token that is not there is no error.

      $ leasehold token revoke s.1HSPd0...

Yours:

      $ leasehold token revoke -self

Without its children, which become orphans:

      $ leasehold token revoke -mode=orphan s.1HSPd0...

All tokens made below a path:

      $ leasehold token revoke -mode=path auth/userpass/login/alice",
    arguments: Count::Between(0, 1),
    flags: &[
        Flag::new(
            "accessor",
            Kind::Switch,
            "The argument is an accessor, not a token.",
        ),
        Flag::new("self", Kind::Switch, "End the token in use."),
        Flag::new(
            "mode",
            Kind::Text,
            "orphan: leave the children alive. path: the argument is a path, end all tokens made \
             there.",
        ),
    ],
    output: Output::Message,
    run: Run::Client(revoke),
};

fn revoke(session: &mut Session) -> Result<u8, Fail> {
    let usage = |message: &str| Err(Fail::Usage(message.to_owned()));
    let flags = &session.flags;
    let which = session.first().trim();
    let (accessor, of_self) = (flags.is_on("accessor"), flags.is_on("self"));
    let request = match (of_self, which, flags.text("mode").unwrap_or_default()) {
        (true, "", "") if !accessor => Request::put("auth/token/revoke-self"),
        (true, "", _) => return usage("-self goes with neither -accessor nor -mode"),
        (true, _, _) => return usage("Too many arguments with -self (expected 0, got 1)"),
        (false, "", _) => return usage("Not enough arguments (expected 1 or -self, got 0)"),
        (false, id, "") if accessor => {
            Request::post("auth/token/revoke-accessor").body(json!({"accessor": id}))
        }
        (false, _, "orphan" | "path") if accessor => {
            return usage("-accessor does not go with -mode");
        }
        (false, token, "") => Request::put("auth/token/revoke").body(json!({"token": token})),
        (false, token, "orphan") => {
            Request::put("auth/token/revoke-orphan").body(json!({"token": token}))
        }
        (false, path, "path") => Request::put(format!("sys/leases/revoke-prefix/{path}")),
        (false, _, mode) => return usage(&format!("Invalid mode: {mode}")),
    };
    session.send(&request, "Error revoking token")?;
    session.say("Success! Revoked token (if it existed)")
}
