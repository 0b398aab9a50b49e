//! `roles/:name`: what a credential is to be (contract 7.5). The recipe on the target is made from it on first use.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::connection::NO_POLICIES;
use super::{credential, extras};
use crate::authority;
use crate::fields::{FieldType, FieldValue};
use crate::lease;
use crate::logical::{
    Access, Call, Fault, Field, Operation, Outcome, PathSpec, Response, RunFuture,
};
use crate::store::{mounts, roles};

pub(super) static ROWS: &[PathSpec] = &[
    PathSpec {
        pattern: "roles/",
        summary: "List the roles.",
        fields: &[
            Field {
                name: "after",
                kind: FieldType::String,
                help: "Only names behind this one.",
            },
            Field {
                name: "limit",
                kind: FieldType::Int,
                help: "No more than so many; 0 or less: all.",
            },
        ],
        open: false,
        access: Access::Token,
        existence: None,
        operations: &[(Operation::List, |call| Box::pin(list(call)))],
    },
    PathSpec {
        pattern: "roles",
        summary: "List the roles.",
        fields: &[],
        open: false,
        access: Access::Token,
        existence: None,
        operations: &[],
    },
    PathSpec {
        pattern: "roles/:name",
        summary: "Describe the logins that creds/:name makes.",
        fields: FIELDS,
        open: false,
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
        help: "Name of the role.",
    },
    Field {
        name: "db_name",
        kind: FieldType::String,
        help: "Name of the connection it uses.",
    },
    Field {
        name: "creation_statements",
        kind: FieldType::StringSlice,
        help: "SQL that makes the login {{name}} with password '{{password}}', until '{{expiration}}'.",
    },
    Field {
        name: "revocation_statements",
        kind: FieldType::StringSlice,
        help: "SQL run when a lease ends, besides the server's own cleaning.",
    },
    Field {
        name: "rollback_statements",
        kind: FieldType::StringSlice,
        help: "Kept, not used: a failed creation leaves nothing.",
    },
    Field {
        name: "renew_statements",
        kind: FieldType::StringSlice,
        help: "SQL run when a lease is renewed.",
    },
    Field {
        name: "default_ttl",
        kind: FieldType::DurationSecond,
        help: "Lifetime of a lease; 0: the mount's default.",
    },
    Field {
        name: "max_ttl",
        kind: FieldType::DurationSecond,
        help: "Longest lifetime, renewals included; 0: the mount's maximum.",
    },
    Field {
        name: "credential_type",
        kind: FieldType::String,
        help: "password.",
    },
    Field {
        name: "credential_config",
        kind: FieldType::KvPairs,
        help: "password_policy: a policy for this role's passwords.",
    },
    Field {
        name: "member_of",
        kind: FieldType::CommaStringSlice,
        help: "Groups that the login is a member of; with these, creation_statements may be empty.",
    },
    Field {
        name: "grants",
        kind: FieldType::String,
        help: "shared: what the statements grant is held once, by a group of the role's own. own: by each login.",
    },
    Field {
        name: "reassign_to",
        kind: FieldType::String,
        help: "Who gets what a login owns when its lease ends.",
    },
    Field {
        name: "drop_owned",
        kind: FieldType::Bool,
        help: "Whether what a login owns is dropped when its lease ends.",
    },
];

/// Fields that hold statements, as they are kept.
const STATEMENTS: [&str; 4] = [
    "creation_statements",
    "revocation_statements",
    "rollback_statements",
    "renew_statements",
];

fn exists<'a>(call: &'a Call<'a>) -> RunFuture<'a, Result<bool, Fault>> {
    Box::pin(async move {
        let (mount_id, name) = (call.mount.mount_id, call.capture("name"));
        Ok(roles::by_name(&call.core.store, mount_id, name)
            .await?
            .is_some())
    })
}

async fn list(call: &Call<'_>) -> Outcome {
    let after = call.fields.get("after").and_then(FieldValue::as_text);
    let limit = call.fields.get("limit").and_then(FieldValue::as_int);
    let names = roles::names(
        &call.core.store,
        call.mount.mount_id,
        after.unwrap_or_default(),
        limit.filter(|limit| *limit > 0),
    )
    .await?;
    Response::keys(names)
}

async fn read(call: &Call<'_>) -> Outcome {
    let (mount_id, name) = (call.mount.mount_id, call.capture("name"));
    let found = roles::by_name(&call.core.store, mount_id, name).await?;
    Ok(found.map(|role| Response {
        data: Some(role.settings),
        ..Response::default()
    }))
}

