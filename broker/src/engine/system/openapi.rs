//! `sys/internal/specs/openapi`: what can be asked, made from the engines' tables as everything else about endpoints is.
//!
//! With a token: the mounts the caller has any access to, at their paths. Without one: what every server has, and the engines that can be
//! mounted, at a placeholder. Operation ids of the database engine are those that client generators know.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::special::{self, Special};
use crate::engine::{self, ENGINES, Engine};
use crate::fields::FieldType;
use crate::logical::{Access, Call, Field, Operation, Outcome, PathSpec, Response};
use crate::mount::MountKind;
use crate::store::mounts;

const FIELDS: &[Field] = &[
    Field {
        name: "generic_mount_paths",
        kind: FieldType::Bool,
        help: "Placeholders for the paths of mounts.",
    },
    Field {
        name: "context",
        kind: FieldType::String,
        help: "Taken and not looked at.",
    },
];

pub(super) static ROWS: &[PathSpec] = &[PathSpec {
    pattern: "internal/specs/openapi",
    summary: "This document.",
    fields: FIELDS,
    open: false,
    access: Access::Optional,
    existence: None,
    operations: &[
        (Operation::Read, |call| Box::pin(document(call))),
        (Operation::Update, |call| Box::pin(document(call))),
    ],
}];

/// Ids that do not follow from their pattern.
const KNOWN_IDS: &[(&str, &str, Operation, &str)] = &[
    (
        "database",
        "creds/:name",
        Operation::Read,
        "generate-credentials",
    ),
    (
        "database",
        "config/:name",
        Operation::Read,
        "read-connection-configuration",
    ),
    (
        "database",
        "config/:name",
        Operation::Update,
        "configure-connection",
    ),
    (
        "database",
        "config/:name",
        Operation::Delete,
        "delete-connection-configuration",
    ),
    ("database", "config", Operation::List, "list-connections"),
    ("database", "roles/:name", Operation::Read, "read-role"),
    ("database", "roles/:name", Operation::Update, "write-role"),
    ("database", "roles/:name", Operation::Delete, "delete-role"),
    (
        "database",
        "reset/:name",
        Operation::Update,
        "reset-connection",
    ),
];

async fn document(call: &Call<'_>) -> Outcome {
    let asks_generic = call
        .fields
        .get("generic_mount_paths")
        .and_then(crate::fields::FieldValue::as_bool)
        .unwrap_or(false);
    let mut document = Document::default();
    match call.caller {
        None => {
            for engine in ENGINES {
                document.add_engine(engine, &default_path(engine), !engine.built_in);
            }
        }
        Some(caller) => {
            for kind in [MountKind::Secret, MountKind::Auth] {
                for mount in mounts::all(&call.core.store, kind).await? {
                    let engine = engine::find(kind, &mount.engine_type);
                    if let Some(engine) =
                        engine.filter(|_| caller.acl.has_access_below(&mount.full_path()))
                    {
                        document.add_engine(
                            engine,
                            &mount.full_path(),
                            asks_generic && !engine.built_in,
                        );
                    }
                }
            }
        }
    }
    let whole = json!({
        "openapi": "3.0.2",
        "info": {
            "title": "Leasehold API",
            "description": "HTTP API that gives access to PostgreSQL under a lease. All routes are below `/v1/`.",
            "version": call.core.settings.advertised_version,
            "license": { "name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0" },
        },
        "paths": document.paths,
        "components": { "schemas": document.schemas },
    });
    Ok(Some(Response::json(200, &whole)))
}

/// Where an engine is, or usually would be.
fn default_path(engine: &Engine) -> String {
    let name = if engine.engine_type == "system" {
        "sys"
    } else {
        engine.engine_type
    };
    match engine.kind {
        MountKind::Secret => format!("{name}/"),
        MountKind::Auth => format!("auth/{name}/"),
    }
}

#[derive(Default)]
struct Document {
    paths: Map<String, Value>,
    schemas: Map<String, Value>,
}

