//! Tuning (contract 3.5).

use serde_json::{Map, Value};

use super::{judge_at, located, normal, settings};
use crate::duration;
use crate::engine;
use crate::fields::FieldValue;
use crate::logical::{Call, Fault, Outcome, Response};
use crate::mount::{Mount, MountKind};
use crate::store::mounts;

/// The mount of a path: itself, or the one it lies below. The caller may do what it asks at the mount's own path, too.
fn find<'c>(call: &'c Call<'_>, kind: MountKind) -> Result<Option<&'c Mount>, Fault> {
    let (table, path) = located(kind, call.capture("path"));
    let Some(mount) = call.mounts.covering(table, &path) else {
        return Ok(None);
    };
    let own = match kind {
        MountKind::Auth => mount.path.clone(),
        MountKind::Secret => mount.full_path(),
    };
    judge_at(call, kind, &format!("{own}tune"))?;
    Ok(Some(mount))
}

/// The path as it is told to the client.
fn told(call: &Call<'_>, kind: MountKind) -> String {
    let path = normal(call.capture("path"));
    match kind {
        MountKind::Auth => format!("auth/{path}"),
        MountKind::Secret => path,
    }
}

pub(super) async fn read(call: &Call<'_>, kind: MountKind) -> Outcome {
    let mount = find(call, kind)?.ok_or_else(|| {
        Fault::bad(format!(
            "cannot fetch sysview for path \"{}\"",
            told(call, kind)
        ))
    })?;
    let system = &call.core.settings;
    let mut data = Map::new();
    let effective = |tuned: i64, system: i64| if tuned > 0 { tuned } else { system };
    data.insert("description".into(), mount.description.clone().into());
    data.insert(
        "default_lease_ttl".into(),
        effective(
            mount.default_lease_ttl_seconds(),
            system.default_lease_ttl_seconds,
        )
        .into(),
    );
    data.insert(
        "max_lease_ttl".into(),
        effective(mount.max_lease_ttl_seconds(), system.max_lease_ttl_seconds).into(),
    );
    data.insert(
        "force_no_cache".into(),
        mount
            .config
            .get("force_no_cache")
            .cloned()
            .unwrap_or(false.into()),
    );
    for name in settings::LISTS
        .iter()
        .chain(&["listing_visibility", "token_type"])
    {
        if let Some(value) = mount.config.get(*name) {
            data.insert((*name).into(), value.clone());
        }
    }
    if let Some(options) = &mount.options
        && !options.is_empty()
    {
        data.insert("options".into(), options.clone().into());
    }
    Ok(Some(Response {
        data: Some(data),
        ..Response::default()
    }))
}

pub(super) async fn write(call: &Call<'_>, kind: MountKind) -> Outcome {
    let missing = || {
        Fault::bad(format!(
            "tune of path \"{}\" failed: no mount entry found",
            told(call, kind)
        ))
    };
    let found = find(call, kind)?.ok_or_else(missing)?;
    // What others have tuned meanwhile stays: a write changes what it names, of the row as it is while it is held.
    let mut store = call.core.begin().await?;
    let mut mount = mounts::lock(&mut *store, found.mount_id)
        .await?
        .filter(|mount| mount.path == found.path)
        .ok_or_else(missing)?;
    tune(call, &mut mount)?;
    mounts::retune(&mut *store, &mount).await?;
    store.commit().await?;
    Ok(None)
}

