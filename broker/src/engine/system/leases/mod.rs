//! `sys/leases/*` and its older names `sys/renew`, `sys/revoke*` (contract 6): one handler each, whatever the path,
//! and every path judged by its own text.

mod list;
mod lookup;
mod renew;
mod revoke;

use serde_json::Value;

use crate::fields::FieldType;
use crate::logical::{Access, Call, Fault, Field, Handler, Operation, PathSpec};

const LEASE_ID: Field = Field {
    name: "lease_id",
    kind: FieldType::Any,
    help: "The lease, as it was given with the credential.",
};
/// A lease id in the path; the body's wins over it.
const URL_LEASE_ID: Field = Field {
    name: "url_lease_id",
    kind: FieldType::String,
    help: "The lease, if the body does not name one.",
};
const PREFIX: Field = Field {
    name: "prefix",
    kind: FieldType::String,
    help: "A folder of lease ids, or one id.",
};
const SYNC: Field = Field {
    name: "sync",
    kind: FieldType::Bool,
    help: "Answer when no access is left (the default), rather than at once.",
};
const INCREMENT: Field = Field {
    name: "increment",
    kind: FieldType::DurationSecond,
    help: "How long the lease is to live from now.",
};
const KIND: Field = Field {
    name: "type",
    kind: FieldType::String,
    help: "irrevocable.",
};

const fn endpoint(
    pattern: &'static str,
    summary: &'static str,
    fields: &'static [Field],
    access: Access,
    operations: &'static [(Operation, Handler)],
) -> PathSpec {
    PathSpec {
        pattern,
        summary,
        fields,
        open: false,
        access,
        existence: None,
        operations,
    }
}

const RENEW_FIELDS: &[Field] = &[LEASE_ID, URL_LEASE_ID, INCREMENT];
const REVOKE_FIELDS: &[Field] = &[LEASE_ID, URL_LEASE_ID, SYNC];
const PREFIX_FIELDS: &[Field] = &[PREFIX, SYNC];
const FORCE_FIELDS: &[Field] = &[PREFIX];

const RENEW: &[(Operation, Handler)] = &[(Operation::Update, |call| Box::pin(renew::renew(call)))];
const REVOKE: &[(Operation, Handler)] = &[(Operation::Update, |call| Box::pin(revoke::one(call)))];
const REVOKE_PREFIX: &[(Operation, Handler)] =
    &[(Operation::Update, |call| Box::pin(revoke::prefix(call)))];
const REVOKE_FORCE: &[(Operation, Handler)] =
    &[(Operation::Update, |call| Box::pin(revoke::force(call)))];
const LIST: &[(Operation, Handler)] = &[(Operation::List, |call| Box::pin(list::folder(call)))];

const RENEW_HELP: &str = "Renew a lease.";
const REVOKE_HELP: &str = "End a lease.";
const PREFIX_HELP: &str = "End all leases below a prefix.";
const FORCE_HELP: &str =
    "End all leases below a prefix; where a database is away they are out of sight at once.";
const LIST_HELP: &str = "List leases, one folder at a time.";

pub(super) static ROWS: &[PathSpec] = &[
    endpoint(
        "leases/lookup",
        "Look a lease up.",
        &[LEASE_ID],
        Access::Token,
        &[(Operation::Update, |call| Box::pin(lookup::lookup(call)))],
    ),
    endpoint("leases/lookup/", LIST_HELP, &[], Access::Sudo, LIST),
    endpoint(
        "leases/lookup/*prefix",
        LIST_HELP,
        &[PREFIX],
        Access::Sudo,
        LIST,
    ),
    endpoint(
        "leases/renew",
        RENEW_HELP,
        RENEW_FIELDS,
        Access::ProvenToken,
        RENEW,
    ),
    endpoint(
        "leases/renew/*url_lease_id",
        RENEW_HELP,
        RENEW_FIELDS,
        Access::ProvenToken,
        RENEW,
    ),
    endpoint(
        "leases/revoke",
        REVOKE_HELP,
        REVOKE_FIELDS,
        Access::Token,
        REVOKE,
    ),
    endpoint(
        "leases/revoke/*url_lease_id",
        REVOKE_HELP,
        REVOKE_FIELDS,
        Access::Token,
        REVOKE,
    ),
    endpoint(
        "leases/revoke-prefix/*prefix",
        PREFIX_HELP,
        PREFIX_FIELDS,
        Access::Sudo,
        REVOKE_PREFIX,
    ),
    endpoint(
        "leases/revoke-force/*prefix",
        FORCE_HELP,
        FORCE_FIELDS,
        Access::Sudo,
        REVOKE_FORCE,
    ),
    endpoint(
        "leases/tidy",
        "Sweep up what is left of leases; done all the time anyway.",
        &[],
        Access::Token,
        &[(Operation::Update, |call| Box::pin(list::tidy(call)))],
    ),
    endpoint(
        "leases/count",
        "Count leases that can not be revoked: there are none.",
        &[
            KIND,
            Field {
                name: "include_child_namespaces",
                kind: FieldType::Bool,
                help: "No effect: there is one namespace.",
            },
        ],
        Access::Token,
        &[(Operation::Read, |call| Box::pin(list::count(call)))],
    ),
    endpoint(
        "leases",
        "List leases that can not be revoked: there are none.",
        &[
            KIND,
            Field {
                name: "limit",
                kind: FieldType::String,
                help: "none, or how many at most.",
            },
            Field {
                name: "include_child_namespaces",
                kind: FieldType::Bool,
                help: "No effect: there is one namespace.",
            },
        ],
        Access::Sudo,
        &[(Operation::Read, |call| Box::pin(list::irrevocable(call)))],
    ),
    endpoint(
        "renew",
        RENEW_HELP,
        RENEW_FIELDS,
        Access::ProvenToken,
        RENEW,
    ),
    endpoint(
        "renew/*url_lease_id",
        RENEW_HELP,
        RENEW_FIELDS,
        Access::ProvenToken,
        RENEW,
    ),
    endpoint("revoke", REVOKE_HELP, REVOKE_FIELDS, Access::Token, REVOKE),
    endpoint(
        "revoke/*url_lease_id",
        REVOKE_HELP,
        REVOKE_FIELDS,
        Access::Token,
        REVOKE,
    ),
    endpoint(
        "revoke-prefix/*prefix",
        PREFIX_HELP,
        PREFIX_FIELDS,
        Access::Sudo,
        REVOKE_PREFIX,
    ),
    endpoint(
        "revoke-force/*prefix",
        FORCE_HELP,
        FORCE_FIELDS,
        Access::Sudo,
        REVOKE_FORCE,
    ),
];

/// The lease a request names: in its body, else in its path. Taken as it is: blanks and slashes make another one of it.
fn lease_id<'c>(call: &'c Call<'_>) -> Result<&'c str, Fault> {
    let in_body = match call.request.body.get("lease_id") {
        None | Some(Value::Null) => "",
        Some(Value::String(text)) => text,
        Some(_) => return Err(Fault::bad("invalid lease ID")),
    };
    match (in_body, call.capture("url_lease_id")) {
        ("", "") => Err(Fault::bad("lease_id must be specified")),
        ("", in_path) => Ok(in_path),
        (in_body, _) => Ok(in_body),
    }
}