impl Document {
    fn add_engine(&mut self, engine: &Engine, mount: &str, generic: bool) {
        let placeholder = format!("{}_mount_path", engine.engine_type);
        let prefix = match (generic, engine.kind) {
            (false, _) => format!("/{mount}"),
            (true, MountKind::Secret) => format!("/{{{placeholder}}}/"),
            (true, MountKind::Auth) => format!("/auth/{{{placeholder}}}/"),
        };
        let seen: BTreeSet<&str> = engine.paths.iter().map(|spec| spec.pattern).collect();
        for spec in engine.paths.iter() {
            let special = special::find(&format!("sys/{}", spec.pattern))
                .filter(|_| engine.engine_type == "system");
            // The list of a folder is told at the folder itself.
            let trimmed = spec.pattern.trim_end_matches('/');
            let is_folder = spec.pattern.ends_with('/');
            if (spec.operations.is_empty() && special.is_none()) || trimmed.is_empty() {
                continue;
            }
            let key = format!("{prefix}{}", templated(trimmed));
            let mut entry = match self.paths.remove(&key) {
                Some(Value::Object(entry)) => entry,
                _ => Map::new(),
            };
            if is_folder
                && seen.contains(trimmed)
                && spec
                    .operations
                    .iter()
                    .all(|(operation, _)| *operation == Operation::Read)
            {
                self.paths.insert(key, entry.into());
                continue;
            }
            self.describe(
                &mut entry,
                engine,
                spec,
                special,
                generic.then_some((placeholder.as_str(), mount)),
            );
            self.paths.insert(key, entry.into());
        }
    }

    fn describe(
        &mut self,
        entry: &mut Map<String, Value>,
        engine: &Engine,
        spec: &PathSpec,
        special: Option<&Special>,
        placeholder: Option<(&str, &str)>,
    ) {
        entry
            .entry("description")
            .or_insert_with(|| spec.summary.into());
        let parameters = parameters(spec, placeholder);
        if !parameters.is_empty() {
            entry.insert("parameters".into(), parameters.into());
        }
        if spec.existence.is_some() {
            entry.insert("x-vault-createSupported".into(), true.into());
        }
        match spec.access {
            Access::Unauthenticated | Access::Optional => {
                entry.insert("x-vault-unauthenticated".into(), true.into());
            }
            Access::Sudo => {
                entry.insert("x-vault-sudo".into(), true.into());
            }
            Access::Token | Access::ProvenToken => {}
        }
        let mut served: Vec<Operation> = spec
            .operations
            .iter()
            .map(|(operation, _)| *operation)
            .collect();
        if let Some(special) = special {
            served.extend(special.serves("GET").then_some(Operation::Read));
            served.extend(special.serves("POST").then_some(Operation::Update));
        }
        for operation in served {
            let (method, mut told) = self.operation(engine, spec, operation);
            if operation == Operation::List {
                told["parameters"] = json!([{
                    "name": "list", "description": "Must be set to `true`", "in": "query",
                    "schema": { "type": "string", "enum": ["true"] }, "required": true,
                }]);
                if entry.contains_key(method) {
                    continue;
                }
            }
            entry.insert(method.to_owned(), told);
        }
    }

    fn operation(
        &mut self,
        engine: &Engine,
        spec: &PathSpec,
        operation: Operation,
    ) -> (&'static str, Value) {
        let id = operation_id(engine, spec, operation);
        let tag = match (engine.engine_type, engine.kind) {
            ("system", _) => "system",
            (_, MountKind::Auth) => "auth",
            (_, MountKind::Secret) => "secrets",
        };
        let mut told = json!({ "operationId": id, "tags": [tag] });
        let method = match operation {
            Operation::Read | Operation::List | Operation::Head | Operation::Help => "get",
            Operation::Create | Operation::Update => "post",
            Operation::Patch => "patch",
            Operation::Delete => "delete",
        };
        told["responses"] = match operation {
            Operation::Delete => json!({ "204": { "description": "empty body" } }),
            _ => json!({ "200": { "description": "OK" } }),
        };
        if operation.is_write() {
            let properties = properties(spec);
            if !properties.is_empty() {
                let schema = format!("{}Request", camel(&id));
                told["requestBody"] = json!({
                    "required": true,
                    "content": { "application/json": { "schema": { "$ref": format!("#/components/schemas/{schema}") } } },
                });
                self.schemas.insert(
                    schema,
                    json!({ "type": "object", "properties": properties }),
                );
            }
        }
        (method, told)
    }
}

/// `:name` and `*rest` as placeholders.
fn templated(pattern: &str) -> String {
    let parts = pattern
        .split('/')
        .map(|part| match part.strip_prefix([':', '*']) {
            Some(name) => format!("{{{name}}}"),
            None => part.to_owned(),
        });
    parts.collect::<Vec<_>>().join("/")
}

