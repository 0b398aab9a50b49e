//! `operator init`: makes a server's root key and root token.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::cli::PROGRAM;
use crate::cli::client::Request;
use crate::cli::fail::Fail;
use crate::cli::flags::{Flag, Kind};
use crate::cli::session::{NOTHING, Session};
use crate::cli::show::{self, Format};
use crate::cli::verb::{Count, Output, Run, Verb};
use crate::cli::verbs::status::read_object;

/// Shares that a root key is cut into, and how many open it, unless set.
const SHARES: u64 = 5;
const THRESHOLD: u64 = 3;

pub static VERB: Verb = Verb {
    name: "operator init",
    about: "Initialise a server",
    usage: "[options]",
    help:
        "Makes the root key of a new server, cuts it into shares, and makes the first root token. \
           Both are shown here once and kept nowhere: without enough shares a sealed server stays \
           sealed for ever.

      $ leasehold operator init -key-shares=3 -key-threshold=2

      $ leasehold operator init -status",
    arguments: Count::Exactly(0),
    flags: &[
        Flag::new(
            "key-shares",
            Kind::Number,
            "Shares to cut the root key into. The default is 5.",
        )
        .alias("n"),
        Flag::new(
            "key-threshold",
            Kind::Number,
            "Shares that open it. The default is 3.",
        )
        .alias("t"),
        Flag::new(
            "status",
            Kind::Switch,
            "Only say whether it is initialised: exit code 0 if so, 2 if not.",
        ),
    ],
    output: Output::Data,
    run: Run::Client(init),
};

/// As the recorded command lines print it; shares in the order of the server.
#[derive(Serialize)]
struct Initialised {
    unseal_keys_b64: Value,
    unseal_keys_hex: Value,
    unseal_shares: u64,
    unseal_threshold: u64,
    recovery_keys_b64: Value,
    recovery_keys_hex: Value,
    recovery_keys_shares: u64,
    recovery_keys_threshold: u64,
    root_token: Value,
}

fn init(session: &mut Session) -> Result<u8, Fail> {
    let doing = "Error initializing";
    // Before there is a token there is none to show.
    let client = session.client_with(None)?;
    let send =
        |request: &Request, doing: &str| client.send(request).map_err(Fail::while_doing(doing));
    send(
        &Request::get("sys/seal-status"),
        "Error checking seal status",
    )?;
    if session.flags.is_on("status") {
        let doing = "Error checking initialization status";
        let answer = send(&Request::get("sys/init"), doing)?;
        let object = read_object("sys/init", &answer).map_err(Fail::while_doing(doing))?;
        return status(session, &object);
    }
    let shares = session.flags.number("key-shares").unwrap_or(SHARES);
    let threshold = session.flags.number("key-threshold").unwrap_or(THRESHOLD);
    let request = Request::put("sys/init").body(json!({
        "secret_shares": shares,
        "secret_threshold": threshold,
        "pgp_keys": null,
        "recovery_shares": 0,
        "recovery_threshold": 0,
        "recovery_pgp_keys": null,
        "root_token_pgp_key": "",
    }));
    let answer = send(&request, doing)?;
    let mut made = read_object(&request.path, &answer).map_err(Fail::while_doing(doing))?;
    if session.format() != Format::Table {
        let (shares, threshold) = counts(&made, shares, threshold);
        let mut take = |key: &str| made.remove(key).unwrap_or_default();
        let empty = || Value::Array(Vec::new());
        return session.show_value(&Initialised {
            unseal_keys_b64: take("keys_base64"),
            unseal_keys_hex: take("keys"),
            unseal_shares: shares,
            unseal_threshold: threshold,
            recovery_keys_b64: empty(),
            recovery_keys_hex: empty(),
            recovery_keys_shares: 0,
            recovery_keys_threshold: 0,
            root_token: take("root_token"),
        });
    }
    for (at, key) in keys(&made).iter().enumerate() {
        session.say(format!("Unseal Key {}: {}", at + 1, show::bare(key)))?;
    }
    let token = made.get("root_token").map(show::bare).unwrap_or_default();
    session.say(format!("\nInitial Root Token: {token}\n"))?;
    session.say(advice(&made, shares, threshold))
}

/// The shares that were made. There are none where the root key has a source of its own.
fn keys(made: &Map<String, Value>) -> &[Value] {
    let keys = made.get("keys_base64").and_then(Value::as_array);
    keys.map_or(&[], Vec::as_slice)
}

/// Shares and threshold as made: what was asked for says nothing where no shares are made.
fn counts(made: &Map<String, Value>, shares: u64, threshold: u64) -> (u64, u64) {
    match keys(made) {
        [] => (0, 0),
        _ => (shares, threshold),
    }
}

/// What to do with what was printed.
fn advice(made: &Map<String, Value>, shares: u64, threshold: u64) -> String {
    if keys(made).is_empty() {
        return "Leasehold initialized without key shares: its root key is where the seal stanza of the\n\
                server's configuration says, and a server that finds it there unseals by itself.\n\n\
                Back that key up, apart from the database. Whoever has both can read everything;\n\
                without the key the server will remain permanently sealed!"
            .to_owned();
    }
    format!(
        "Leasehold initialized with {shares} key shares and a key threshold of {threshold}. Please\n\
         securely distribute the key shares printed above. When the server is re-sealed,\n\
         restarted, or stopped, you must supply at least {threshold} of these keys to unseal it\n\
         before it can start servicing requests (\"{PROGRAM} operator unseal\").\n\n\
         The server does not store the generated root key. Without at least {threshold} keys to\n\
         reconstruct the root key, it will remain permanently sealed!"
    )
}

fn status(session: &mut Session, object: &Map<String, Value>) -> Result<u8, Fail> {
    let initialised = object
        .get("initialized")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    if session.format() != Format::Table {
        session.show_value(&json!({"Initialized": initialised}))?;
    } else if initialised {
        session.say("The server is initialized")?;
    } else {
        session.say("The server is not initialized")?;
    }
    Ok(if initialised { 0 } else { NOTHING })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_spoken_of_where_there_are_some() {
        let check = |made: Value, counted: (u64, u64), said: &str, unsaid: &str| {
            let made = made.as_object().expect("an object");
            assert_eq!(counts(made, 5, 3), counted);
            let advice = advice(made, 5, 3);
            assert!(
                advice.contains(said) && !advice.contains(unsaid),
                "{advice}"
            );
        };
        let (shares, stanza) = ("5 key shares", "seal stanza");
        check(json!({"keys_base64": ["a", "b"]}), (5, 3), shares, stanza);
        check(json!({"keys_base64": []}), (0, 0), stanza, shares);
        check(json!({}), (0, 0), stanza, shares);
    }
}
