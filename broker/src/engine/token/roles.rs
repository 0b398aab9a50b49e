//! `auth/token/roles` (contract 5.7).

use serde_json::Value;
use sqlx::PgExecutor;

use super::role::TokenRole;
use super::{field, mount_ttl};
use crate::authority;
use crate::fields::FieldType;
use crate::logical::{Access, Call, Fault, Field, Outcome, Response};
use crate::store::token_roles;

pub(super) const FIELDS: &[Field] = &[
    field("role_name", FieldType::String, "Name of the role."),
    field(
        "allowed_policies",
        FieldType::CommaStringSlice,
        "Policies that may be asked for.",
    ),
    field(
        "allowed_policies_glob",
        FieldType::CommaStringSlice,
        "The same, as globs.",
    ),
    field(
        "disallowed_policies",
        FieldType::CommaStringSlice,
        "Policies that may not be asked for.",
    ),
    field(
        "disallowed_policies_glob",
        FieldType::CommaStringSlice,
        "The same, as globs.",
    ),
    field(
        "allowed_entity_aliases",
        FieldType::CommaStringSlice,
        "Kept for clients; without effect.",
    ),
    field("orphan", FieldType::Bool, "Tokens have no parent."),
    field("renewable", FieldType::Bool, "Tokens may be renewed."),
    field(
        "path_suffix",
        FieldType::String,
        "Appended to the path of the tokens.",
    ),
    field(
        "token_type",
        FieldType::Any,
        "default-service, default-batch, service or batch.",
    ),
    field(
        "token_no_default_policy",
        FieldType::Bool,
        "Does not add the policy default.",
    ),
    field(
        "token_bound_cidrs",
        FieldType::CommaStringSlice,
        "Addresses tokens may come from.",
    ),
    field(
        "bound_cidrs",
        FieldType::CommaStringSlice,
        "Older name of token_bound_cidrs.",
    ),
    field(
        "token_num_uses",
        FieldType::Int,
        "Uses of each token; 0 = unlimited.",
    ),
    field(
        "token_period",
        FieldType::DurationSecond,
        "Tokens are renewed without end, this long at a time.",
    ),
    field(
        "period",
        FieldType::DurationSecond,
        "Older name of token_period.",
    ),
    field(
        "token_explicit_max_ttl",
        FieldType::DurationSecond,
        "The longest life of a token.",
    ),
    field(
        "explicit_max_ttl",
        FieldType::DurationSecond,
        "Older name of token_explicit_max_ttl.",
    ),
];

/// A role as it is now.
pub(super) async fn find(
    store: impl PgExecutor<'_>,
    name: &str,
) -> Result<Option<TokenRole>, Fault> {
    let settings = token_roles::read(store, name).await?;
    settings.map(|settings| parse(name, settings)).transpose()
}

fn parse(name: &str, settings: Value) -> Result<TokenRole, Fault> {
    serde_json::from_value(settings).map_err(|error| {
        Fault::internal(format!("the token role {name:?} can not be read: {error}"))
    })
}

pub(super) async fn exists(call: &Call<'_>) -> Result<bool, Fault> {
    let settings = token_roles::read(&call.core.store, call.capture("role_name")).await?;
    Ok(settings.is_some())
}

pub(super) async fn list(call: &Call<'_>) -> Outcome {
    Response::keys(token_roles::names(&call.core.store).await?)
}

pub(super) async fn read(call: &Call<'_>) -> Outcome {
    let name = call.capture("role_name");
    let role = find(&call.core.store, name).await?;
    Ok(role.map(|role| Response {
        data: Some(role.shown(name)),
        ..Response::default()
    }))
}

pub(super) async fn write(call: &Call<'_>) -> Outcome {
    let name = call.capture("role_name");
    let mut store = call.core.begin().await?;
    let settings = token_roles::hold(&mut store, name).await?;
    authority::judge_write(call, settings.is_some(), Access::Token)?;
    let mut role = match settings {
        Some(settings) => parse(name, settings)?,
        None => TokenRole::default(),
    };
    let warnings = role
        .apply(&call.fields, mount_ttl(call).max.seconds())
        .map_err(Fault::bad)?;
    let settings = serde_json::to_value(&role).map_err(Fault::internal)?;
    token_roles::write(&mut store, name, &settings).await?;
    store.commit().await?;
    Ok(Response::warnings(warnings))
}

pub(super) async fn delete(call: &Call<'_>) -> Outcome {
    token_roles::delete(&call.core.store, call.capture("role_name")).await?;
    Ok(None)
}
