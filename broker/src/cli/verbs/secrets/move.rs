//! `secrets move`: gives a secrets engine another path, and waits until it is there.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::client::Request;
use crate::cli::fail::Fail;
use crate::cli::path;
use crate::cli::session::Session;
use crate::cli::verb::{Count, Output, Run, Verb};

/// Pause between two looks at a move that is under way.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

pub static VERB: Verb = Verb {
    name: "secrets move",
    about: "Give a secrets engine another path",
    usage: "[options] SOURCE DESTINATION",
    help: "Moves the secrets engine at SOURCE to DESTINATION, and waits until that is done. Its \
           leases are revoked first: their ids begin with the old path.

      $ leasehold secrets move database db-prod",
    arguments: Count::Exactly(2),
    flags: &[],
    output: Output::Message,
    run: Run::Client(relocate),
};

fn relocate(session: &mut Session) -> Result<u8, Fail> {
    let (from, to) = (
        path::mount(&session.arguments[0]),
        path::mount(&session.arguments[1]),
    );
    let what = format!("secrets engine {from} to {to}");
    let request = Request::post("sys/remount").body(json!({"from": from, "to": to}));
    let doing = format!("Error moving {what}");
    let started = session.ask(&request, &doing)?;
    let id = started
        .field("migration_id")
        .and_then(|id| id.as_str().map(str::to_owned));
    let id =
        id.ok_or_else(|| Fail::Stopped(format!("{doing}: the server gave no migration ID")))?;
    session.say(format!("Started moving {what}, with migration ID {id}"))?;
    let request = Request::get(format!("sys/remount/status/{id}"));
    loop {
        let status = session.ask(
            &request,
            &format!("Error checking migration status of {what}"),
        )?;
        let info = status
            .data
            .as_ref()
            .and_then(|data| data.get("migration_info"));
        match info
            .and_then(|info| info.get("status"))
            .and_then(Value::as_str)
        {
            Some("success") => {
                return session.say(format!(
                    "Success! Finished moving {what}, with migration ID {id}"
                ));
            }
            Some("failure") => {
                return Err(Fail::Stopped(format!(
                    "Failure! Error encountered moving {what}, with migration ID {id}"
                )));
            }
            _ => session.say(format!(
                "Waiting for terminal status in migration of {what}, with migration ID {id}"
            ))?,
        };
        thread::sleep(POLL_INTERVAL);
    }
}
