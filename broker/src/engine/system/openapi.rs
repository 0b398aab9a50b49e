//! `sys/internal/specs/openapi` (contract 2.7): the endpoints of everything mounted, as an OpenAPI 3 document.
//!
//! Derived from the engines' path tables, so that it can neither promise nor hide an endpoint.

use serde_json::{Map, Value, json};

use crate::fields::FieldType;
use crate::logical::{Access, Call, Operation, Outcome, PathSpec, Response};
use crate::mount::{Mount, MountKind};
use crate::store::mounts;

pub(super) static ROWS: &[PathSpec] = &[PathSpec {
    pattern: "internal/specs/openapi",
    summary: "All endpoints as an OpenAPI document.",
    fields: &[],
    open: false,
    access: Access::Unauthenticated,
    existence: None,
    operations: &[(Operation::Read, |call| Box::pin(document(call)))],
}];

async fn document(call: &Call<'_>) -> Outcome {
    let mut paths = Map::new();
    for kind in [MountKind::Secret, MountKind::Auth] {
        for mount in mounts::all(&call.core.store, kind).await? {
            if let Some(engine) = crate::engine::find(kind, &mount.engine_type) {
                for spec in engine.paths.iter() {
                    add(&mut paths, &mount, spec);
                }
            }
        }
    }
    Ok(Some(Response::json(
        200,
        &json!({
            "openapi": "3.0.2",
            "info": { "title": "Leasehold API", "version": env!("CARGO_PKG_VERSION") },
            "paths": paths,
            "components": { "schemas": {} },
        }),
    )))
}

/// Adds a row's operations to its path's object; a list endpoint shares the object of the path without its slash.
fn add(paths: &mut Map<String, Value>, mount: &Mount, spec: &PathSpec) {
    let (path, captured) = template(&format!("/{}{}", mount.full_path(), spec.pattern));
    let entry = paths
        .entry(path)
        .or_insert_with(|| json!({}))
        .as_object_mut()
        .expect("entries of paths are objects");
    for (operation, _) in spec.operations {
        let method = match operation {
            Operation::Read | Operation::List => "get",
            Operation::Delete => "delete",
            Operation::Patch => "patch",
            _ => "post",
        };
        let mut described = json!({
            "summary": spec.summary,
            "tags": [match mount.kind {
                MountKind::Auth => "auth",
                MountKind::Secret if mount.engine_type == "system" => "system",
                MountKind::Secret => "secrets",
            }],
            "responses": { "200": { "description": "OK" } },
        });
        if *operation == Operation::List {
            described["parameters"] = json!([{ "name": "list", "in": "query", "required": true,
                "description": "Must be set to `true`", "schema": { "type": "string", "enum": ["true"] } }]);
        }
        if method == "post" {
            described["requestBody"] =
                json!({ "content": { "application/json": { "schema": body(spec) } } });
        }
        // A path that both reads and lists: the read keeps the word, as `list=true` is an option of it.
        if *operation != Operation::List || !entry.contains_key(method) {
            entry.insert(method.to_owned(), described);
        }
    }
    if !captured.is_empty() {
        let parameters = captured.iter().map(|name| {
            let help = spec.fields.iter().find(|field| field.name == name).map_or("", |field| field.help);
            json!({ "name": name, "in": "path", "required": true, "description": help, "schema": { "type": "string" } })
        });
        entry.insert("parameters".to_owned(), parameters.collect());
    }
    let flags = [
        ("x-vault-createSupported", spec.existence.is_some()),
        (
            "x-vault-unauthenticated",
            matches!(spec.access, Access::Unauthenticated | Access::Optional),
        ),
        ("x-vault-sudo", spec.access == Access::Sudo),
    ];
    for (name, holds) in flags {
        if holds {
            entry.insert(name.to_owned(), true.into());
        }
    }
}

/// `:name` and `*rest` become `{name}`; the names captured, in order.
fn template(pattern: &str) -> (String, Vec<String>) {
    let mut captured = Vec::new();
    let parts: Vec<String> = pattern
        .trim_end_matches('/')
        .split('/')
        .map(|part| match part.strip_prefix([':', '*']) {
            Some(name) => {
                captured.push(name.to_owned());
                format!("{{{name}}}")
            }
            None => part.to_owned(),
        })
        .collect();
    (parts.join("/"), captured)
}

fn body(spec: &PathSpec) -> Value {
    let fields = spec.fields.iter().filter(|field| {
        !spec
            .pattern
            .split('/')
            .any(|part| part.strip_prefix([':', '*']) == Some(field.name))
    });
    let properties: Map<String, Value> = fields
        .map(|field| {
            let mut schema = kind(field.kind);
            schema["description"] = field.help.into();
            (field.name.to_owned(), schema)
        })
        .collect();
    json!({ "type": "object", "properties": properties })
}

fn kind(kind: FieldType) -> Value {
    match kind {
        FieldType::Int => json!({ "type": "integer" }),
        FieldType::Bool => json!({ "type": "boolean" }),
        FieldType::DurationSecond | FieldType::SignedDurationSecond => {
            json!({ "type": "integer", "format": "seconds" })
        }
        FieldType::CommaStringSlice | FieldType::StringSlice => {
            json!({ "type": "array", "items": { "type": "string" } })
        }
        FieldType::KvPairs | FieldType::Map | FieldType::Header => json!({ "type": "object" }),
        FieldType::Time => json!({ "type": "string", "format": "date-time" }),
        FieldType::Any => json!({}),
        FieldType::String | FieldType::LowerString => json!({ "type": "string" }),
    }
}

#[cfg(test)]
mod tests {
    use super::template;

    #[test]
    fn patterns_become_templates() {
        let check = |pattern: &str, path: &str, names: &[&str]| {
            assert_eq!(
                template(pattern),
                (
                    path.to_owned(),
                    names.iter().map(|n| (*n).to_owned()).collect()
                )
            );
        };
        check("/database/creds/:name", "/database/creds/{name}", &["name"]);
        check("/database/config/", "/database/config", &[]);
        check(
            "/sys/mounts/*path/tune",
            "/sys/mounts/{path}/tune",
            &["path"],
        );
    }
}
