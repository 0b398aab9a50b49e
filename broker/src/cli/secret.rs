//! The envelope that servers answer with, as the command line uses it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A server's answer: what it prints as JSON has its fields in this order.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Secret {
    /// Names the request in the audit log.
    #[serde(deserialize_with = "or_default")]
    pub request_id: String,
    /// The lease, if the answer has one.
    #[serde(deserialize_with = "or_default")]
    pub lease_id: String,
    /// Seconds.
    #[serde(deserialize_with = "or_default")]
    pub lease_duration: i64,
    /// Whether the lease can be renewed.
    #[serde(deserialize_with = "or_default")]
    pub renewable: bool,
    /// What was asked for.
    pub data: Option<Map<String, Value>>,
    /// What the server wants to be known.
    pub warnings: Option<Vec<String>>,
    /// A token, where one was made or renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// A wrapping token, where wrapping was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrap_info: Option<WrapInfo>,
}

/// A token in an answer.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Auth {
    pub client_token: String,
    pub accessor: String,
    pub policies: Option<Vec<String>>,
    pub token_policies: Option<Vec<String>>,
    pub identity_policies: Option<Vec<String>>,
    pub metadata: Option<Map<String, Value>>,
    pub orphan: bool,
    pub entity_id: String,
    pub lease_duration: i64,
    pub renewable: bool,
    pub mfa_requirement: Value,
}

/// A wrapping token in an answer.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct WrapInfo {
    pub token: String,
    pub accessor: String,
    pub ttl: i64,
    pub creation_time: String,
    pub creation_path: String,
    pub wrapped_accessor: String,
}

/// Fields of which at least one is in every envelope.
const ENVELOPE: [&str; 5] = ["request_id", "lease_id", "data", "auth", "wrap_info"];

impl Secret {
    /// Reads an answer. A JSON object that is no envelope (as `sys/leader` has) becomes `data`.
    pub fn read(body: &[u8]) -> Result<Secret, serde_json::Error> {
        let object: Map<String, Value> = serde_json::from_slice(body)?;
        if ENVELOPE.iter().any(|field| object.contains_key(*field)) {
            return serde_json::from_value(Value::Object(object));
        }
        Ok(Secret {
            data: Some(object),
            ..Secret::default()
        })
    }

    /// Whether there is anything to show besides warnings.
    pub fn has_content(&self) -> bool {
        self.auth.is_some()
            || self.wrap_info.is_some()
            || !self.lease_id.is_empty()
            || self.data.as_ref().is_some_and(|data| !data.is_empty())
    }

    /// A list's keys.
    pub fn keys(&self) -> Option<&Vec<Value>> {
        self.data.as_ref()?.get("keys")?.as_array()
    }

    /// The value that `-field` names.
    pub fn field(&self, name: &str) -> Option<Value> {
        let own = if let Some(auth) = &self.auth {
            auth.field(name)
        } else if let Some(wrap) = &self.wrap_info {
            wrap.field(name)
        } else {
            match name {
                "request_id" => Some(self.request_id.clone().into()),
                "lease_id" => Some(self.lease_id.clone().into()),
                "lease_duration" => Some(self.lease_duration.into()),
                "renewable" | "lease_renewable" => Some(self.renewable.into()),
                _ => None,
            }
        };
        let in_data = || self.data.as_ref()?.get(name).cloned();
        // A field of the data wins where the envelope has the same name without a value of its own.
        match own {
            Some(value) if self.lease_id.is_empty() && self.auth.is_none() => {
                in_data().or(Some(value))
            }
            Some(value) => Some(value),
            None => in_data(),
        }
        .filter(|value| !value.is_null())
    }
}

impl Auth {
    fn field(&self, name: &str) -> Option<Value> {
        Some(match name {
            "token" | "client_token" => self.client_token.clone().into(),
            "token_accessor" | "accessor" => self.accessor.clone().into(),
            "token_duration" | "lease_duration" => self.lease_duration.into(),
            "token_renewable" | "renewable" => self.renewable.into(),
            "token_policies" => self.token_policies.clone().unwrap_or_default().into(),
            "identity_policies" => self.identity_policies.clone().unwrap_or_default().into(),
            "policies" => self.policies.clone().unwrap_or_default().into(),
            _ => return None,
        })
    }
}

impl WrapInfo {
    fn field(&self, name: &str) -> Option<Value> {
        Some(match name {
            "wrapping_token" => self.token.clone().into(),
            "wrapping_accessor" => self.accessor.clone().into(),
            "wrapping_token_ttl" => self.ttl.into(),
            "wrapping_token_creation_time" => self.creation_time.clone().into(),
            "wrapping_token_creation_path" => self.creation_path.clone().into(),
            "wrapped_accessor" => self.wrapped_accessor.clone().into(),
            _ => return None,
        })
    }
}

/// `null` is the same as nothing.
fn or_default<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(from)?.unwrap_or_default())
}
