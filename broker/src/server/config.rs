//! The configuration file, in Vault's shape: HCL, or JSON of the same structure.
//!
//! ```hcl
//! listener "tcp" {
//!   address     = "127.0.0.1:8200"
//!   tls_disable = true
//! }
//! storage "postgresql" {
//!   connection_url = "postgres://leasehold:PASSWORD@localhost:5432/leasehold"
//! }
//! seal "file" {                     # or: seal "environment" { name = "LEASEHOLD_ROOT_KEY" }; without: shares
//!   path = "/etc/leasehold/root.key"
//! }
//! default_lease_ttl = "768h"
//! max_lease_ttl     = "768h"
//! default_max_request_duration = "90s"
//! cluster_name      = "production"
//! log_level         = "info"        # trace, debug, info, warn, error
//! log_format        = "standard"    # or json
//! ```

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};

use super::Settings;
use crate::duration;
use crate::json;
use crate::seal::KeySource;
use crate::secret::ConnectionUrl;

/// The file can not be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Reading.
    #[error("the configuration file {path} can not be read: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Syntax.
    #[error("the configuration is neither HCL nor JSON: {0}")]
    Syntax(String),
    /// Content.
    #[error("configuration: {0}")]
    Content(String),
}

const KNOWN: &[&str] = &[
    "backend",
    "cluster_name",
    "default_lease_ttl",
    "default_max_request_duration",
    "listener",
    "log_format",
    "log_level",
    "max_lease_ttl",
    "seal",
    "storage",
];

impl Settings {
    /// Reads a configuration file. `environment` is asked for the connection URL, which then wins over the file's.
    pub fn read(
        path: &Path,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, environment)
    }

    /// The same from a text.
    pub fn parse(
        text: &str,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let root = tree(text)?;
        let mut ignored: Vec<String> = others(&root, KNOWN).map(str::to_owned).collect();
        let storages = [blocks(&root, "storage")?, blocks(&root, "backend")?].concat();
        let [(kind, storage)] = &storages[..] else {
            return Err(content(
                "exactly one storage \"postgresql\" block is wanted",
            ));
        };
        if kind != "postgresql" {
            return Err(content(format!(
                "storage {kind:?} is not supported: the store is a PostgreSQL database (storage \"postgresql\")"
            )));
        }
        let connection_url = ["LEASEHOLD_PG_CONNECTION_URL", "VAULT_PG_CONNECTION_URL"]
            .iter()
            .find_map(|name| environment(name))
            .or(text_of(storage, "connection_url")?)
            .ok_or_else(|| content("storage \"postgresql\" wants a connection_url"))?;

        let mut settings = Settings::new("", ConnectionUrl::new(connection_url));
        ignored.extend(within(
            "storage",
            storage,
            &["connection_url", "max_parallel"],
        ));
        settings.listen_addresses = listeners(&root, &mut ignored)?;
        if let Some(connections) = text_of(storage, "max_parallel")? {
            settings.connections_max = connections
                .parse()
                .ok()
                .filter(|count| (2..=1000).contains(count))
                .ok_or_else(|| content("storage: max_parallel is a number from 2 to 1000"))?;
        }
        settings.key_source = key_source(&root, &mut ignored)?;
        if let Some(name) = text_of(&root, "cluster_name")? {
            settings.cluster_name = name;
        }
        if let Some(level) = text_of(&root, "log_level")? {
            settings.log_level = level.to_lowercase();
            if !matches!(
                settings.log_level.as_str(),
                "trace" | "debug" | "info" | "warn" | "error"
            ) {
                return Err(content(
                    "log_level is one of trace, debug, info, warn, error",
                ));
            }
        }
        settings.log_json = match text_of(&root, "log_format")?.as_deref() {
            None | Some("standard") => false,
            Some("json") => true,
            Some(_) => return Err(content("log_format is standard or json")),
        };
        let limits = &mut settings.core;
        if let Some(seconds) = seconds(&root, "max_lease_ttl")? {
            limits.max_lease_ttl_seconds = seconds;
            limits.default_lease_ttl_seconds = limits.default_lease_ttl_seconds.min(seconds);
        }
        if let Some(seconds) = seconds(&root, "default_lease_ttl")? {
            limits.default_lease_ttl_seconds = seconds;
        }
        if limits.default_lease_ttl_seconds > limits.max_lease_ttl_seconds {
            return Err(content("default_lease_ttl is greater than max_lease_ttl"));
        }
        if let Some(seconds) = seconds(&root, "default_max_request_duration")? {
            limits.request_max = Duration::from_secs(seconds.unsigned_abs());
        }
        ignored.sort();
        settings.ignored = ignored;
        Ok(settings)
    }
}

