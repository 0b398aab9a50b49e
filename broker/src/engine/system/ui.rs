//! `sys/internal/ui/*` (contract 2.7): what command lines and user interfaces ask before they ask.

use serde_json::{Map, Value, json};

use super::mounts::info;
use crate::fields::FieldType;
use crate::logical::{Access, Call, Fault, Field, Operation, Outcome, PathSpec, Response};
use crate::mount::{Mount, MountKind};
use crate::store::mounts;

pub(super) static ROWS: &[PathSpec] = &[
    PathSpec {
        pattern: "internal/ui/mounts",
        summary: "Mounts the caller may know of.",
        fields: &[],
        open: false,
        access: Access::Optional,
        existence: None,
        operations: &[(Operation::Read, |call| Box::pin(list(call)))],
    },
    PathSpec {
        pattern: "internal/ui/mounts/",
        summary: "Names no mount.",
        fields: &[],
        open: false,
        access: Access::Unauthenticated,
        existence: None,
        operations: &[(Operation::Read, |_| {
            Box::pin(async { Err(Fault::raw(404, "unsupported path")) })
        })],
    },
    PathSpec {
        pattern: "internal/ui/mounts/*path",
        summary: "The mount of a path, for callers with any access below it.",
        fields: &[Field {
            name: "path",
            kind: FieldType::String,
            help: "Any path.",
        }],
        open: false,
        access: Access::Optional,
        existence: None,
        operations: &[(Operation::Read, |call| Box::pin(one(call)))],
    },
    PathSpec {
        pattern: "internal/ui/resultant-acl",
        summary: "All that the caller's policies grant.",
        fields: &[],
        open: false,
        access: Access::Token,
        existence: None,
        operations: &[(Operation::Read, |call| Box::pin(resultant(call)))],
    },
];

async fn list(call: &Call<'_>) -> Outcome {
    let mut data = Map::new();
    for (kind, key) in [(MountKind::Secret, "secret"), (MountKind::Auth, "auth")] {
        let mut shown = Map::new();
        for mount in mounts::all(&call.core.store, kind).await? {
            let object = match call.caller {
                Some(caller) if caller.acl.has_access_below(&mount.full_path()) => {
                    info(call.core, &mount)
                }
                None if is_public(&mount) => Map::from_iter([
                    ("type".to_owned(), Value::from(mount.engine_type.clone())),
                    ("description".to_owned(), mount.description.clone().into()),
                    ("options".to_owned(), json!(mount.options)),
                ]),
                _ => continue,
            };
            shown.insert(mount.path.clone(), object.into());
        }
        data.insert(key.to_owned(), shown.into());
    }
    Ok(Some(Response {
        data: Some(data),
        ..Response::default()
    }))
}

fn is_public(mount: &Mount) -> bool {
    mount
        .config
        .get("listing_visibility")
        .is_some_and(|visibility| visibility == "unauth")
}

async fn one(call: &Call<'_>) -> Outcome {
    let caller = call.caller.ok_or_else(Fault::unknown_caller)?;
    let path = call.capture("path").trim_end_matches('/');
    let (kind, below) = match path.strip_prefix("auth/") {
        Some(below) => (MountKind::Auth, below),
        None => (MountKind::Secret, path),
    };
    let mount = call
        .mounts
        .covering(kind, below)
        .filter(|mount| caller.acl.has_access_below(&mount.full_path()))
        .ok_or_else(|| {
            Fault::raw(
                403,
                format!("preflight capability check returned 403, please ensure client's policies grant access to path \"{path}/\""),
            )
        })?;
    let mut data = info(call.core, mount);
    data.insert("path".into(), mount.full_path().into());
    Ok(Some(Response {
        data: Some(data),
        ..Response::default()
    }))
}

async fn resultant(call: &Call<'_>) -> Outcome {
    let acl = call.caller().acl.resultant();
    if acl.root {
        return Ok(Some(Response::data(json!({ "root": true }))));
    }
    let shown =
        |paths: std::collections::BTreeMap<String, Vec<&'static str>>| -> Map<String, Value> {
            paths
                .into_iter()
                .map(|(path, words)| (path, json!({ "capabilities": words })))
                .collect()
        };
    Ok(Some(Response::data(json!({
        "root": false,
        "exact_paths": shown(acl.exact_paths),
        "glob_paths": shown(acl.glob_paths),
    }))))
}
