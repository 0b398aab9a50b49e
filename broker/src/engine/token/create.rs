//! `auth/token/create*` (contract 5.3), in the contract's order of checks.

use serde_json::{Map, Value};

use super::make::Wanted;
use super::policies::{self, Wish as PolicyWish, matches_glob};
use super::role::TokenRole;
use super::{field, mount_ttl, roles};
use crate::duration::{self, Span};
use crate::fields::{FieldType, FieldValue};
use crate::logical::{Call, Caller, Fault, Field, Outcome, Response, TokenRow};
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

/// What a new token will be, before time comes into it.
struct Plan {
    batch: bool,
    policies: Vec<String>,
    orphan: bool,
    num_uses: i32,
    renewable: bool,
    /// As given.
    explicit_max: Span,
    period: Span,
    ttl: Span,
    /// With the role's word.
    wish: Wish,
    warnings: Vec<String>,
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
        maker_id: maker.token_id,
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
    let known = crate::store::policies::revisions(&call.core.store, &names).await?;
    let is_unknown = |name: &&String| known.iter().all(|(known, _)| known != *name);
    Ok(unread.into_iter().filter(is_unknown).collect())
}

/// Everything a request asks for, checked in the contract's order.
fn plan(
    call: &Call<'_>,
    maker: &TokenRow,
    role: Option<&TokenRole>,
    orphan: bool,
) -> Result<Plan, String> {
    let sudo = call.caller().sudo;
    if maker.num_uses > 0 {
        return Err("restricted use token cannot generate child tokens".into());
    }
    let batch = is_batch(text(call, "type"), role)?;
    let num_uses = call
        .fields
        .get("num_uses")
        .and_then(FieldValue::as_int)
        .unwrap_or(0);
    if batch {
        check_batch(call, num_uses)?;
    }
    if num_uses < 0 {
        return Err("number of uses cannot be negative".into());
    }
    let num_uses = i32::try_from(num_uses).map_err(|_| "number of uses is too large")?;
    check_alias(text(call, "entity_alias"), role)?;
    if !text(call, "id").is_empty() && !sudo {
        return Err("root or sudo privileges required to specify token id".into());
    }
    let asked = call
        .fields
        .get("policies")
        .and_then(FieldValue::as_list)
        .unwrap_or_default();
    let policies = policies::effective(
        PolicyWish {
            policies: asked,
            no_default_policy: truth(call, "no_default_policy", false),
            parent: &maker.policies,
            sudo,
            batch,
        },
        role,
    )?;
    let orphan = match role {
        Some(role) => role.orphan,
        None if truth(call, "no_parent", false) => match sudo {
            true => true,
            false => return Err("root or sudo privileges required to create orphan token".into()),
        },
        None => orphan,
    };
    let explicit_max = span(call, "explicit_max_ttl")?;
    let period = span(call, "period")?;
    if period > Span::ZERO && !sudo {
        return Err("root or sudo privileges required to create periodic token".into());
    }
    let ttl = match text(call, "ttl") {
        "" => span(call, "lease")?,
        _ => span(call, "ttl")?,
    };
    let mut plan = Plan {
        batch,
        policies,
        orphan,
        num_uses,
        renewable: truth(call, "renewable", true) && !batch,
        explicit_max,
        period,
        ttl,
        wish: Wish {
            increment: Span::ZERO,
            role_default: ttl,
            role_max: Span::ZERO,
            period,
            explicit_max,
        },
        warnings: Vec::new(),
    };
    match role {
        Some(role) if batch => plan.bind_batch(role)?,
        Some(role) => plan.listen_to(role),
        None => {}
    }
    check_id(text(call, "id"), batch)?;
    Ok(plan)
}

impl Plan {
    /// A batch token is not renewed, and its uses are not counted: what a role limits of that limits its one life.
    fn bind_batch(&mut self, role: &TokenRole) -> Result<(), String> {
        if role.token_num_uses > 0 {
            return Err("batch tokens cannot have \"num_uses\" set".into());
        }
        for seconds in [role.token_explicit_max_ttl, role.token_period] {
            let limit = Span::from_seconds(seconds);
            if !limit.is_zero() {
                let own = &mut self.wish.explicit_max;
                *own = if own.is_zero() {
                    limit
                } else {
                    limit.min(*own)
                };
            }
        }
        Ok(())
    }

    /// Where role and request both have a word, the lesser counts.
    fn listen_to(&mut self, role: &TokenRole) {
        let mut lesser = |own: &mut Span, role_seconds: i64, what: &str| {
            let of_role = Span::from_seconds(role_seconds);
            if of_role.is_zero() {
                return;
            }
            if own.is_zero() {
                *own = of_role;
                return;
            }
            *own = of_role.min(*own);
            self.warnings.push(format!(
                "{what} specified both during creation call and in role; using the lesser value of {} seconds",
                own.seconds()
            ));
        };
        lesser(
            &mut self.wish.explicit_max,
            role.token_explicit_max_ttl,
            "Explicit max TTL",
        );
        lesser(&mut self.wish.period, role.token_period, "Period");
        self.renewable &= role.renewable;
        self.num_uses = match (self.num_uses, role.token_num_uses) {
            (0, other) | (other, 0) => other,
            (own, role) => own.min(role),
        };
    }
}