fn content(text: impl Into<String>) -> ConfigError {
    ConfigError::Content(text.into())
}

/// HCL and JSON as one tree: a block is a list of objects, one for its label.
fn tree(text: &str) -> Result<Map<String, Value>, ConfigError> {
    if text.trim_start().starts_with('{') {
        return json::parse_body(text.as_bytes())
            .map_err(|error| ConfigError::Syntax(error.to_string()));
    }
    let body = hcl::parse(text).map_err(|error| ConfigError::Syntax(where_and_why(&error)))?;
    from_body(&body)
}

/// Not the line itself, as the error shows it: it may hold a password.
fn where_and_why(error: &hcl::Error) -> String {
    match error {
        hcl::Error::Parse(error) => {
            let at = error.location();
            format!(
                "line {}, column {}: {}",
                at.line(),
                at.column(),
                error.message()
            )
        }
        other => other.to_string(),
    }
}

fn from_body(body: &hcl::Body) -> Result<Map<String, Value>, ConfigError> {
    let mut tree = Map::new();
    for attribute in body.attributes() {
        let value = serde_json::to_value(attribute.expr())
            .map_err(|error| ConfigError::Syntax(error.to_string()))?;
        tree.insert(attribute.key().to_owned(), value);
    }
    for block in body.blocks() {
        let mut inner = Value::Object(from_body(block.body())?);
        for label in block.labels().iter().rev() {
            inner = Value::Object(Map::from_iter([(label.as_str().to_owned(), inner)]));
        }
        let list = tree
            .entry(block.identifier())
            .or_insert_with(|| Value::Array(Vec::new()));
        match list {
            Value::Array(list) => list.push(inner),
            _ => {
                return Err(content(format!(
                    "{} is both a value and a block",
                    block.identifier()
                )));
            }
        }
    }
    Ok(tree)
}

/// A block's label and content.
type LabelledBlock = (String, Map<String, Value>);

/// The labelled blocks of a name.
fn blocks(tree: &Map<String, Value>, name: &str) -> Result<Vec<LabelledBlock>, ConfigError> {
    let list = match tree.get(name) {
        None => return Ok(Vec::new()),
        Some(Value::Array(list)) => list.clone(),
        Some(one) => vec![one.clone()],
    };
    let mut found = Vec::new();
    for block in &list {
        let wrong = || content(format!("{name} is a block with one label"));
        for (label, inner) in block.as_object().ok_or_else(wrong)? {
            let inner = match inner {
                Value::Array(list) if list.len() == 1 => &list[0],
                inner => inner,
            };
            found.push((label.clone(), inner.as_object().ok_or_else(wrong)?.clone()));
        }
    }
    Ok(found)
}

fn text_of(tree: &Map<String, Value>, name: &str) -> Result<Option<String>, ConfigError> {
    match tree.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(Value::Bool(truth)) => Ok(Some(truth.to_string())),
        Some(_) => Err(content(format!("{name} is a text"))),
    }
}

