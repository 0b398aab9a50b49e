//! `config/:name`: write (merge, verify, seal), read (redacted), list, delete (contract 7.2, 7.3).

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::connection::{merge_details, merge_settings, warnings};
use super::fault::of_verification;
use super::moved::has_moved;
use crate::authority;
use crate::core::Core;
use crate::fields::FieldType;
use crate::lease;
use crate::logical::{
    Access, Call, Fault, Field, Operation, Outcome, PathSpec, Response, RunFuture,
};
use crate::store::configs::{self, ConfigRow};
use crate::store::{is_deadlock, mounts, outbox, roles, targets};
use crate::target::{ConnectionDetails, Verified, redacted, verify};
use crate::template::Template;

pub(super) static ROWS: &[PathSpec] = &[
    PathSpec {
        pattern: "config/",
        summary: "List the configured connections.",
        fields: &[],
        open: false,
        access: Access::Token,
        existence: None,
        operations: &[(Operation::List, |call| Box::pin(list(call)))],
    },
    PathSpec {
        // Only there to say that it serves nothing: the list has a slash.
        pattern: "config",
        summary: "List the configured connections.",
        fields: &[],
        open: false,
        access: Access::Token,
        existence: None,
        operations: &[],
    },
    PathSpec {
        pattern: "config/:name",
        summary: "Configure a connection to a database that has the extension.",
        fields: FIELDS,
        open: true,
        access: Access::Token,
        existence: Some(exists),
        operations: &[
            (Operation::Update, |call| Box::pin(write(call))),
            (Operation::Read, |call| Box::pin(read(call))),
            (Operation::Delete, |call| Box::pin(delete(call))),
        ],
    },
];

const FIELDS: &[Field] = &[
    Field {
        name: "name",
        kind: FieldType::String,
        help: "Name of the connection; roles refer to it as db_name.",
    },
    Field {
        name: "plugin_name",
        kind: FieldType::String,
        help: "postgresql-database-plugin.",
    },
    Field {
        name: "plugin_version",
        kind: FieldType::String,
        help: "Leave empty.",
    },
    Field {
        name: "verify_connection",
        kind: FieldType::Bool,
        help: "Connect and check the extension before anything is kept (the default).",
    },
    Field {
        name: "allowed_roles",
        kind: FieldType::CommaStringSlice,
        help: "Roles that may use the connection; * stands for anything. None by default.",
    },
    Field {
        name: "root_rotation_statements",
        kind: FieldType::StringSlice,
        help: "Statements that change the password of the connection's own login.",
    },
    Field {
        name: "password_policy",
        kind: FieldType::String,
        help: "Password policy of the credentials made through this connection.",
    },
];

/// How often a write begins anew when another one came between.
const TRIES: usize = 4;

fn exists<'a>(call: &'a Call<'a>) -> RunFuture<'a, Result<bool, Fault>> {
    Box::pin(async move { Ok(find(call).await?.is_some()) })
}

async fn find(call: &Call<'_>) -> Result<Option<ConfigRow>, Fault> {
    let name = call.capture("name");
    Ok(configs::by_name(&call.core.store, call.mount.mount_id, name).await?)
}

async fn list(call: &Call<'_>) -> Outcome {
    Response::keys(configs::names(&call.core.store, call.mount.mount_id).await?)
}

async fn read(call: &Call<'_>) -> Outcome {
    let Some(config) = find(call).await? else {
        return Ok(None);
    };
    let details = lease::open_details(call.core, &config)?;
    let setting = |field: &str| config.settings.get(field).cloned().unwrap_or(Value::Null);
    Ok(Some(Response::data(json!({
        "plugin_name": setting("plugin_name"),
        "plugin_version": setting("plugin_version"),
        "connection_details": redacted(&details),
        "allowed_roles": setting("allowed_roles"),
        "root_credentials_rotate_statements": setting("root_rotation_statements"),
        "password_policy": setting("password_policy"),
    }))))
}

async fn delete(call: &Call<'_>) -> Outcome {
    let mut store = call.core.begin().await?;
    let name = call.capture("name");
    let found = configs::for_update(&mut store, call.mount.mount_id, name).await?;
    if let Some(config) = found {
        configs::retire(&mut store, config.config_id).await?;
        store.commit().await?;
        call.core.targets.forget(config.config_id);
    }
    Ok(None)
}

/// What a write comes to, before it is kept.
struct Draft {
    settings: Map<String, Value>,
    details: Map<String, Value>,
    verified: Option<Verified>,
    details_changed: bool,
}

async fn write(call: &Call<'_>) -> Outcome {
    for _ in 0..TRIES {
        let before = find(call).await?;
        // Before anything of it is used: who may only create must not have its secrets sent to a host of theirs.
        authority::judge_write(call, before.is_some(), Access::Token)?;
        let draft = draft(call, before.as_ref()).await?;
        let warnings = warnings(call, &draft.details);
        match keep(call, before.as_ref(), draft).await {
            Ok(Kept::Written) => return Ok(Response::warnings(warnings)),
            Ok(Kept::Stale) => {}
            Ok(Kept::Elsewhere(found)) => {
                let own = before.map(|row| row.config_id);
                if !has_moved(call.core, &found, own).await? {
                    return Err(refuse(of_verification(&found.as_copy())));
                }
            }
            Err(Undone::Store(error)) if is_deadlock(&error) => {}
            Err(Undone::Store(error)) => return Err(error.into()),
            Err(Undone::Fault(fault)) => return Err(fault),
        }
    }
    Err(Fault::raw(
        500,
        "the connection is being written by others; try again",
    ))
}

