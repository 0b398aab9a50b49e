//! `connection_details` of a configuration, as stored (JSON, verbatim) and as used (typed). Contract 7.2. Pure.

use std::time::Duration;

use serde_json::{Map, Value};

use super::connection_string::{self, ConnectionString, ConnectionStringError, Credentials};
use crate::fields::{FieldType, FieldValue, coerce};
use crate::secret::{ConnectionUrl, Password};

/// Connections to keep open per configuration unless it says otherwise.
pub const MAX_OPEN_CONNECTIONS: u32 = 4;
/// What "unlimited" means: more than one broker can use.
const MAX_OPEN_CONNECTIONS_LIMIT: u32 = 1_000;

/// The typed form. Everything in it that can be a secret is one by type.
#[derive(Clone, Debug)]
pub struct ConnectionDetails {
    /// The template; may hold a literal password.
    pub connection_url: ConnectionUrl,
    /// For `{{username}}`.
    pub username: String,
    /// For `{{password}}`.
    pub password: Password,
    /// Paste the two verbatim.
    pub disable_escaping: bool,
    /// At most this many connections of this process.
    pub max_open_connections: u32,
    /// Close a connection at this age; None = never.
    pub max_connection_lifetime: Option<Duration>,
    /// A template of its own for login names; None = the default.
    pub username_template: Option<String>,
    /// PEM of the certificate authority.
    pub tls_ca: Option<String>,
    /// PEM of a client certificate.
    pub tls_certificate: Option<String>,
    /// PEM of the client certificate's key.
    pub private_key: Option<Password>,
}

impl ConnectionDetails {
    /// Reads the stored form. The error is a text for the client (contract 7.2, after its prefix); it holds no value.
    pub fn parse(details: &Map<String, Value>) -> Result<Self, String> {
        let field = |name: &str| details.get(name).unwrap_or(&Value::Null);
        let text = |name: &str| match coerce(FieldType::String, field(name)) {
            Ok(FieldValue::Text(text)) => Ok(text),
            _ => Err(undecodable(name, "string")),
        };
        let given = |name: &str| Ok::<_, String>(Some(text(name)?).filter(|text| !text.is_empty()));

        let connection_url = match field("connection_url") {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            _ => return Err("cannot parse connection url: it is not a string".into()),
        };
        if connection_url.is_empty() {
            return Err("connection_url cannot be empty".into());
        }
        connection_string::check_form(&connection_url).map_err(|error| error.to_string())?;
        let username = text("username")?;
        let password = text("password")?;
        if [&username, &password]
            .iter()
            .any(|value| value.contains("{{username}}") || value.contains("{{password}}"))
        {
            return Err("username and/or password cannot contain the template variables".into());
        }
        match field("password_authentication") {
            Value::Null => {}
            Value::String(kind) if ["", "password", "scram-sha-256"].contains(&kind.as_str()) => {}
            Value::String(kind) => {
                return Err(format!(
                    "'{kind}' is not a valid password authentication type"
                ));
            }
            _ => return Err(undecodable("password_authentication", "string")),
        }
        let username_template = match details.get("username_template") {
            None => None,
            Some(Value::String(text)) => Some(text.clone()).filter(|text| !text.is_empty()),
            Some(_) => {
                return Err("failed to retrieve username_template: it must be a string".into());
            }
        };
        integer(field("max_idle_connections"), "max_idle_connections")?;
        let max_open_connections =
            match integer(field("max_open_connections"), "max_open_connections")? {
                0 => MAX_OPEN_CONNECTIONS,
                negative if negative < 0 => MAX_OPEN_CONNECTIONS_LIMIT,
                number => u32::try_from(number)
                    .unwrap_or(MAX_OPEN_CONNECTIONS_LIMIT)
                    .min(MAX_OPEN_CONNECTIONS_LIMIT),
            };
        let lifetime = coerce(
            FieldType::SignedDurationSecond,
            field("max_connection_lifetime"),
        )
        .map_err(|why| format!("invalid max_connection_lifetime: {why}"))?;
        let max_connection_lifetime = lifetime
            .as_duration()
            .and_then(|span| u64::try_from(span.seconds()).ok())
            .filter(|seconds| *seconds > 0)
            .map(Duration::from_secs);
        let disable_escaping = coerce(FieldType::Bool, field("disable_escaping"))
            .ok()
            .and_then(|value| value.as_bool())
            .ok_or_else(|| undecodable("disable_escaping", "bool"))?;
        Ok(ConnectionDetails {
            connection_url: ConnectionUrl::new(connection_url),
            username,
            password: Password::new(password),
            disable_escaping,
            max_open_connections,
            max_connection_lifetime,
            username_template,
            tls_ca: given("tls_ca")?,
            tls_certificate: given("tls_certificate")?,
            private_key: given("private_key")?.map(Password::new),
        })
    }