fn seconds(tree: &Map<String, Value>, name: &str) -> Result<Option<i64>, ConfigError> {
    let Some(value) = tree.get(name) else {
        return Ok(None);
    };
    let span = duration::parse_json(value).map_err(|error| content(format!("{name}: {error}")))?;
    match span.map(duration::Span::seconds) {
        Some(seconds) if seconds > 0 => Ok(Some(seconds)),
        None | Some(0) => Ok(None),
        Some(_) => Err(content(format!("{name} is not negative"))),
    }
}

/// Names beside those that mean something.
fn others<'a>(tree: &'a Map<String, Value>, known: &[&str]) -> impl Iterator<Item = &'a str> {
    tree.keys()
        .map(String::as_str)
        .filter(|name| !known.contains(name))
}

fn within<'a>(
    block: &'a str,
    tree: &'a Map<String, Value>,
    known: &[&str],
) -> impl Iterator<Item = String> {
    others(tree, known).map(move |name| format!("{block}: {name}"))
}

/// Beginnings of names that say whose address a client has: left out, addresses that tokens are bound to would be a proxy's.
const WHO_ASKS: [&str; 2] = ["x_forwarded_for_", "proxy_protocol_"];

fn listeners(
    root: &Map<String, Value>,
    ignored: &mut Vec<String>,
) -> Result<Vec<String>, ConfigError> {
    let mut addresses = Vec::new();
    for (kind, listener) in blocks(root, "listener")? {
        let known = ["address", "tls_disable"];
        for name in others(&listener, &known) {
            if WHO_ASKS.iter().any(|start| name.starts_with(start)) {
                return Err(content(format!(
                    "listener: {name} is not supported: a client's address is that of its connection here, and token_bound_cidrs \
                     are compared with it"
                )));
            }
        }
        ignored.extend(within("listener", &listener, &known));
        if kind != "tcp" {
            return Err(content(format!(
                "listener {kind:?} is not supported, only \"tcp\""
            )));
        }
        let plain = matches!(
            text_of(&listener, "tls_disable")?.as_deref(),
            Some("true" | "1" | "True" | "TRUE" | "t" | "T")
        );
        if !plain {
            return Err(content(
                "listener \"tcp\": TLS is not served here. Say tls_disable = true, bind to an address that only a TLS proxy reaches",
            ));
        }
        addresses.push(text_of(&listener, "address")?.unwrap_or_else(|| "127.0.0.1:8200".into()));
    }
    if addresses.is_empty() {
        return Err(content("at least one listener \"tcp\" block is wanted"));
    }
    Ok(addresses)
}