fn is_batch(asked: &str, role: Option<&TokenRole>) -> Result<bool, String> {
    let word = match role.and_then(TokenRole::forced_type) {
        Some(forced) => forced,
        None => asked,
    };
    match (word, role.map(|role| role.token_type.as_str())) {
        ("batch", _) | ("", Some("default-batch")) => Ok(true),
        ("service" | "", _) => Ok(false),
        _ => Err("invalid 'token_type' value".into()),
    }
}

fn check_batch(call: &Call<'_>, num_uses: i64) -> Result<(), String> {
    let refuse = |name: &str| Err(format!("batch tokens cannot have \"{name}\" set"));
    let given = |name: &str| {
        duration::parse(text(call, name)).map_err(|_| format!("'{name}' value could not be parsed"))
    };
    if !given("explicit_max_ttl")?.is_zero() {
        return refuse("explicit_max_ttl");
    }
    if num_uses != 0 {
        return refuse("num_uses");
    }
    match given("period")?.is_zero() {
        true => Ok(()),
        false => refuse("period"),
    }
}

fn check_alias(alias: &str, role: Option<&TokenRole>) -> Result<(), String> {
    match role {
        _ if alias.is_empty() => Ok(()),
        None => Err("'entity_alias' is only allowed in combination with token role".into()),
        Some(role) => {
            let alias = alias.to_lowercase();
            match role
                .allowed_entity_aliases
                .iter()
                .any(|glob| matches_glob(glob, &alias))
            {
                true => Ok(()),
                false => Err("invalid 'entity_alias' value".into()),
            }
        }
    }
}

fn check_id(id: &str, batch: bool) -> Result<(), String> {
    for prefix in ["hvs.", "s."] {
        if !batch && id.starts_with(prefix) {
            return Err(format!("custom token ID cannot have the '{prefix}' prefix"));
        }
    }
    match !batch && id.contains('.') {
        true => Err("custom token ID cannot have a '.' in the value".into()),
        false => Ok(()),
    }
}

fn text<'c>(call: &'c Call<'_>, name: &str) -> &'c str {
    call.fields
        .get(name)
        .and_then(FieldValue::as_text)
        .unwrap_or_default()
}

fn truth(call: &Call<'_>, name: &str, absent: bool) -> bool {
    call.fields
        .get(name)
        .and_then(FieldValue::as_bool)
        .unwrap_or(absent)
}

fn span(call: &Call<'_>, name: &str) -> Result<Span, String> {
    let span = duration::parse(text(call, name)).map_err(|error| error.to_string())?;
    match span.is_negative() {
        true => Err(format!("{name} must be positive")),
        false => Ok(span),
    }
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

    #[test]
    fn a_role_limits_a_batch_token_too() {
        let mut plan = Plan {
            batch: true,
            policies: Vec::new(),
            orphan: false,
            num_uses: 0,
            renewable: false,
            explicit_max: Span::ZERO,
            period: Span::ZERO,
            ttl: Span::ZERO,
            wish: Wish {
                increment: Span::ZERO,
                role_default: Span::ZERO,
                role_max: Span::ZERO,
                period: Span::ZERO,
                explicit_max: Span::ZERO,
            },
            warnings: Vec::new(),
        };
        let mut role = TokenRole {
            token_explicit_max_ttl: 600,
            token_period: 60,
            ..TokenRole::default()
        };
        assert_eq!(plan.bind_batch(&role), Ok(()));
        assert_eq!(plan.wish.explicit_max, Span::from_seconds(60));
        role.token_num_uses = 1;
        assert!(plan.bind_batch(&role).is_err());
    }

    #[test]
    fn custom_ids() {
        let check = |id: &str, batch: bool, expect: Result<(), &str>| {
            assert_eq!(check_id(id, batch), expect.map_err(str::to_owned), "{id}");
        };
        check("my-id", false, Ok(()));
        check(
            "s.x",
            false,
            Err("custom token ID cannot have the 's.' prefix"),
        );
        check(
            "hvs.x",
            false,
            Err("custom token ID cannot have the 'hvs.' prefix"),
        );
        check(
            "a.b",
            false,
            Err("custom token ID cannot have a '.' in the value"),
        );
        check("s.x", true, Ok(()));
    }

    #[test]
    fn types() {
        let role = |token_type: &str| TokenRole {
            token_type: token_type.into(),
            ..TokenRole::default()
        };
        let refused = Err("invalid 'token_type' value".to_owned());
        assert_eq!(is_batch("", None), Ok(false));
        assert_eq!(is_batch("batch", None), Ok(true));
        assert_eq!(is_batch("Batch", None), refused);
        assert_eq!(is_batch("", Some(&role("default-batch"))), Ok(true));
        assert_eq!(is_batch("service", Some(&role("default-batch"))), Ok(false));
        assert_eq!(is_batch("bogus", Some(&role("batch"))), Ok(true));
        assert_eq!(is_batch("bogus", Some(&role("default-service"))), refused);
    }
}
