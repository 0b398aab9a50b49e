//! Enabling (contract 3.4).

use serde_json::{Map, Value};
use sqlx::Executor;
use uuid::Uuid;

use super::{named, settings};
use crate::engine;
use crate::fields::FieldValue;
use crate::ids;
use crate::logical::{Call, Fault, Outcome};
use crate::mount::{Mount, MountKind, MountState};
use crate::store::mounts;

/// Where no secrets engine may be mounted.
const PROTECTED: &[&str] = &["auth/", "sys/", "cubbyhole/", "identity/", "audit/"];
/// There is one of each, always.
const SINGLETONS: &[&str] = &[
    "system",
    "cubbyhole",
    "identity",
    "token",
    "ns_system",
    "ns_cubbyhole",
    "ns_identity",
    "ns_token",
];

pub(super) async fn enable(call: &Call<'_>, kind: MountKind) -> Outcome {
    let path = named(call, kind)?;
    let text = |name: &str| {
        call.fields
            .get(name)
            .and_then(FieldValue::as_text)
            .unwrap_or_default()
    };
    let truth = |name: &str| {
        call.fields
            .get(name)
            .and_then(FieldValue::as_bool)
            .unwrap_or(false)
    };
    let empty = Map::new();
    let given = call
        .fields
        .get("config")
        .and_then(FieldValue::as_map)
        .unwrap_or(&empty);
    let config = settings::read(kind, given, call.core.settings.max_lease_ttl_seconds)
        .map_err(Fault::bad)?;
    let engine_type = match text("type") {
        "" => return Err(Fault::bad("backend type must be specified as a string")),
        "plugin" => {
            let legacy = given
                .get("plugin_name")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let name = if text("plugin_name").is_empty() {
                legacy
            } else {
                text("plugin_name")
            };
            if name.is_empty() {
                return Err(Fault::bad(
                    "plugin_name must be provided for plugin backend",
                ));
            }
            name
        }
        engine_type => engine_type,
    };
    if !text("plugin_version").is_empty() {
        return Err(Fault::bad(format!(
            "plugin not found in the catalog: {engine_type}, version={}",
            text("plugin_version")
        )));
    }
    if kind == MountKind::Secret
        && PROTECTED
            .iter()
            .any(|protected| path.starts_with(protected))
    {
        return Err(Fault::bad(format!("cannot mount \"{path}\"")));
    }
    let options = options(call);

    let mut transaction = call.core.begin().await?;
    // Two that overlap may be enabled at the same moment: one table lock makes them take turns.
    transaction
        .execute("lock table leasehold_broker.mounts in share row exclusive mode")
        .await?;
    if let Some(taken) = mounts::overlapping(&mut *transaction, kind, &path).await? {
        return Err(Fault::bad(format!("path is already in use at {taken}")));
    }
    check_type(kind, engine_type)?;
    if options
        .as_ref()
        .is_some_and(|options| options.contains_key("version"))
    {
        let what = if kind == MountKind::Auth {
            "auth method"
        } else {
            "secrets engine"
        };
        return Err(Fault::bad(format!(
            "{what} \"{engine_type}\" does not allow setting a version"
        )));
    }
    let prefix = if kind == MountKind::Auth { "auth_" } else { "" };
    let mount = Mount {
        mount_id: Uuid::new_v4(),
        kind,
        path,
        engine_type: engine_type.to_owned(),
        accessor: format!("{prefix}{engine_type}_{}", ids::hex8()),
        description: text("description").to_owned(),
        config,
        options,
        local: truth("local"),
        seal_wrap: truth("seal_wrap"),
        external_entropy_access: truth("external_entropy_access"),
        state: MountState::Active,
    };
    mounts::insert(&mut *transaction, &mount).await?;
    transaction.commit().await?;
    tracing::info!(
        path = mount.full_path(),
        engine = mount.engine_type,
        "enabled a mount"
    );
    Ok(None)
}

fn check_type(kind: MountKind, engine_type: &str) -> Result<(), Fault> {
    if kind == MountKind::Secret && SINGLETONS.contains(&engine_type) {
        return Err(Fault::bad(format!(
            "mount type of \"{engine_type}\" is not mountable"
        )));
    }
    if kind == MountKind::Auth && matches!(engine_type, "token" | "ns_token") {
        return Err(Fault::bad(
            "token credential backend cannot be instantiated",
        ));
    }
    match engine::find(kind, engine_type) {
        Some(engine) if !engine.built_in => Ok(()),
        _ => Err(Fault::bad(format!(
            "plugin not found in the catalog: {engine_type}"
        ))),
    }
}

/// Not sent is `{}`, sent as null is null.
fn options(call: &Call<'_>) -> Option<Map<String, Value>> {
    if call.request.body.get("options").is_some_and(Value::is_null) {
        return None;
    }
    let pairs = call.fields.get("options").and_then(FieldValue::as_pairs);
    Some(
        pairs
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value.clone().into()))
            .collect(),
    )
}