/// Takes over what the request gives.
fn tune(call: &Call<'_>, mount: &mut Mount) -> Result<(), Fault> {
    check_protected(call, mount)?;
    tune_ttls(call, mount)?;
    let text = |name: &str| call.fields.get(name).and_then(FieldValue::as_text);
    if let Some(description) = text("description") {
        mount.description = description.to_owned();
    }
    if let Some(visibility) = text("listing_visibility") {
        settings::check_visibility(visibility).map_err(Fault::bad)?;
        set(
            &mut mount.config,
            "listing_visibility",
            (!visibility.is_empty()).then(|| visibility.into()),
        );
    }
    if let Some(token_type) = text("token_type") {
        if mount.kind == MountKind::Secret {
            return Err(Fault::bad(
                "'token_type' can only be modified on auth mounts",
            ));
        }
        if mount.engine_type == "token" {
            return Err(Fault::bad(
                "'token_type' cannot be set for 'token' or 'ns_token' auth mounts",
            ));
        }
        let token_type = settings::check_token_type(token_type).map_err(Fault::bad)?;
        set(&mut mount.config, "token_type", Some(token_type.into()));
    }
    if call.fields.contains_key("user_lockout_config") {
        return Err(Fault::bad(format!(
            "tuning of user lockout configuration for auth type \"{}\" not allowed",
            mount.engine_type
        )));
    }
    if let Some(version) = text("plugin_version") {
        return Err(Fault::bad(format!(
            "plugin not found in the catalog: {}, version={version}",
            mount.engine_type
        )));
    }
    for name in settings::LISTS {
        if let Some(list) = call.fields.get(name).and_then(FieldValue::as_list) {
            set(
                &mut mount.config,
                name,
                (!list.is_empty()).then(|| list.to_vec().into()),
            );
        }
    }
    if let Some(pairs) = call.fields.get("options").and_then(FieldValue::as_pairs) {
        let options = mount.options.get_or_insert_default();
        for (name, value) in pairs {
            set(
                options,
                name,
                (!value.is_empty()).then(|| value.clone().into()),
            );
        }
    }
    Ok(())
}

fn set(map: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    match value {
        Some(value) => map.insert(name.to_owned(), value),
        None => map.remove(name),
    };
}

/// Of what is always there only the audit lists can be tuned; the token method is a mount like others.
fn check_protected(call: &Call<'_>, mount: &Mount) -> Result<(), Fault> {
    let protected = engine::find(mount.kind, &mount.engine_type)
        .is_some_and(|engine| engine.built_in)
        && mount.kind == MountKind::Secret;
    let foreign = super::TUNE_FIELDS
        .iter()
        .map(|field| field.name)
        .find(|name| {
            *name != "path" && !name.starts_with("audit_") && call.fields.contains_key(name)
        });
    match foreign {
        Some(name) if protected => Err(Fault::bad(format!(
            "cannot tune parameter {name} of {}",
            mount.path
        ))),
        _ => Ok(()),
    }
}

/// Both TTLs are judged together, as they will be.
fn tune_ttls(call: &Call<'_>, mount: &mut Mount) -> Result<(), Fault> {
    let asked = |name: &str| -> Result<Option<i64>, Fault> {
        match call.fields.get(name).and_then(FieldValue::as_text) {
            None | Some("") => Ok(None),
            Some("system") => Ok(Some(0)),
            Some(text) => {
                let seconds = duration::parse(text)
                    .map_err(|error| Fault::bad(error.to_string()))?
                    .seconds();
                if seconds < 0 {
                    return Err(Fault::bad(format!(
                        "cannot provide negative value '{seconds}'"
                    )));
                }
                Ok(Some(seconds))
            }
        }
    };
    let (default, max) = (asked("default_lease_ttl")?, asked("max_lease_ttl")?);
    if default.is_none() && max.is_none() {
        return Ok(());
    }
    let default = default.unwrap_or_else(|| mount.default_lease_ttl_seconds());
    let max = max.unwrap_or_else(|| mount.max_lease_ttl_seconds());
    if max > 0 && default > max {
        return Err(Fault::bad(format!(
            "backend max lease TTL of {max} would be less than backend default lease TTL of {default}"
        )));
    }
    mount
        .config
        .insert("default_lease_ttl".into(), default.into());
    mount.config.insert("max_lease_ttl".into(), max.into());
    Ok(())
}
