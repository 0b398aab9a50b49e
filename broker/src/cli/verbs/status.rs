//! `status`: whether a server is initialised, unsealed and leading.

use std::collections::BTreeSet;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use crate::cli::EXIT_USAGE;
use crate::cli::client::{Answer, Client, ClientError, Request};
use crate::cli::fail::Fail;
use crate::cli::session::Session;
use crate::cli::show::{self, Format};
use crate::cli::verb::{Count, Output, Run, Verb};

/// Exit code of a sealed server, or one that is not initialised.
const EXIT_SEALED: u8 = 2;
/// Fields in the order of output; others follow, sorted.
const ORDER: &[&str] = &[
    "type",
    "initialized",
    "sealed",
    "t",
    "n",
    "progress",
    "nonce",
    "version",
    "commit_date",
    "migration",
    "cluster_name",
    "cluster_id",
    "recovery_seal",
    "storage_type",
    "build_date",
    "ha_enabled",
    "is_self",
    "active_time",
    "leader_address",
    "leader_cluster_address",
];

pub static VERB: Verb = Verb {
    name: "status",
    about: "Print seal and HA status",
    usage: "[options]",
    help:
        "Prints the state of a server: whether it is initialised, sealed, and who leads. No token \
           is needed.

The exit code is 0 for an unsealed server, 2 for a sealed one, 1 for an error.",
    arguments: Count::Exactly(0),
    flags: &[],
    output: Output::Data,
    run: Run::Client(status),
};

fn status(session: &mut Session) -> Result<u8, Fail> {
    let client = session.client_with(None)?;
    let asked = client.send(&Request::get("sys/seal-status"));
    let seal = asked
        .and_then(|answer| read_object("sys/seal-status", &answer))
        .map_err(
            |error| match Fail::while_doing("Error checking seal status")(error) {
                Fail::Request { doing, source, .. } => Fail::Request {
                    doing,
                    source,
                    exit: EXIT_USAGE,
                },
                fail => fail,
            },
        )?;
    show_seal_status(session, &client, seal)
}

/// Prints a seal status with what the server says of its leader; the exit code says if it is sealed.
pub fn show_seal_status(
    session: &mut Session,
    client: &Client,
    mut seal: Map<String, Value>,
) -> Result<u8, Fail> {
    let leader = client.send(&Request::get("sys/leader"));
    match leader.and_then(|answer| read_object("sys/leader", &answer)) {
        Ok(leader) => seal.extend(leader),
        // A sealed server may refuse to say; another failure is worth a word, not more.
        Err(ClientError::Refused { status: 503, .. }) => {
            seal.insert("ha_enabled".into(), true.into());
        }
        Err(error) => session.warn(format!("Error checking leader status: {error}"))?,
    }
    let sealed = seal.get("sealed").and_then(Value::as_bool).unwrap_or(true);
    if session.format() == Format::Table {
        write!(
            session.out,
            "{}",
            show::key_values(Some(("Key", "Value")), &rows(&seal))
        )?;
    } else {
        session.show_value(&Ordered(&without_empty_ha(seal)))?;
    }
    Ok(if sealed { EXIT_SEALED } else { 0 })
}

pub fn read_object(path: &str, answer: &Answer) -> Result<Map<String, Value>, ClientError> {
    serde_json::from_slice(&answer.body).map_err(|error| ClientError::Answer {
        path: path.to_owned(),
        why: error.to_string(),
    })
}

/// Of a server without high availability the leader's fields say nothing.
fn without_empty_ha(mut seal: Map<String, Value>) -> Map<String, Value> {
    if seal.get("ha_enabled").and_then(Value::as_bool) != Some(true) {
        let of_leader = [
            "is_self",
            "active_time",
            "leader_address",
            "leader_cluster_address",
        ];
        seal.retain(|key, _| !of_leader.contains(&key.as_str()));
    }
    seal
}

fn rows(seal: &Map<String, Value>) -> Vec<(String, String)> {
    let text = |key: &str| {
        seal.get(key)
            .filter(|value| !value.is_null())
            .map(show::bare)
    };
    let is_on = |key: &str| seal.get(key).and_then(Value::as_bool).unwrap_or(false);
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut row = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            rows.push((name.to_owned(), value));
        }
    };
    let given = |key: &str| text(key).filter(|text| !text.is_empty());
    row("Seal Type", text("type"));
    row("Initialized", text("initialized"));
    row("Sealed", text("sealed"));
    row("Total Shares", text("n"));
    row("Threshold", text("t"));
    if is_on("sealed") {
        let (progress, threshold) = (text("progress"), text("t"));
        row(
            "Unseal Progress",
            Some(format!(
                "{}/{}",
                progress.unwrap_or_default(),
                threshold.unwrap_or_default()
            )),
        );
        row("Unseal Nonce", Some(text("nonce").unwrap_or_default()));
    }
    row("Version", text("version"));
    row("Build Date", given("build_date"));
    row("Storage Type", text("storage_type"));
    row("Cluster Name", given("cluster_name"));
    row("Cluster ID", given("cluster_id"));
    row("HA Enabled", text("ha_enabled"));
    if is_on("ha_enabled") && !is_on("sealed") {
        row(
            "HA Cluster",
            Some(text("leader_cluster_address").unwrap_or_default()),
        );
        let mode = if is_on("is_self") {
            "active"
        } else {
            "standby"
        };
        row("HA Mode", Some(mode.to_owned()));
        if is_on("is_self") {
            row("Active Since", given("active_time"));
        } else {
            row(
                "Active Node Address",
                Some(text("leader_address").unwrap_or_default()),
            );
        }
        row(
            "Raft Committed Index",
            text("raft_committed_index").filter(|index| index != "0"),
        );
        row(
            "Raft Applied Index",
            text("raft_applied_index").filter(|index| index != "0"),
        );
    }
    rows
}

/// Printed with the known fields first.
struct Ordered<'a>(&'a Map<String, Value>);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let known: BTreeSet<&str> = ORDER.iter().copied().collect();
        let others = self
            .0
            .keys()
            .map(String::as_str)
            .filter(|key| !known.contains(key));
        let mut map = to.serialize_map(Some(self.0.len()))?;
        for key in ORDER.iter().copied().chain(others) {
            if let Some(value) = self.0.get(key) {
                map.serialize_entry(key, value)?;
            }
        }
        map.end()
    }
}
