//! How values are printed: tables, JSON, YAML, bare. Pure: values in, text out.

mod table;
mod value;
mod wrap;
mod yaml;

use serde::Serialize;
use serde_json::Value;

pub use self::table::{columns, key_values};
pub use self::value::{bare, cell, seconds};
pub use self::wrap::{warnings, wrap};
pub use self::yaml::yaml;
use super::fail::Fail;
use super::secret::Secret;

/// How data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Table,
    /// Indented by two.
    Json,
    /// The same data as YAML.
    Yaml,
}

impl Format {
    /// Reads the value of `-format`.
    pub fn read(name: Option<&str>) -> Result<Format, Fail> {
        match name.unwrap_or("table").to_ascii_lowercase().as_str() {
            "table" => Ok(Format::Table),
            "json" => Ok(Format::Json),
            "yaml" | "yml" => Ok(Format::Yaml),
            _ => {
                let name = name.unwrap_or_default();
                Err(Fail::Input(format!(
                    "Invalid output format: {name} (there are table, json and yaml)"
                )))
            }
        }
    }
}

/// JSON, indented by two, with a newline.
pub fn json(value: &impl Serialize) -> Result<String, Fail> {
    let text = serde_json::to_string_pretty(value).map_err(unprintable)?;
    Ok(text + "\n")
}

/// Anything as a plain value, keys sorted.
pub fn plain_value(value: &impl Serialize) -> Result<Value, Fail> {
    serde_json::to_value(value).map_err(unprintable)
}

fn unprintable(error: serde_json::Error) -> Fail {
    Fail::Input(format!("the answer can not be printed: {error}"))
}

/// The table of an answer: lease, token, wrapping token, then the data by key. Empty for nothing.
pub fn secret_table(secret: &Secret) -> String {
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut row = |key: &str, value: String| rows.push((key.to_owned(), value));
    if !secret.lease_id.is_empty() {
        row("lease_id", secret.lease_id.clone());
        row("lease_duration", seconds(secret.lease_duration));
        row("lease_renewable", secret.renewable.to_string());
    } else if secret.lease_duration > 0 {
        row("refresh_interval", seconds(secret.lease_duration));
    }
    if let Some(auth) = &secret.auth {
        row("token", auth.client_token.clone());
        row("token_accessor", auth.accessor.clone());
        let endless = auth.lease_duration == 0;
        row(
            "token_duration",
            if endless {
                "∞".into()
            } else {
                seconds(auth.lease_duration)
            },
        );
        row("token_renewable", auth.renewable.to_string());
        row("token_policies", quoted_list(&auth.token_policies));
        row("identity_policies", quoted_list(&auth.identity_policies));
        row("policies", quoted_list(&auth.policies));
        for (key, value) in auth.metadata.iter().flatten() {
            row(&format!("token_meta_{key}"), bare(value));
        }
    }
    if let Some(wrap) = &secret.wrap_info {
        row("wrapping_token:", wrap.token.clone());
        row("wrapping_accessor:", wrap.accessor.clone());
        row("wrapping_token_ttl:", seconds(wrap.ttl));
        row("wrapping_token_creation_time:", wrap.creation_time.clone());
        row("wrapping_token_creation_path:", wrap.creation_path.clone());
        if !wrap.wrapped_accessor.is_empty() {
            row("wrapped_accessor:", wrap.wrapped_accessor.clone());
        }
    }
    for (key, value) in secret.data.iter().flatten() {
        row(key, cell(key, value));
    }
    if rows.is_empty() {
        String::new()
    } else {
        key_values(Some(("Key", "Value")), &rows)
    }
}

fn quoted_list(list: &Option<Vec<String>>) -> String {
    let quoted: Vec<String> = list
        .iter()
        .flatten()
        .map(|item| format!("{item:?}"))
        .collect();
    format!("[{}]", quoted.join(" "))
}