async fn write(call: &Call<'_>) -> Outcome {
    let (mount_id, name) = (call.mount.mount_id, call.capture("name"));
    let known = roles::by_name(&call.core.store, mount_id, name).await?;
    authority::judge_write(call, known.is_some(), Access::Token)?;
    let known = known.map(|role| role.settings);
    extras::check_sharing(call, name, merge(call, known).map_err(Fault::bad)?).await?;
    let mut store = call.core.begin().await?;
    if !mounts::hold_active(&mut *store, mount_id).await? {
        return Err(Fault::no_route(&call.request.path));
    }
    let before = roles::hold(&mut store, mount_id, name).await?;
    // The target may have taken its time.
    authority::judge_write(call, before.is_some(), Access::Token)?;
    let settings = merge(call, before).map_err(Fault::bad)?;
    roles::write(&mut store, mount_id, name, &settings).await?;
    let notice = lease::role_written(&mut store, call.mount, name, None).await?;
    store.commit().await?;
    notice.deliver(call.core).await;
    let warnings = names_policy(call, &settings).then(|| NO_POLICIES.to_owned());
    Ok(Response::warnings(warnings.into_iter().collect()))
}

/// Whether this write names a password policy, as the role as it is now keeps it.
fn names_policy(call: &Call<'_>, settings: &Map<String, Value>) -> bool {
    let given = call.fields.get("credential_config");
    let named = |pairs: &BTreeMap<String, String>| {
        pairs
            .get("password_policy")
            .is_some_and(|name| !name.is_empty())
    };
    let is_password =
        settings.get("credential_type").and_then(Value::as_str) == Some(credential::PASSWORD);
    is_password && given.and_then(FieldValue::as_pairs).is_some_and(named)
}

async fn delete(call: &Call<'_>) -> Outcome {
    let (mount_id, name) = (call.mount.mount_id, call.capture("name"));
    let mut store = call.core.begin().await?;
    let deleted = roles::delete(&mut store, mount_id, name).await?;
    if let Some(revision) = deleted {
        let notice = lease::role_written(&mut store, call.mount, name, Some(revision)).await?;
        store.commit().await?;
        notice.deliver(call.core).await;
    }
    Ok(None)
}

/// The role as it is to be: given fields replace, others stay (contract 7.5, in its order of checks).
fn merge(
    call: &Call<'_>,
    before: Option<Map<String, Value>>,
) -> Result<Map<String, Value>, String> {
    let mut settings = before.unwrap_or_default();
    let given = |field: &str| call.fields.get(field);
    let text = |settings: &Map<String, Value>, field: &str| {
        let kept = settings
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default();
        given(field)
            .and_then(FieldValue::as_text)
            .unwrap_or(kept)
            .to_owned()
    };
    let db_name = text(&settings, "db_name");
    if db_name.is_empty() {
        return Err("database name is required".into());
    }
    settings.insert("db_name".into(), db_name.into());
    for field in STATEMENTS {
        if let Some(list) = given(field).and_then(FieldValue::as_list) {
            let drop_empty = field == "revocation_statements";
            let kept: Vec<&String> = list
                .iter()
                .filter(|text| !drop_empty || !text.is_empty())
                .collect();
            settings.insert(field.into(), json!(kept));
        } else {
            settings.entry(field).or_insert_with(|| json!([]));
        }
    }
    for field in ["default_ttl", "max_ttl"] {
        if let Some(span) = given(field).and_then(FieldValue::as_duration) {
            settings.insert(field.into(), span.seconds().into());
        } else {
            settings.entry(field).or_insert_with(|| 0.into());
        }
    }
    settings
        .entry("credential_type")
        .or_insert_with(|| credential::PASSWORD.into());
    let kind = text(&settings, "credential_type");
    credential::check_type(&kind)?;
    settings.insert("credential_type".into(), kind.clone().into());
    let pairs = given("credential_config").and_then(FieldValue::as_pairs);
    if pairs.is_some() || !settings.contains_key("credential_config") {
        let kept = credential::check_config(&kind, pairs.unwrap_or(&BTreeMap::new()))?;
        if !kept.is_empty() {
            settings.insert("credential_config".into(), json!(kept));
        }
    }
    extras::merge(&mut settings, given)?;
    Ok(settings)
}
