//! `auth/token/`: tokens that make tokens, look at them, renew and end them (contract 5).
//!
//! Not here: who a token is in a request (`authority`), and what its end means for leases (`lease`).
//! The rules are pure and stand apart: [`policies`] and [`role`].

mod accessors;
mod create;
mod lookup;
mod make;
mod plan;
mod policies;
mod policy_names;
mod renew;
mod revoke;
mod role;
mod roles;

use serde_json::Value;

use super::Engine;
use crate::fields::FieldType;
use crate::logical::{Access, Call, Fault, Field, Operation, PathSpec, PathTable};
use crate::mount::MountKind;
use crate::secret::Token;
use crate::ttl::MountTtl;

pub use role::TokenRole;

/// The mount at `auth/token/`.
pub static ENGINE: Engine = Engine {
    engine_type: "token",
    kind: MountKind::Auth,
    built_in: true,
    paths: PathTable { rows: &[PATHS] },
    help: "Tokens: create, look up, renew and revoke them, and the roles they can be created through.",
};

const fn field(name: &'static str, kind: FieldType, help: &'static str) -> Field {
    Field { name, kind, help }
}

/// One endpoint that is written to, for a token whose policies grant it.
const fn written(
    pattern: &'static str,
    summary: &'static str,
    fields: &'static [Field],
    operations: &'static [(Operation, crate::logical::Handler)],
) -> PathSpec {
    PathSpec {
        pattern,
        summary,
        fields,
        open: false,
        access: Access::Token,
        existence: None,
        operations,
    }
}

const TOKEN: Field = field("token", FieldType::Any, "The token; a string.");
const ACCESSOR: Field = field("accessor", FieldType::String, "The accessor of the token.");
const INCREMENT: Field = field(
    "increment",
    FieldType::DurationSecond,
    "How long it should live from now on; as last granted if not given.",
);

static PATHS: &[PathSpec] = &[
    written(
        "create",
        "Create a token, a child of the caller's.",
        create::FIELDS,
        &[(Operation::Update, |call| Box::pin(create::child(call)))],
    ),
    written(
        "create-orphan",
        "Create a token without a parent.",
        create::FIELDS,
        &[(Operation::Update, |call| Box::pin(create::orphan(call)))],
    ),
    written(
        "create/:role_name",
        "Create a token through a role.",
        create::FIELDS,
        &[(Operation::Update, |call| Box::pin(create::by_role(call)))],
    ),
    written(
        "lookup",
        "Look at a token.",
        &[TOKEN],
        &[
            (Operation::Read, |call| Box::pin(lookup::token(call))),
            (Operation::Update, |call| Box::pin(lookup::token(call))),
        ],
    ),
    written(
        "lookup-self",
        "Look at the caller's own token.",
        &[TOKEN],
        &[
            (Operation::Read, |call| Box::pin(lookup::own(call))),
            (Operation::Update, |call| Box::pin(lookup::own(call))),
        ],
    ),
    written(
        "lookup-accessor",
        "Look at a token by its accessor.",
        &[ACCESSOR],
        &[(Operation::Update, |call| {
            Box::pin(lookup::by_accessor(call))
        })],
    ),
    written(
        "renew",
        "Renew a token.",
        &[TOKEN, INCREMENT],
        &[(Operation::Update, |call| Box::pin(renew::token(call)))],
    ),
    written(
        "renew-self",
        "Renew the caller's own token.",
        &[TOKEN, INCREMENT],
        &[(Operation::Update, |call| Box::pin(renew::own(call)))],
    ),
    written(
        "renew-accessor",
        "Renew a token by its accessor.",
        &[ACCESSOR, INCREMENT],
        &[(Operation::Update, |call| Box::pin(renew::by_accessor(call)))],
    ),
    written(
        "revoke",
        "End a token, its children and their leases.",
        &[TOKEN],
        &[(Operation::Update, |call| Box::pin(revoke::token(call)))],
    ),
    written(
        "revoke-self",
        "End the caller's own token, its children and their leases.",
        &[TOKEN],
        &[(Operation::Update, |call| Box::pin(revoke::own(call)))],
    ),
    written(
        "revoke-orphan",
        "End a token and its leases; its children live on.",
        &[TOKEN],
        &[(Operation::Update, |call| Box::pin(revoke::orphaning(call)))],
    ),
    written(
        "revoke-accessor",
        "End a token by its accessor, its children and their leases.",
        &[ACCESSOR],
        &[(Operation::Update, |call| {
            Box::pin(revoke::by_accessor(call))
        })],
    ),
    PathSpec {
        pattern: "accessors/",
        summary: "List the accessors of all tokens.",
        fields: &[],
        open: false,
        access: Access::Sudo,
        existence: None,
        operations: &[(Operation::List, |call| Box::pin(accessors::list(call)))],
    },
    // Known, but only as a list.
    written("accessors", "List the accessors of all tokens.", &[], &[]),
    written(
        "tidy",
        "Forget what has ended.",
        &[],
        &[(Operation::Update, |call| Box::pin(accessors::tidy(call)))],
    ),
    written(
        "roles/",
        "List the token roles.",
        &[],
        &[(Operation::List, |call| Box::pin(roles::list(call)))],
    ),
    written("roles", "List the token roles.", &[], &[]),
    PathSpec {
        pattern: "roles/:role_name",
        summary: "What tokens made through a role are like.",
        fields: roles::FIELDS,
        open: false,
        access: Access::Token,
        existence: Some(|call| Box::pin(roles::exists(call))),
        operations: &[
            (Operation::Read, |call| Box::pin(roles::read(call))),
            (Operation::Update, |call| Box::pin(roles::write(call))),
            (Operation::Delete, |call| Box::pin(roles::delete(call))),
        ],
    },
];

/// The `token` field: absent and empty alike are None; anything but a string is refused.
fn token_field(call: &Call<'_>) -> Result<Option<Token>, Fault> {
    match call.fields.get("token").and_then(|field| field.as_any()) {
        None => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(Token::new(text.as_str()))),
        Some(_) => Err(Fault::raw(403, "invalid token")),
    }
}

/// The `accessor` field, which must be there.
fn accessor_field<'c>(call: &'c Call<'_>) -> Result<&'c str, Fault> {
    call.fields
        .get("accessor")
        .and_then(|field| field.as_text())
        .filter(|accessor| !accessor.is_empty())
        .ok_or_else(|| Fault::multi(400, "missing accessor"))
}

/// What the token mount allows, as it is tuned now.
fn mount_ttl(call: &Call<'_>) -> MountTtl {
    MountTtl::from_seconds(
        call.mount.default_lease_ttl_seconds(),
        call.mount.max_lease_ttl_seconds(),
        call.core.settings.default_lease_ttl_seconds,
        call.core.settings.max_lease_ttl_seconds,
    )
}