    /// Where to connect, with the credentials put in.
    pub fn connection_string(&self) -> Result<ConnectionString, ConnectionStringError> {
        connection_string::parse(
            self.connection_url.expose(),
            &Credentials {
                username: &self.username,
                password: &self.password,
                disable_escaping: self.disable_escaping,
            },
        )
    }
}

/// What reads show of the stored form (contract 7.3).
pub fn redacted(details: &Map<String, Value>) -> Map<String, Value> {
    let mut shown = details.clone();
    shown.remove("password");
    shown.remove("private_key");
    if let Some(Value::String(url)) = shown.get_mut("connection_url") {
        *url = connection_string::redact(url);
    }
    shown
}

fn undecodable(name: &str, wanted: &str) -> String {
    format!(
        "decoding failed due to the following error(s):\n\n'{name}' cannot parse value as '{wanted}'"
    )
}

fn integer(value: &Value, name: &str) -> Result<i64, String> {
    match coerce(FieldType::Int, value) {
        Ok(FieldValue::Int(number)) => Ok(number),
        _ => Err(undecodable(name, "int")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(details: Value, expect: Result<u32, &str>) {
        let Value::Object(map) = &details else {
            panic!("an object")
        };
        let parsed = ConnectionDetails::parse(map);
        let got = parsed
            .as_ref()
            .map(|parsed| parsed.max_open_connections)
            .map_err(|why| why.split('\n').next_back().unwrap_or_default());
        assert_eq!(got, expect, "{details}");
    }

    #[test]
    fn details_are_typed_or_refused() {
        let url = "postgres://{{username}}:{{password}}@h/db";
        check(json!({}), Err("connection_url cannot be empty"));
        check(
            json!({"connection_url": null}),
            Err("connection_url cannot be empty"),
        );
        check(
            json!({"connection_url": 5}),
            Err("cannot parse connection url: it is not a string"),
        );
        check(
            json!({"connection_url": "postgresq://u:secret@h/db?sslmode=disable"}),
            Err(
                "cannot parse connection url: give a URL that begins with postgresql:// or postgres://, or words with values as \
                 in host=… user=… dbname=…",
            ),
        );
        check(json!({"connection_url": "not a url"}), Ok(4));
        check(json!({"connection_url": url}), Ok(4));
        check(
            json!({"connection_url": url, "max_open_connections": "7"}),
            Ok(7),
        );
        check(
            json!({"connection_url": url, "max_open_connections": -1}),
            Ok(1000),
        );
        check(
            json!({"connection_url": url, "max_open_connections": 1.5}),
            Err("'max_open_connections' cannot parse value as 'int'"),
        );
        check(
            json!({"connection_url": url, "disable_escaping": "maybe"}),
            Err("'disable_escaping' cannot parse value as 'bool'"),
        );
        check(
            json!({"connection_url": url, "username": "x{{password}}"}),
            Err("username and/or password cannot contain the template variables"),
        );
        check(
            json!({"connection_url": url, "password_authentication": "md5"}),
            Err("'md5' is not a valid password authentication type"),
        );
        check(
            json!({"connection_url": url, "max_connection_lifetime": -5}),
            Ok(4),
        );
    }

    #[test]
    fn reads_show_no_secret() {
        let Value::Object(map) = json!({
            "connection_url": "postgres://u:s@h/db", "password": "p", "private_key": "k", "spare": {"deep": 1}
        }) else {
            panic!("an object")
        };
        assert_eq!(
            Value::Object(redacted(&map)),
            json!({"connection_url": "postgres://u:xxxxx@h/db", "spare": {"deep": 1}})
        );
    }
}
