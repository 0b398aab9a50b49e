//! What `secrets` and `auth` share: both switch mounts on and off, at other paths.

pub mod flags;

use serde_json::{Map, Value, json};

use crate::cli::client::Request;
use crate::cli::fail::Fail;
use crate::cli::flags::{Flags, wire_duration};
use crate::cli::path;
use crate::cli::session::{NOTHING, Session};
use crate::cli::show::{self, Format};

/// One of the two kinds of mounts.
pub struct Kind {
    /// Where the server keeps them.
    pub api: &'static str,
    /// How one is called in messages.
    pub noun: &'static str,
    /// What stands before its type in the message of success (scripts match on it).
    pub article: &'static str,
    /// What stands before the path of one where it is tuned.
    pub tune_prefix: &'static str,
}

/// Secrets engines.
pub const SECRETS: Kind = Kind {
    api: "sys/mounts",
    noun: "secrets engine",
    article: "the ",
    tune_prefix: "",
};
/// Auth methods.
pub const AUTH: Kind = Kind {
    api: "sys/auth",
    noun: "auth method",
    article: "",
    tune_prefix: "auth/",
};

/// Fields of a mount's configuration that are lists of texts, by flag.
const LISTS: &[(&str, &str)] = &[
    ("audit-non-hmac-request-keys", "audit_non_hmac_request_keys"),
    (
        "audit-non-hmac-response-keys",
        "audit_non_hmac_response_keys",
    ),
    ("passthrough-request-headers", "passthrough_request_headers"),
    ("allowed-response-headers", "allowed_response_headers"),
];
/// Those that are texts.
const TEXTS: &[(&str, &str)] = &[
    ("listing-visibility", "listing_visibility"),
    ("token-type", "token_type"),
    ("plugin-version", "plugin_version"),
];

/// Switches a mount on, at the path of its type unless `-path` says otherwise.
pub fn enable(session: &mut Session, kind: &Kind, doing: &str) -> Result<u8, Fail> {
    let type_name = session.first().trim().to_owned();
    let place = path::trim(session.flags.text("path").unwrap_or(&type_name)).to_owned();
    let flags = &session.flags;
    let mut config = Map::new();
    config.insert("options".into(), Value::Null);
    for (flag, field) in [
        ("default-lease-ttl", "default_lease_ttl"),
        ("max-lease-ttl", "max_lease_ttl"),
    ] {
        config.insert(
            field.into(),
            wire_duration(flags.duration(flag).unwrap_or_default()).into(),
        );
    }
    config.insert(
        "force_no_cache".into(),
        flags.is_on("force-no-cache").into(),
    );
    add_config(&mut config, flags);
    let request = Request::post(format!("{}/{place}", kind.api)).body(json!({
        "type": type_name,
        "description": flags.text("description").unwrap_or_default(),
        "config": config,
        "local": flags.is_on("local"),
        "seal_wrap": flags.is_on("seal-wrap"),
        "external_entropy_access": flags.is_on("external-entropy-access"),
        "options": options(flags),
    }));
    let answer = session.ask(&request, doing)?;
    session.show_warnings(&answer)?;
    let place = path::mount(&place);
    session.say(format!(
        "Success! Enabled {}{type_name} {} at: {place}",
        kind.article, kind.noun
    ))
}

/// Switches a mount off.
pub fn disable(session: &mut Session, kind: &Kind, doing: &str) -> Result<u8, Fail> {
    let place = path::mount(session.first());
    let request = Request::delete(format!("{}/{place}", kind.api));
    session.send(&request, &format!("{doing} {place}"))?;
    session.say(format!(
        "Success! Disabled the {} (if it existed) at: {place}",
        kind.noun
    ))
}

/// Changes what a mount was told.
pub fn tune(session: &mut Session, kind: &Kind) -> Result<u8, Fail> {
    let place = path::mount(session.first());
    let flags = &session.flags;
    let mut config = Map::new();
    config.insert("options".into(), options(flags));
    for (flag, field) in [
        ("default-lease-ttl", "default_lease_ttl"),
        ("max-lease-ttl", "max_lease_ttl"),
    ] {
        let ttl = flags.duration(flag).map(wire_duration).unwrap_or_default();
        config.insert(field.into(), ttl.into());
    }
    config.insert(
        "force_no_cache".into(),
        flags.is_on("force-no-cache").into(),
    );
    if let Some(description) = flags.text("description") {
        config.insert("description".into(), description.into());
    }
    add_config(&mut config, flags);
    let request = Request::post(format!("sys/mounts/{}{place}tune", kind.tune_prefix))
        .body(Value::Object(config));
    let answer = session.ask(&request, &format!("Error tuning {} {place}", kind.noun))?;
    session.show_warnings(&answer)?;
    session.say(format!("Success! Tuned the {} at: {place}", kind.noun))
}

