//! `lease revoke`: ends leases.

use serde_json::json;

use crate::cli::client::Request;
use crate::cli::fail::Fail;
use crate::cli::flags::{Flag, Kind};
use crate::cli::path;
use crate::cli::session::Session;
use crate::cli::verb::{Count, Output, Run, Verb};

pub static VERB: Verb = Verb {
    name: "lease revoke",
    about: "End leases now",
    usage: "[options] ID",
    help:
        "Ends a lease: its login can no longer log in, its sessions are ended, and then the login \
           is removed. With -prefix: all leases whose id begins with ID and a slash.

One lease; with -sync the answer comes when no access is left (exit code 2 if that can not be, as the \
           server that the login is on is not reached: the lease ends when it is):

      $ leasehold lease revoke -sync database/creds/readonly/2f6a614c...

Every lease of a role:

      $ leasehold lease revoke -prefix database/creds/readonly",
    arguments: Count::Exactly(1),
    flags: &[
        Flag::new(
            "prefix",
            Kind::Switch,
            "ID is a prefix: end all leases below it.",
        ),
        Flag::new(
            "force",
            Kind::Switch,
            "With -prefix: forget the leases at once, whatever stands in the way of their ends; they end as \
             soon as they can. Waits ten seconds at most.",
        )
        .alias("f"),
        Flag::new("sync", Kind::Switch, "Wait until it is done."),
    ],
    output: Output::Message,
    run: Run::Client(revoke),
};

/// It is durable that it will end (RFC 9110, section 15.3.3).
const ACCEPTED: u16 = 202;

fn revoke(session: &mut Session) -> Result<u8, Fail> {
    let id = session.first().trim().trim_start_matches('/').to_owned();
    let flags = &session.flags;
    let (force, prefix, sync) = (
        flags.is_on("force"),
        flags.is_on("prefix"),
        flags.is_on("sync"),
    );
    let below = path::trim(&id);
    let (request, doing, done) = match (force, prefix) {
        (true, false) => {
            let message = "Specifying -force requires also specifying -prefix";
            return Err(Fail::Usage(message.to_owned()));
        }
        (true, true) => (
            Request::put(format!("sys/leases/revoke-force/{below}")),
            format!("Error force revoking leases with prefix {id}"),
            format!("Success! Force revoked any leases with prefix: {id}"),
        ),
        (false, true) => (
            Request::put(format!("sys/leases/revoke-prefix/{below}")).body(json!({"sync": sync})),
            format!("Error revoking leases with prefix {id}"),
            format!("Success! Revoked any leases with prefix: {id}"),
        ),
        (false, false) => (
            Request::put(format!("sys/leases/revoke/{id}")).body(json!({"sync": sync})),
            format!("Error revoking lease {id}"),
            format!("Success! Revoked lease: {id}"),
        ),
    };
    let (answer, status) = session.ask_with_status(&request, &doing)?;
    session.show_warnings(&answer)?;
    if sync && status == ACCEPTED {
        return Err(Fail::Stopped(format!(
            "{doing}: accepted, but not done: it is on a server that can not be reached; it ends when that is back, and at its \
             own time anyway"
        )));
    }
    if sync || force {
        session.say(done)
    } else {
        session.say("All revocation operations queued successfully!")
    }
}
