//! What a request for a token comes to, with its role's words: checked in the contract's order (5.3, 5.7).

use super::policies::{self, Wish as PolicyWish, matches_glob};
use super::role::TokenRole;
use crate::duration::{self, Span};
use crate::fields::FieldValue;
use crate::logical::{Call, TokenRow};
use crate::ttl::Wish;

/// What a new token will be, before time comes into it.
pub(super) struct Plan {
    /// Sealed, and written down nowhere.
    pub batch: bool,
    /// Names.
    pub policies: Vec<String>,
    /// It does not end with its maker.
    pub orphan: bool,
    /// 0 = any number.
    pub num_uses: i32,
    /// Whether it can be renewed.
    pub renewable: bool,
    /// As given; zero = none.
    pub explicit_max: Span,
    /// As given; zero = none.
    pub period: Span,
    /// As given; zero = none.
    pub ttl: Span,
    /// With the role's word.
    pub wish: Wish,
    /// What the client is told of it.
    pub warnings: Vec<String>,
}

/// Everything a request asks for, checked in the contract's order.
pub(super) fn plan(
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
        let limits = [role.token_explicit_max_ttl, role.token_period].map(Span::from_seconds);
        self.wish.explicit_max = limits.into_iter().fold(self.wish.explicit_max, least);
        Ok(())
    }

    /// Where role and request both have a word, the lesser counts.
    fn listen_to(&mut self, role: &TokenRole) {
        let mut lesser = |own: &mut Span, role_seconds: i64, what: &str| {
            let of_role = Span::from_seconds(role_seconds);
            let both = !own.is_zero() && !of_role.is_zero();
            *own = least(*own, of_role);
            if !both {
                return;
            }
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

/// The lesser of two limits, of which zero is none.
fn least(one: Span, other: Span) -> Span {
    if one.is_zero() || other.is_zero() {
        one.max(other)
    } else {
        one.min(other)
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

/// A field's text; empty if it is not given.
pub(super) fn text<'c>(call: &'c Call<'_>, name: &str) -> &'c str {
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

#[cfg(test)]
mod tests {
    use super::*;

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
