//! `sys/remount` (contract 3.6): a mount at another path. Its leases end first, as their ids name the old one. Done within the request;
//! the status only tells what was.

use serde_json::json;
use uuid::Uuid;

use crate::engine;
use crate::fields::{FieldType, FieldValue};
use crate::lease;
use crate::logical::{Access, Call, Fault, Field, Operation, Outcome, PathSpec, Response};
use crate::mount::MountKind;
use crate::path;
use crate::store::mounts;

const FROM: Field = Field {
    name: "from",
    kind: FieldType::String,
    help: "Path of the mount; an auth method's begins with auth/.",
};
const TO: Field = Field {
    name: "to",
    kind: FieldType::String,
    help: "Its new path.",
};
const ID: Field = Field {
    name: "migration_id",
    kind: FieldType::String,
    help: "As the move answered.",
};

pub(super) static ROWS: &[PathSpec] = &[
    PathSpec {
        pattern: "remount",
        summary: "Move a mount; its leases end.",
        fields: &[FROM, TO],
        open: false,
        access: Access::Sudo,
        existence: None,
        operations: &[(Operation::Update, |call| Box::pin(remount(call)))],
    },
    PathSpec {
        pattern: "remount/status/:migration_id",
        summary: "How a move went.",
        fields: &[ID],
        open: false,
        access: Access::Token,
        existence: None,
        operations: &[(Operation::Read, |call| Box::pin(status(call)))],
    },
];

/// Where nothing is moved from or to.
const PROTECTED: &[&str] = &["audit/", "auth/", "sys/", "cubbyhole/", "identity/"];

/// A mount's place in its table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    kind: MountKind,
    path: String,
}

impl Place {
    fn of(full_path: &str) -> Self {
        match full_path.strip_prefix("auth/") {
            Some(below) if !below.is_empty() => Place {
                kind: MountKind::Auth,
                path: below.to_owned(),
            },
            _ => Place {
                kind: MountKind::Secret,
                path: full_path.to_owned(),
            },
        }
    }
}

/// Both paths, checked as far as that goes without looking at what is there. The error is the contract's text.
fn places(from: &str, to: &str) -> Result<(Place, Place), String> {
    for (name, path) in [("from", from), ("to", to)] {
        if path != path.trim() {
            return Err(format!("'{name}' path cannot contain trailing whitespace"));
        }
    }
    if from.is_empty() || to.is_empty() {
        return Err("both 'from' and 'to' path must be specified as a string".into());
    }
    let (from, to) = (path::mount_path(from), path::mount_path(to));
    if to.is_empty() {
        return Err("invalid destination mount path \"/\"".into());
    }
    // Nobody could reach it there, nor disable it.
    path::check(&to).map_err(|error| format!("invalid destination mount path {to:?}: {error}"))?;
    let (source, target) = (Place::of(&from), Place::of(&to));
    match (source.kind, target.kind) {
        (MountKind::Auth, MountKind::Secret) => {
            return Err(format!(
                "cannot remount auth mount to non-auth mount \"{to}\""
            ));
        }
        (MountKind::Auth, MountKind::Auth) if source.path == "token/" => {
            return Err(format!("cannot remount \"{from}\""));
        }
        (MountKind::Auth, MountKind::Auth) => {}
        (MountKind::Secret, _) => {
            let is_protected = |path: &str| {
                PROTECTED
                    .iter()
                    .any(|protected| path.starts_with(protected))
            };
            if is_protected(&from) {
                return Err(format!("cannot remount \"{from}\""));
            }
            if is_protected(&to) {
                return Err(format!("cannot remount to destination {to}"));
            }
        }
    }
    Ok((source, target))
}

async fn remount(call: &Call<'_>) -> Outcome {
    let text = |name: &str| {
        call.fields
            .get(name)
            .and_then(FieldValue::as_text)
            .unwrap_or_default()
    };
    let (source, target) = places(text("from"), text("to")).map_err(Fault::bad)?;
    let mount = mounts::at(&call.core.store, source.kind, &source.path)
        .await?
        .ok_or_else(|| {
            Fault::bad(format!(
                "no matching mount at \"{}\"",
                path::mount_path(text("from"))
            ))
        })?;
    if engine::find(mount.kind, &mount.engine_type).is_none_or(|engine| engine.built_in) {
        return Err(Fault::bad(format!(
            "cannot remount \"{}\"",
            mount.full_path()
        )));
    }
    if let Some(taken) = mounts::overlapping(&call.core.store, target.kind, &target.path).await? {
        return Err(lease::path_in_use(&taken));
    }
    let migration_id = lease::move_mount(call.core, &mount, &target.path).await?;
    let response = Response::data(json!({ "migration_id": migration_id.to_string() }));
    Ok(Some(response.warn(
        "Mount move has been queued. Progress will be reported in the server's log, tagged with the returned migration_id",
    )))
}

async fn status(call: &Call<'_>) -> Outcome {
    let Ok(migration_id) = Uuid::parse_str(call.capture("migration_id")) else {
        return Ok(None);
    };
    let store = &call.core.store;
    // In this order: what ends between the two looks is found by the second.
    let (status, (source, target)) = match mounts::move_under_way(store, migration_id).await? {
        Some(paths) => ("in-progress", paths),
        None => match mounts::noted_move(store, migration_id).await? {
            Some(paths) => ("success", paths),
            None => return Ok(None),
        },
    };
    Ok(Some(Response::data(json!({
        "migration_id": migration_id.to_string(),
        "migration_info": { "source_mount": source, "target_mount": target, "status": status },
    }))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_moved_is_said() {
        let check = |from: &str, to: &str, expect: &str| {
            assert_eq!(places(from, to), Err(expect.to_owned()), "{from:?} {to:?}")
        };
        check(
            "",
            "x",
            "both 'from' and 'to' path must be specified as a string",
        );
        check(" a", "x", "'from' path cannot contain trailing whitespace");
        check("a", "x ", "'to' path cannot contain trailing whitespace");
        check("a", "/", "invalid destination mount path \"/\"");
        check("sys", "x", "cannot remount \"sys/\"");
        check("a", "sys/x", "cannot remount to destination sys/x/");
        check("a", "auth/x", "cannot remount to destination auth/x/");
        check(
            "auth/a",
            "x",
            "cannot remount auth mount to non-auth mount \"x/\"",
        );
        check("auth/token", "auth/x", "cannot remount \"auth/token/\"");
        let relative = "relative paths not supported";
        let hidden = "the path holds a character that can not be printed";
        for (to, shown, why) in [
            ("a/../b", "a/../b/", relative),
            ("./x", "./x/", relative),
            ("auth/..", "auth/../", relative),
            ("a\nb", "a\\nb/", hidden),
            ("a\u{200b}b", "a\\u{200b}b/", hidden),
        ] {
            let expect = format!("invalid destination mount path \"{shown}\": {why}");
            check("auth/a", to, &expect);
            check("a", to, &expect);
        }
        // What is there already can be moved away.
        assert!(places("a/../b", "b").is_ok());
    }

    #[test]
    fn places_are_found_in_their_tables() {
        let (source, target) = places("/auth/a/", "auth/b").expect("both are auth methods");
        assert_eq!((source.kind, source.path.as_str()), (MountKind::Auth, "a/"));
        assert_eq!((target.kind, target.path.as_str()), (MountKind::Auth, "b/"));
    }
}