fn captured(spec: &PathSpec) -> impl Iterator<Item = &'static str> {
    spec.pattern
        .split('/')
        .filter_map(|part| part.strip_prefix([':', '*']))
}

fn parameters(spec: &PathSpec, placeholder: Option<(&str, &str)>) -> Vec<Value> {
    let mut parameters: Vec<Value> = captured(spec)
        .map(|name| {
            let help = spec.fields.iter().find(|field| field.name == name).map_or("", |field| field.help);
            json!({ "name": name, "description": help, "in": "path", "schema": { "type": "string" }, "required": true })
        })
        .collect();
    if let Some((name, mount)) = placeholder {
        parameters.push(json!({
            "name": name, "description": "Path that the backend was mounted at", "in": "path",
            "schema": { "type": "string", "default": mount.trim_end_matches('/') }, "required": true,
        }));
    }
    parameters
}

fn properties(spec: &PathSpec) -> Map<String, Value> {
    let captures: Vec<&str> = captured(spec).collect();
    let fields = spec
        .fields
        .iter()
        .filter(|field| !captures.contains(&field.name));
    fields
        .map(|field| (field.name.to_owned(), property(field)))
        .collect()
}

fn property(field: &Field) -> Value {
    let mut told = match field.kind {
        FieldType::String | FieldType::LowerString => json!({ "type": "string" }),
        FieldType::Int => json!({ "type": "integer" }),
        FieldType::Bool => json!({ "type": "boolean" }),
        FieldType::DurationSecond | FieldType::SignedDurationSecond => {
            json!({ "type": "integer", "format": "seconds" })
        }
        FieldType::CommaStringSlice | FieldType::StringSlice => {
            json!({ "type": "array", "items": { "type": "string" } })
        }
        FieldType::KvPairs | FieldType::Map => json!({ "type": "object", "format": "map" }),
        FieldType::Time => json!({ "type": "string", "format": "date-time" }),
        FieldType::Header => json!({ "type": "object", "format": "header" }),
        FieldType::Any => json!({}),
    };
    told["description"] = field.help.into();
    told
}

fn operation_id(engine: &Engine, spec: &PathSpec, operation: Operation) -> String {
    let prefix = engine.engine_type;
    let pattern = spec.pattern.trim_end_matches('/');
    let known = KNOWN_IDS.iter().find(|(engine_type, at, does, _)| {
        *engine_type == prefix && *at == pattern && *does == operation
    });
    if let Some((_, _, _, id)) = known {
        return format!("{prefix}-{id}");
    }
    let verb = match operation {
        Operation::List => "list",
        Operation::Delete => "delete",
        Operation::Patch => "patch",
        Operation::Create | Operation::Update => "write",
        Operation::Read | Operation::Head | Operation::Help => "read",
    };
    let words: Vec<&str> = pattern
        .split('/')
        .map(|part| part.trim_start_matches([':', '*']))
        .collect();
    format!("{prefix}-{verb}-{}", words.join("-").replace('_', "-"))
}

fn camel(id: &str) -> String {
    id.split('-')
        .map(|word| {
            let mut letters = word.chars();
            letters.next().map_or_else(String::new, |first| {
                first.to_uppercase().chain(letters).collect()
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_holds_every_endpoint_once_and_no_id_twice() {
        let mut document = Document::default();
        for engine in ENGINES {
            document.add_engine(engine, &default_path(engine), false);
        }
        let mut ids = BTreeSet::new();
        for (path, entry) in &document.paths {
            for method in ["get", "post", "delete", "patch"] {
                if let Some(id) = entry[method]["operationId"].as_str() {
                    assert!(ids.insert(id.to_owned()), "{id} twice, at {path}");
                }
            }
        }
        for engine in ENGINES {
            for spec in engine
                .paths
                .iter()
                .filter(|spec| !spec.operations.is_empty())
            {
                let path = format!(
                    "/{}{}",
                    default_path(engine),
                    templated(spec.pattern.trim_end_matches('/'))
                );
                assert!(
                    spec.pattern.is_empty()
                        || document.paths.contains_key(path.trim_end_matches('/')),
                    "{path}"
                );
            }
        }
    }
}
