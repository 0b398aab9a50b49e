//! `auth/token/create*` (contract 5.3), in the contract's order of checks.

use serde_json::{Map, Value};

use super::make::Wanted;
use super::plan::{plan, text};
use super::role::TokenRole;
use super::{field, mount_ttl, roles};
use crate::duration::Span;
use crate::fields::{FieldType, FieldValue};
use crate::logical::{Call, Caller, Fault, Field, Outcome, Response};
use crate::policy::ROOT;
use crate::ttl::{self, Wish};

pub(super) const FIELDS: &[Field] = &[
    field("role_name", FieldType::String, "Name of the role."),
    field(
        "id",
        FieldType::String,
        "The token itself; generated if not given (root or sudo).",
    ),
    field(
        "policies",
        FieldType::StringSlice,
        "Its policies; the caller's if not given.",
    ),
    field(
        "meta",
        FieldType::KvPairs,
        "Names and values that logins of it carry.",
    ),
    field(
        "no_parent",
        FieldType::Bool,
        "Has no parent (root or sudo).",
    ),
    field(
        "no_default_policy",
        FieldType::Bool,
        "Does not have the policy default.",
    ),
    field(
        "renewable",
        FieldType::Bool,
        "May be renewed; true if not given.",
    ),
    field("ttl", FieldType::String, "How long it lives."),
    field("lease", FieldType::String, "Older name of ttl."),
    field(
        "explicit_max_ttl",
        FieldType::String,
        "The longest it may live, renewals included.",
    ),
    field(
        "period",
        FieldType::String,
        "Is renewed without end, this long at a time (root or sudo).",
    ),
    field(
        "num_uses",
        FieldType::Int,
        "How often it can be used; 0 = without limit.",
    ),
    field(
        "display_name",
        FieldType::String,
        "What logins of it are named after.",
    ),
    field("type", FieldType::String, "service or batch."),
    field(
        "entity_alias",
        FieldType::String,
        "Not kept; only with a role that allows it.",
    ),
];

const CUSTOM_ID: &str = "Supplying a custom ID for the token uses the weaker SHA1 hashing instead of the more secure \
    SHA2-256 HMAC for token obfuscation. SHA1 hashed tokens on the wire leads to less secure lookups.";

pub(super) async fn child(call: &Call<'_>) -> Outcome {
    create(call, None, false).await
}

pub(super) async fn orphan(call: &Call<'_>) -> Outcome {
    create(call, None, true).await
}

pub(super) async fn by_role(call: &Call<'_>) -> Outcome {
    let name = call.capture("role_name");
    let role = roles::find(&call.core.store, name).await?;
    let role = role.ok_or_else(|| Fault::bad(format!("unknown role {name}")))?;
    create(call, Some((name, &role)), false).await
}

async fn create(call: &Call<'_>, role: Option<(&str, &TokenRole)>, orphan: bool) -> Outcome {
    let caller = call.caller();
    let Some(maker) = &caller.row else {
        return Err(Fault::bad("batch tokens cannot create more tokens"));
    };
    let plan = plan(call, maker, role.map(|(_, role)| role), orphan).map_err(Fault::bad)?;

    let mut warnings = plan.warnings;
    let is_root = plan.policies.iter().any(|name| name == ROOT);
    let endless = is_root
        && plan.ttl.is_zero()
        && plan.wish.period.is_zero()
        && plan.wish.explicit_max.is_zero();
    let granted = if endless {
        if maker.expires_at.is_some() {
            return Err(Fault::bad(
                "expiring root tokens cannot create non-expiring root tokens",
            ));
        }
        None
    } else {
        // A root token without a TTL lives as long as its maximum allows, and no warning is due.
        let wish = match is_root && plan.ttl.is_zero() && plan.wish.period.is_zero() {
            true => Wish {
                increment: plan.wish.explicit_max,
                ..plan.wish
            },
            false => plan.wish,
        };
        let granted = ttl::grant(wish, mount_ttl(call), Span::ZERO)
            .map_err(|error| Fault::multi(400, error.to_string()))?;
        warnings.extend(granted.warnings);
        Some(granted.ttl)
    };
    let id = text(call, "id");
    if !id.is_empty() {
        warnings.push(CUSTOM_ID.into());
    }
    let wanted = Wanted {
        call,
        maker,
        path: path(call, role),
        role: role.map(|(name, _)| name.to_owned()),
        display_name: display_name(text(call, "display_name")),
        meta: meta(call),
        bound_cidrs: match role {
            _ if granted.is_none() => Vec::new(),
            Some((_, role)) => role.token_bound_cidrs.clone(),
            None if plan.orphan => Vec::new(),
            None => maker.bound_cidrs.clone(),
        },
        policies: plan.policies,
        ttl: granted,
        renewable: plan.renewable && granted.is_some(),
        orphan: plan.orphan,
        num_uses: plan.num_uses,
        explicit_max: plan.explicit_max,
        period: plan.period,
    };
    let auth = match plan.batch {
        true => wanted.batch().await?,
        false => wanted.service(id).await?,
    };
    let unknown = unknown_policies(call, caller, &auth.policies).await?;
    warnings.extend(
        unknown
            .iter()
            .map(|name| format!("Policy {name:?} does not exist")),
    );
    Ok(Some(Response {
        auth: Some(auth),
        warnings,
        ..Response::default()
    }))
}

/// Those of a token's policies that do not exist: what the caller has too was read with it in this request.
async fn unknown_policies<'p>(
    call: &Call<'_>,
    caller: &Caller,
    policies: &'p [String],
) -> Result<Vec<&'p String>, Fault> {
    let is_unread = |name: &&String| *name != ROOT && !caller.known_policies.contains(name);
    let unread: Vec<&String> = policies.iter().filter(is_unread).collect();
    if unread.is_empty() {
        return Ok(unread);
    }
    let names: Vec<String> = unread.iter().copied().cloned().collect();
    let known = crate::store::policies::versions(&call.core.store, &names).await?;
    let is_unknown = |name: &&String| known.iter().all(|(known, _)| known != *name);
    Ok(unread.into_iter().filter(is_unknown).collect())
}

/// `{}` stays `{}`; absent and null are none.
fn meta(call: &Call<'_>) -> Option<Map<String, Value>> {
    let pairs = call.fields.get("meta").and_then(FieldValue::as_pairs)?;
    if call.request.body.get("meta").is_some_and(Value::is_null) {
        return None;
    }
    Some(
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect(),
    )
}

/// `token`, or `token-` and what is left of the name when all but letters, digits and dashes are dashes.
fn display_name(given: &str) -> String {
    if given.is_empty() {
        return "token".into();
    }
    let clean: String = given
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '-'
            }
        })
        .collect();
    let full = format!("token-{clean}");
    full.strip_suffix('-').unwrap_or(&full).to_owned()
}

fn path(call: &Call<'_>, role: Option<(&str, &TokenRole)>) -> String {
    match role {
        Some((name, role)) if !role.path_suffix.is_empty() => {
            format!("auth/token/create/{name}/{}", role.path_suffix)
        }
        Some((name, _)) => format!("auth/token/create/{name}"),
        None => call.request.path.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names() {
        let check = |given: &str, expect: &str| assert_eq!(display_name(given), expect, "{given}");
        check("", "token");
        check("a", "token-a");
        check("My App/é 1", "token-My-App---1");
        check("--", "token--");
        check("x-", "token-x");
        check("a.b_c", "token-a-b-c");
        check("  ", "token--");
    }
}
