//! `sys/mounts` and `sys/auth` (contract 3): what is mounted, and how it is tuned. The two tables share their rules.

mod disable;
mod enable;
mod settings;
mod show;
mod tune;

pub(super) use show::info;

use crate::authority;
use crate::fields::FieldType;
use crate::logical::{Access, Call, Fault, Field, Operation, PathSpec};
use crate::mount::MountKind;

const PATH: Field = field(
    "path",
    FieldType::String,
    "Path of the mount; may hold slashes.",
);

const ENABLE_FIELDS: &[Field] = &[
    PATH,
    field("type", FieldType::String, "Which engine: database, …"),
    field(
        "description",
        FieldType::String,
        "What it is for; free text.",
    ),
    field(
        "config",
        FieldType::Map,
        "default_lease_ttl, max_lease_ttl, listing_visibility, token_type, …",
    ),
    field(
        "options",
        FieldType::KvPairs,
        "Names and values for the engine.",
    ),
    field("local", FieldType::Bool, "Stored, without effect."),
    field("seal_wrap", FieldType::Bool, "Stored, without effect."),
    field(
        "external_entropy_access",
        FieldType::Bool,
        "Stored, without effect.",
    ),
    field(
        "plugin_name",
        FieldType::String,
        "The engine, where type is \"plugin\".",
    ),
    field(
        "plugin_version",
        FieldType::String,
        "Not supported: there is one version of each engine.",
    ),
];

const TUNE_FIELDS: &[Field] = &[
    PATH,
    field("description", FieldType::String, "What it is for."),
    field(
        "default_lease_ttl",
        FieldType::String,
        "TTL where none is asked for; \"system\" or 0 inherits the server's.",
    ),
    field(
        "max_lease_ttl",
        FieldType::String,
        "Greatest TTL; \"system\" or 0 inherits the server's.",
    ),
    field(
        "listing_visibility",
        FieldType::String,
        "\"unauth\": shown to callers without a token; \"hidden\" or \"\".",
    ),
    field(
        "token_type",
        FieldType::String,
        "Auth mounts: default-service, default-batch, service or batch.",
    ),
    field(
        "options",
        FieldType::KvPairs,
        "Added to those there are; an empty value takes one away.",
    ),
    field(
        "audit_non_hmac_request_keys",
        FieldType::CommaStringSlice,
        "Keys that audit shows in clear.",
    ),
    field(
        "audit_non_hmac_response_keys",
        FieldType::CommaStringSlice,
        "Keys that audit shows in clear.",
    ),
    field(
        "passthrough_request_headers",
        FieldType::CommaStringSlice,
        "Headers the engine gets to see.",
    ),
    field(
        "allowed_response_headers",
        FieldType::CommaStringSlice,
        "Headers the engine may set.",
    ),
    field(
        "user_lockout_config",
        FieldType::Map,
        "For auth methods with passwords.",
    ),
    field(
        "plugin_version",
        FieldType::String,
        "Not supported: there is one version of each engine.",
    ),
];

/// A declared field.
const fn field(name: &'static str, kind: FieldType, help: &'static str) -> Field {
    Field { name, kind, help }
}

pub(super) static ROWS: &[PathSpec] = &[
    PathSpec {
        pattern: "mounts",
        summary: "List what is mounted.",
        fields: &[],
        open: false,
        access: Access::Token,
        existence: None,
        operations: &[(Operation::Read, |call| {
            Box::pin(show::list(call, MountKind::Secret))
        })],
    },
    PathSpec {
        pattern: "mounts/*path/tune",
        summary: "Read or change how a mount is tuned.",
        fields: TUNE_FIELDS,
        open: false,
        access: Access::Token,
        existence: None,
        operations: &[
            (Operation::Read, |call| {
                Box::pin(tune::read(call, MountKind::Secret))
            }),
            (Operation::Update, |call| {
                Box::pin(tune::write(call, MountKind::Secret))
            }),
        ],
    },
    PathSpec {
        pattern: "mounts/*path",
        summary: "Enable, show or disable a secrets engine.",
        fields: ENABLE_FIELDS,
        open: false,
        access: Access::Token,
        existence: None,
        operations: &[
            (Operation::Read, |call| {
                Box::pin(show::one(call, MountKind::Secret))
            }),
            (Operation::Update, |call| {
                Box::pin(enable::enable(call, MountKind::Secret))
            }),
            (Operation::Delete, |call| {
                Box::pin(disable::disable(call, MountKind::Secret))
            }),
        ],
    },
    PathSpec {
        pattern: "auth",
        summary: "List auth methods.",
        fields: &[],
        open: false,
        access: Access::Token,
        existence: None,
        operations: &[(Operation::Read, |call| {
            Box::pin(show::list(call, MountKind::Auth))
        })],
    },
    PathSpec {
        pattern: "auth/*path/tune",
        summary: "Read or change how an auth method is tuned.",
        fields: TUNE_FIELDS,
        open: false,
        access: Access::Sudo,
        existence: None,
        operations: &[
            (Operation::Read, |call| {
                Box::pin(tune::read(call, MountKind::Auth))
            }),
            (Operation::Update, |call| {
                Box::pin(tune::write(call, MountKind::Auth))
            }),
        ],
    },
    PathSpec {
        pattern: "auth/*path",
        summary: "Enable, show or disable an auth method.",
        fields: ENABLE_FIELDS,
        open: false,
        access: Access::Sudo,
        existence: None,
        operations: &[
            (Operation::Read, |call| {
                Box::pin(show::one(call, MountKind::Auth))
            }),
            (Operation::Update, |call| {
                Box::pin(enable::enable(call, MountKind::Auth))
            }),
            (Operation::Delete, |call| {
                Box::pin(disable::disable(call, MountKind::Auth))
            }),
        ],
    },
];

/// A path as clients write it, with its slash at the end and none before.
fn normal(path: &str) -> String {
    format!("{}/", path.trim_start_matches('/').trim_end_matches('/'))
}

/// The path that a request names, [`normal`]. The caller may do what it asks where that path is written without a slash, too.
fn named(call: &Call<'_>, kind: MountKind) -> Result<String, Fault> {
    let path = normal(call.capture("path"));
    judge_at(call, kind, path.trim_end_matches('/'))?;
    Ok(path)
}

/// Judges a request as one for this path below `sys/mounts/` or `sys/auth/`.
fn judge_at(call: &Call<'_>, kind: MountKind, below: &str) -> Result<(), Fault> {
    let (folder, access) = match kind {
        MountKind::Secret => ("mounts", Access::Token),
        MountKind::Auth => ("auth", Access::Sudo),
    };
    let path = format!("{}{folder}/{below}", call.mount.full_path());
    authority::judge_at(call, &path, access)
}

/// Which table a path of `sys/mounts/…` means: `auth/x` below it is an alias of `sys/auth/x`.
fn located(kind: MountKind, path: &str) -> (MountKind, String) {
    let path = normal(path);
    match (kind, path.strip_prefix("auth/")) {
        (MountKind::Secret, Some(below)) if !below.is_empty() => {
            (MountKind::Auth, below.to_owned())
        }
        _ => (kind, path),
    }
}