/// Lists mounts.
pub fn list(session: &mut Session, kind: &Kind) -> Result<u8, Fail> {
    let secret = session.ask(
        &Request::get(kind.api),
        &format!("Error listing {}s", kind.noun),
    )?;
    let mounts = secret.data.unwrap_or_default();
    if session.format() != Format::Table {
        return session.show_value(&mounts);
    }
    if mounts.is_empty() {
        session.say(format!("No {}s are enabled.", kind.noun))?;
        return Ok(NOTHING);
    }
    let table = match session.flags.is_on("detailed") {
        true => detailed(&mounts, kind),
        false => brief(&mounts, kind),
    };
    write!(session.out, "{table}")?;
    Ok(0)
}

fn brief(mounts: &Map<String, Value>, kind: &Kind) -> String {
    let versions = kind.api == AUTH.api;
    let mut heading = vec!["Path", "Type", "Accessor", "Description"];
    heading.extend(versions.then_some("Version"));
    let rows = mounts.iter().map(|(place, mount)| {
        let mut row = vec![
            place.clone(),
            text(mount, "type"),
            text(mount, "accessor"),
            text(mount, "description"),
        ];
        row.extend(versions.then(|| text(mount, "plugin_version")));
        row
    });
    show::columns(&heading, rows.collect())
}

fn detailed(mounts: &Map<String, Value>, kind: &Kind) -> String {
    let types = kind.api == AUTH.api;
    let mut heading = vec!["Path", "Plugin", "Accessor", "Default TTL", "Max TTL"];
    heading.push(if types {
        "Token Type"
    } else {
        "Force No Cache"
    });
    heading.extend([
        "Replication",
        "Seal Wrap",
        "External Entropy Access",
        "Options",
    ]);
    heading.extend([
        "Description",
        "UUID",
        "Version",
        "Running Version",
        "Running SHA256",
    ]);
    heading.push("Deprecation Status");
    let rows = mounts.iter().map(|(place, mount)| {
        let config = mount.get("config").unwrap_or(&Value::Null);
        let type_name = text(mount, "type");
        let ttl = |field: &str| match config.get(field).and_then(Value::as_i64).unwrap_or(0) {
            0 if matches!(type_name.as_str(), "system" | "cubbyhole") => String::new(),
            0 => "system".to_owned(),
            seconds => show::seconds(seconds),
        };
        let is_local = mount
            .get("local")
            .and_then(Value::as_bool)
            .unwrap_or_default();
        let options = mount.get("options").filter(|options| !options.is_null());
        vec![
            place.clone(),
            type_name.clone(),
            text(mount, "accessor"),
            ttl("default_lease_ttl"),
            ttl("max_lease_ttl"),
            text(
                config,
                if types {
                    "token_type"
                } else {
                    "force_no_cache"
                },
            ),
            if is_local { "local" } else { "replicated" }.to_owned(),
            text(mount, "seal_wrap"),
            text(mount, "external_entropy_access"),
            options.map_or("map[]".to_owned(), show::bare),
            text(mount, "description"),
            text(mount, "uuid"),
            text(mount, "plugin_version"),
            text(mount, "running_plugin_version"),
            text(mount, "running_sha256"),
            text(mount, "deprecation_status"),
        ]
    });
    show::columns(&heading, rows.collect())
}

/// A field as text; nothing for null and for what is not there.
fn text(of: &Value, field: &str) -> String {
    of.get(field)
        .filter(|value| !value.is_null())
        .map(show::bare)
        .unwrap_or_default()
}

fn options(flags: &Flags) -> Value {
    let mut options: Map<String, Value> = Map::new();
    for (key, value) in flags.pairs("options").into_iter().flatten() {
        options.insert(key.clone(), value.clone().into());
    }
    if let Some(version) = flags.number("version").filter(|version| *version > 0) {
        options.insert("version".into(), version.to_string().into());
    }
    if options.is_empty() {
        Value::Null
    } else {
        Value::Object(options)
    }
}

fn add_config(config: &mut Map<String, Value>, flags: &Flags) {
    for (flag, field) in LISTS {
        if let Some(texts) = flags.texts(flag) {
            config.insert((*field).into(), texts.into());
        }
    }
    for (flag, field) in TEXTS {
        if let Some(text) = flags.text(flag) {
            config.insert((*field).into(), text.into());
        }
    }
}
