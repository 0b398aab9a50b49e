//! `token create`: makes a token, child of one's own.

use serde_json::{Map, Value};

use crate::cli::client::Request;
use crate::cli::fail::Fail;
use crate::cli::flags::{Flag, Flags, Kind, wire_duration};
use crate::cli::session::Session;
use crate::cli::verb::{Count, Output, Run, Verb};

pub static VERB: Verb = Verb {
    name: "token create",
    about: "Make a token",
    usage: "[options]",
    help: "Makes a token. It is a child of your own and ends with it at the latest, and with it \
           end the leases that it was given. Without -policy it has your policies.

For an application that may read credentials:

      $ leasehold token create -policy=apps -ttl=1h

One that lives as long as it is renewed once a day:

      $ leasehold token create -policy=apps -period=24h -orphan",
    arguments: Count::Exactly(0),
    flags: &[
        Flag::new(
            "policy",
            Kind::Texts,
            "Name of a policy; can be given more than once.",
        ),
        Flag::new(
            "ttl",
            Kind::Duration,
            "How long it lives, if it is not renewed.",
        ),
        Flag::new(
            "explicit-max-ttl",
            Kind::Duration,
            "How long it lives at most.",
        ),
        Flag::new(
            "period",
            Kind::Duration,
            "Every renewal gives it so much time, without an end. Needs root or sudo.",
        ),
        Flag::new(
            "renewable",
            Kind::Switch,
            "Whether it can be renewed. The default is true.",
        ),
        Flag::new(
            "orphan",
            Kind::Switch,
            "No child of your token: it does not end with it. Needs root or sudo.",
        ),
        Flag::new(
            "type",
            Kind::Text,
            "Type of the token: service or batch. The default is service.",
        ),
        Flag::new(
            "use-limit",
            Kind::Number,
            "How many requests it is good for. 0 is no limit.",
        ),
        Flag::new(
            "display-name",
            Kind::Text,
            "A name for logs; it is part of database logins.",
        ),
        Flag::new(
            "metadata",
            Kind::Pairs,
            "Something to remember with it; can be given more than once.",
        ),
        Flag::new(
            "no-default-policy",
            Kind::Switch,
            "Without the policy \"default\".",
        ),
        Flag::new(
            "id",
            Kind::Text,
            "The token itself, instead of a random one. Needs root or sudo.",
        ),
        Flag::new(
            "role",
            Kind::Text,
            "Make it by a token role, whose settings bound the others.",
        ),
        Flag::new(
            "entity-alias",
            Kind::Text,
            "Name of the entity alias to make it for.",
        ),
    ],
    output: Output::Fields,
    run: Run::Client(create),
};

fn create(session: &mut Session) -> Result<u8, Fail> {
    let path = match session.flags.text("role") {
        Some(role) => format!("auth/token/create/{role}"),
        None => "auth/token/create".to_owned(),
    };
    let request = Request::post(path).body(Value::Object(body(&session.flags)));
    let secret = session.ask(&request, "Error creating token")?;
    session.show(&secret)
}

fn body(flags: &Flags) -> Map<String, Value> {
    let type_name = flags.text("type").unwrap_or("service");
    let ttl = |name: &str| wire_duration(flags.duration(name).unwrap_or_default());
    let mut body = Map::new();
    let mut set = |key: &str, value: Value| {
        body.insert(key.to_owned(), value);
    };
    if let Some(id) = flags.text("id") {
        set("id", id.into());
    }
    if let Some(policies) = flags.texts("policy") {
        set("policies", policies.into());
    }
    if let Some(pairs) = flags.pairs("metadata") {
        let pairs = pairs
            .iter()
            .map(|(key, value)| (key.clone(), value.clone().into()));
        set("meta", Value::Object(pairs.collect()));
    }
    set("ttl", ttl("ttl").into());
    set("explicit_max_ttl", ttl("explicit-max-ttl").into());
    set("period", ttl("period").into());
    if flags.is_on("orphan") {
        set("no_parent", true.into());
    }
    if flags.is_on("no-default-policy") {
        set("no_default_policy", true.into());
    }
    set(
        "display_name",
        flags.text("display-name").unwrap_or_default().into(),
    );
    set("num_uses", flags.number("use-limit").unwrap_or(0).into());
    // Batch tokens can not be renewed, and servers refuse to be asked for it.
    let renewable = flags.switch("renewable").unwrap_or(type_name != "batch");
    set("renewable", renewable.into());
    set("type", type_name.into());
    set(
        "entity_alias",
        flags.text("entity-alias").unwrap_or_default().into(),
    );
    body
}
