//! A configuration as the API has it: settings that reads show, and connection details that are kept sealed.

use serde_json::{Map, Value, json};

use crate::fields::FieldValue;
use crate::logical::Call;
use crate::target::connection_string::has_literal_password;

/// The plugin every client names for PostgreSQL.
pub const PLUGIN: &str = "postgresql-database-plugin";

/// Fields of the write that are not connection details.
pub const DECLARED: [&str; 7] = [
    "name",
    "plugin_name",
    "plugin_version",
    "verify_connection",
    "allowed_roles",
    "root_rotation_statements",
    "password_policy",
];

/// Takes over what a write says of the settings; what it leaves out stays.
pub fn merge_settings(call: &Call<'_>, settings: &mut Map<String, Value>) -> Result<(), String> {
    for (field, empty) in [
        ("plugin_name", json!("")),
        ("plugin_version", json!("")),
        ("allowed_roles", json!([])),
        ("root_rotation_statements", json!([])),
        ("password_policy", json!("")),
    ] {
        let given = call.fields.get(field).map(|value| match value.as_list() {
            Some(list) => json!(list),
            None => json!(value.as_text().unwrap_or_default()),
        });
        match given {
            Some(value) => drop(settings.insert(field.to_owned(), value)),
            None => drop(settings.entry(field).or_insert(empty)),
        }
    }
    let text = |field: &str| {
        settings
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (plugin, version) = (text("plugin_name"), text("plugin_version"));
    if plugin.is_empty() {
        return Err("empty plugin name".into());
    }
    if !version.is_empty() && !is_semantic(version) {
        return Err(format!(
            "version {version:?} is not a valid semantic version"
        ));
    }
    if plugin != PLUGIN || !version.is_empty() {
        let asked = match version {
            "" => plugin.to_owned(),
            version => format!("{plugin}, version={version}"),
        };
        let line = format!("\t* plugin not found in the catalog: {asked}\n");
        return Err(format!(
            "error creating database object: invalid database version: 2 errors occurred:\n{line}{line}\n"
        ));
    }
    Ok(())
}

/// Takes over what a write says of the connection, verbatim; what it leaves out stays, the password too.
pub fn merge_details(call: &Call<'_>, details: &mut Map<String, Value>) {
    for (key, value) in &call.request.body {
        if !DECLARED.contains(&key.as_str()) {
            details.insert(key.clone(), value.clone());
        }
    }
}

/// A policy that is named and is not there.
pub const NO_POLICIES: &str = "password_policy is kept, but there are no password policies here: no credentials can be made while it names one";
const NO_ROTATION: &str = "root_rotation_statements are kept, but nothing rotates the password of a connection's own login here: change it in the database, then write it here";
const LITERAL_PASSWORD: &str = "Password found in connection_url, use a templated url to enable root rotation and prevent read access to password information.";

/// What a write says that is kept and does not do what it seems to. `details`: all of them, as they are to be.
pub fn warnings(call: &Call<'_>, details: &Map<String, Value>) -> Vec<String> {
    let given = |field: &str| call.fields.get(field);
    let url = details.get("connection_url").and_then(Value::as_str);
    let policy = given("password_policy").and_then(FieldValue::as_text);
    let rotation = given("root_rotation_statements").and_then(FieldValue::as_list);
    [
        (url.is_some_and(has_literal_password), LITERAL_PASSWORD),
        (policy.is_some_and(|name| !name.is_empty()), NO_POLICIES),
        (rotation.is_some_and(|list| !list.is_empty()), NO_ROTATION),
    ]
    .into_iter()
    .filter(|(applies, _)| *applies)
    .map(|(_, text)| text.to_owned())
    .collect()
}

fn is_semantic(version: &str) -> bool {
    let core = version.strip_prefix('v').unwrap_or(version);
    let core = core.split(['-', '+']).next().unwrap_or_default();
    let parts: Vec<&str> = core.split('.').collect();
    (1..=3).contains(&parts.len())
        && parts
            .iter()
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}
