//! What mounts look like (contract 3.2).

use serde_json::{Map, Value, json};

use super::{located, named};
use crate::core::Core;
use crate::engine;
use crate::logical::{Call, Fault, Outcome, Response};
use crate::mount::{Mount, MountKind};
use crate::store::mounts;

/// The mount info object.
pub(in crate::engine::system) fn info(core: &Core, mount: &Mount) -> Map<String, Value> {
    let mut config = mount.config.clone();
    for (name, unset) in [
        ("default_lease_ttl", json!(0)),
        ("max_lease_ttl", json!(0)),
        ("force_no_cache", json!(false)),
    ] {
        config.entry(name).or_insert(unset);
    }
    let shown = json!({
        "type": mount.engine_type,
        "description": mount.description,
        "accessor": mount.accessor,
        "uuid": mount.mount_id.to_string(),
        "local": mount.local,
        "seal_wrap": mount.seal_wrap,
        "external_entropy_access": mount.external_entropy_access,
        "options": mount.options,
        "plugin_version": "",
        "running_plugin_version": format!("v{}+builtin.vault", core.settings.advertised_version),
        "running_sha256": "",
        "config": config,
    });
    let Value::Object(mut shown) = shown else {
        unreachable!("written as an object above")
    };
    // The reference knows it of auth methods only.
    if mount.kind == MountKind::Auth
        && engine::find(mount.kind, &mount.engine_type).is_some_and(|engine| !engine.built_in)
    {
        shown.insert("deprecation_status".into(), "supported".into());
    }
    shown
}

pub(super) async fn list(call: &Call<'_>, kind: MountKind) -> Outcome {
    let mut data = Map::new();
    for mount in mounts::all(&call.core.store, kind).await? {
        data.insert(mount.path.clone(), info(call.core, &mount).into());
    }
    Ok(Some(Response {
        data: Some(data),
        ..Response::default()
    }))
}

pub(super) async fn one(call: &Call<'_>, kind: MountKind) -> Outcome {
    let named = named(call, kind)?;
    let (kind, path) = located(kind, &named);
    let mount = mounts::at(&call.core.store, kind, &path)
        .await?
        .ok_or_else(|| {
            let what = match kind {
                MountKind::Auth => "auth engine",
                MountKind::Secret => "secret engine mount",
            };
            Fault::bad(format!("No {what} at {named}"))
        })?;
    Ok(Some(Response {
        data: Some(info(call.core, &mount)),
        ..Response::default()
    }))
}