fn key_source(
    root: &Map<String, Value>,
    ignored: &mut Vec<String>,
) -> Result<KeySource, ConfigError> {
    let seals = blocks(root, "seal")?;
    let (kind, seal) = match &seals[..] {
        [] => return Ok(KeySource::Shares),
        [one] => one,
        _ => return Err(content("one seal block at most")),
    };
    ignored.extend(within("seal", seal, &["path", "name"]));
    let wanted = |name: &str| -> Result<String, ConfigError> {
        text_of(seal, name)?.ok_or_else(|| content(format!("seal {kind:?} wants {name}")))
    };
    match kind.as_str() {
        "shamir" => Ok(KeySource::Shares),
        "file" => Ok(KeySource::File(wanted("path")?.into())),
        "environment" => Ok(KeySource::Environment(wanted("name")?)),
        _ => Err(content(format!(
            "seal {kind:?} is not supported: \"shamir\", \"file\" and \"environment\" are"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HCL: &str = r#"
        ui = true
        listener "tcp" {
          address = "127.0.0.1:8200"
          tls_disable = 1
        }
        listener "tcp" {
          address = "[::1]:8200"
          tls_disable = "true"
        }
        storage "postgresql" {
          connection_url = "postgres://u:p@h/db"
          max_parallel = "64"
        }
        seal "file" { path = "/k" }
        default_lease_ttl = "1h"
        max_lease_ttl = 86400
        default_max_request_duration = "2m"
        cluster_name = "c"
    "#;

    const JSON: &str = r#"{
        "ui": true,
        "listener": [{"tcp": {"address": "127.0.0.1:8200", "tls_disable": 1}}, {"tcp": [{"address": "[::1]:8200", "tls_disable": "true"}]}],
        "backend": {"postgresql": {"connection_url": "postgres://u:p@h/db", "max_parallel": "64"}},
        "seal": {"file": {"path": "/k"}},
        "default_lease_ttl": "1h",
        "max_lease_ttl": 86400,
        "default_max_request_duration": 120,
        "cluster_name": "c"
    }"#;

    #[test]
    fn hcl_and_json_say_the_same() {
        for text in [HCL, JSON] {
            let settings = Settings::parse(text, |_| None).expect("a good file");
            assert_eq!(settings.listen_addresses, ["127.0.0.1:8200", "[::1]:8200"]);
            assert_eq!(settings.connection_url.expose(), "postgres://u:p@h/db");
            assert_eq!(settings.connections_max, 64);
            assert_eq!(settings.key_source, KeySource::File("/k".into()));
            assert_eq!(settings.core.default_lease_ttl_seconds, 3_600);
            assert_eq!(settings.core.max_lease_ttl_seconds, 86_400);
            assert_eq!(settings.core.request_max, Duration::from_secs(120));
            assert_eq!(settings.cluster_name, "c");
        }
    }

    #[test]
    fn the_environment_wins_for_the_connection() {
        let settings = Settings::parse(HCL, |name| {
            (name == "LEASEHOLD_PG_CONNECTION_URL").then(|| "postgres://e".into())
        });
        assert_eq!(
            settings.expect("a good file").connection_url.expose(),
            "postgres://e"
        );
    }

    #[test]
    fn what_has_no_effect_is_kept_to_be_said() {
        let text = format!("{HCL}\n max_lease_tll = \"1h\"\n");
        let settings = Settings::parse(&text, |_| None).expect("a good file");
        assert_eq!(settings.ignored, ["max_lease_tll", "ui"]);
        let text = HCL.replace("max_parallel", "max_paralel");
        let settings = Settings::parse(&text, |_| None).expect("a good file");
        assert_eq!(settings.ignored, ["storage: max_paralel", "ui"]);
    }

    #[test]
    fn an_error_does_not_show_the_line() {
        for url in ["\"postgres://u:pa${ss@h/db\"", "\"postgres://u:pass@h/db"] {
            let text = format!("storage \"postgresql\" {{\n connection_url = {url}\n}}\n");
            let error = Settings::parse(&text, |_| None).expect_err(url).to_string();
            assert!(error.contains("neither HCL nor JSON: line "), "{error}");
            assert!(!error.contains("u:pa"), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let check = |text: &str, part: &str| {
            let error = Settings::parse(text, |_| None).expect_err(text).to_string();
            assert!(error.contains(part), "{error} should say {part}");
        };
        let listener = "listener \"tcp\" {\n tls_disable = true\n}\n";
        let storage = "storage \"postgresql\" {\n connection_url = \"postgres://h\"\n}\n";
        check("a = [", "neither HCL nor JSON");
        check(
            &format!(
                "{storage}listener \"tcp\" {{\n tls_disable = true\n x_forwarded_for_hop_skips = 1\n}}\n"
            ),
            "token_bound_cidrs",
        );
        check(listener, "exactly one storage");
        check(
            &format!("{listener}storage \"raft\" {{\n}}\n"),
            "not supported",
        );
        check(storage, "at least one listener");
        check(
            &format!("{storage}listener \"tcp\" {{\n}}\n"),
            "tls_disable",
        );
        check(
            &format!("{storage}{listener}seal \"awskms\" {{\n}}\n"),
            "not supported",
        );
        check(
            &format!("{storage}{listener}default_lease_ttl = \"1000h\"\n"),
            "greater",
        );
        check(
            &format!("{storage}{listener}max_lease_ttl = \"x\"\n"),
            "max_lease_ttl",
        );
    }
}