async fn draft(call: &Call<'_>, before: Option<&ConfigRow>) -> Result<Draft, Fault> {
    let mut settings = before.map(|row| row.settings.clone()).unwrap_or_default();
    merge_settings(call, &mut settings).map_err(Fault::bad)?;
    let old_details = match before {
        Some(row) => lease::open_details(call.core, row)?,
        None => Map::new(),
    };
    let mut details = old_details.clone();
    merge_details(call, &mut details);
    let typed = ConnectionDetails::parse(&details).map_err(refuse)?;
    let template = typed.username_template.clone().unwrap_or_default();
    Template::parse(&template).map_err(|error| refuse(error.to_string()))?;
    settings.insert("username_template".into(), template.into());
    let wants_check = call
        .fields
        .get("verify_connection")
        .and_then(|value| value.as_bool())
        .unwrap_or(true);
    let verified = match wants_check {
        true => Some(
            verify(&typed, &lease::scope(call.core)?)
                .await
                .map_err(|error| refuse(of_verification(&error)))?,
        ),
        false => None,
    };
    Ok(Draft {
        settings,
        verified,
        details_changed: before.is_none() || details != old_details,
        details,
    })
}

fn refuse(why: String) -> Fault {
    Fault::bad(format!("error creating database object: {why}"))
}

/// What became of a draft.
enum Kept {
    Written,
    /// The configuration is not what it was when the draft was made.
    Stale,
    /// The store knows that installation as another server or database.
    Elsewhere(Verified),
}

/// Why a draft was not kept.
enum Undone {
    Store(sqlx::Error),
    Fault(Fault),
}

impl From<sqlx::Error> for Undone {
    fn from(error: sqlx::Error) -> Self {
        Undone::Store(error)
    }
}

impl From<Fault> for Undone {
    fn from(fault: Fault) -> Self {
        Undone::Fault(fault)
    }
}

/// Writes a draft down. What intents hold is locked in their order: mount, roles, configuration.
async fn keep(call: &Call<'_>, before: Option<&ConfigRow>, draft: Draft) -> Result<Kept, Undone> {
    let (core, mount_id, name) = (call.core, call.mount.mount_id, call.capture("name"));
    let mut store = core.begin().await?;
    if !mounts::hold_active(&mut *store, mount_id).await? {
        return Err(Fault::no_route(&call.request.path).into());
    }
    if draft.details_changed {
        roles::lock_all_of(&mut store, mount_id, name).await?;
    }
    let now = configs::for_update(&mut store, mount_id, name).await?;
    let revision = |row: Option<&ConfigRow>| row.map(|row| (row.config_id, row.revision));
    if revision(now.as_ref()) != revision(before) {
        return Ok(Kept::Stale);
    }
    let target_id = match draft.verified {
        Some(found) => {
            let (id, oid) = (&found.system_identifier, found.database_oid);
            let own = now.as_ref().map(|row| row.config_id);
            if !targets::see(&mut *store, found.target_id, id, oid, own).await? {
                return Ok(Kept::Elsewhere(found));
            }
            Some(found.target_id)
        }
        None if draft.details_changed => None,
        None => now.as_ref().and_then(|row| row.target_id),
    };
    // Leases refer to the row they came through: one that leads elsewhere from now on is another row.
    let same = now
        .as_ref()
        .filter(|row| row.target_id.is_none() || row.target_id == target_id);
    let config_id = same.map_or_else(Uuid::new_v4, |row| row.config_id);
    let row = ConfigRow {
        config_id,
        mount_id,
        name: name.to_owned(),
        target_id,
        settings: draft.settings,
        sealed_connection: seal(core, config_id, &draft.details)?,
        revision: now.as_ref().map_or(1, |row| row.revision + 1),
    };
    match (same, &now) {
        (Some(_), _) => configs::update(&mut *store, &row).await?,
        (None, Some(old)) => {
            configs::retire(&mut store, old.config_id).await?;
            configs::insert(&mut *store, &row).await?;
        }
        (None, None) => {
            if configs::insert(&mut *store, &row).await.is_err() {
                // Somebody else made it first.
                return Ok(Kept::Stale);
            }
        }
    }
    let mut told = Vec::new();
    if draft.details_changed {
        roles::renew_revisions(&mut store, mount_id, name).await?;
        // Endings use the recipe of now: as whom the old login defined it, it may not be there any more.
        told = outbox::add_for_config(&mut *store, mount_id, name).await?;
    }
    store.commit().await?;
    for target_id in told {
        core.errands.nudge(target_id);
    }
    if let Some(old) = now {
        core.targets.forget(old.config_id);
    }
    Ok(Kept::Written)
}

fn seal(core: &Core, config_id: Uuid, details: &Map<String, Value>) -> Result<Vec<u8>, Fault> {
    let text = zeroize::Zeroizing::new(
        serde_json::to_vec(details)
            .map_err(|error| Fault::internal(format!("connection details: {error}")))?,
    );
    core.keys
        .seal(configs::CONFIGS, config_id.as_bytes(), &text)
}
