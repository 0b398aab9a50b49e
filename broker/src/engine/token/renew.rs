//! `auth/token/renew*` (contract 5.5): a new end, counted from now; never past what the token may reach.

use super::role::TokenRole;
use super::{accessor_field, mount_ttl, roles, token_field};
use crate::duration::Span;
use crate::lease;
use crate::logical::{Auth, BatchClaims, Call, Fault, Outcome, Response, TokenRow};
use crate::secret::Token;
use crate::store::tokens::{self, Renewal};
use crate::ttl::{self, Wish};

pub(super) async fn token(call: &Call<'_>) -> Outcome {
    let token = token_field(call)?.ok_or_else(|| Fault::bad("missing token ID"))?;
    renew_token(call, token).await
}

pub(super) async fn own(call: &Call<'_>) -> Outcome {
    let token = call
        .request
        .client_token
        .clone()
        .ok_or_else(Fault::unknown_caller)?;
    renew_token(call, token).await
}

async fn renew_token(call: &Call<'_>, token: Token) -> Outcome {
    let core = call.core;
    if BatchClaims::decode(&core.keys, &token)?.is_some() {
        return Err(Fault::bad("batch tokens cannot be renewed"));
    }
    let token_hash = core.keys.token_hash(&token)?;
    let row = core
        .reads
        .token(token_hash)
        .await?
        .filter(|row| row.uses_left != Some(0))
        .ok_or_else(|| Fault::bad("token not found"))?;
    if row.path == "auth/token/root" {
        return Err(Fault::bad("invalid lease ID"));
    }
    if !row.renewable {
        return Err(Fault::bad("lease is not renewable"));
    }
    renew(call, row.token_id, Some(token)).await
}

pub(super) async fn by_accessor(call: &Call<'_>) -> Outcome {
    let accessor = accessor_field(call)?;
    let row = tokens::by_accessor(&call.core.store, accessor)
        .await?
        .ok_or_else(|| Fault::multi(400, "invalid accessor"))?;
    if !row.renewable {
        return Err(Fault::multi(400, "invalid request"));
    }
    renew(call, row.token_id, None).await
}

async fn renew(call: &Call<'_>, token_id: i64, shown: Option<Token>) -> Outcome {
    let core = call.core;
    let increment = call
        .fields
        .get("increment")
        .and_then(|field| field.as_duration());
    let mut store = core.begin().await?;
    let row = tokens::lock(&mut store, token_id)
        .await?
        .ok_or_else(|| Fault::bad("token not found"))?;
    let role = match &row.role {
        None => None,
        Some(name) => Some(roles::find(&mut *store, name).await?.ok_or_else(|| {
            Fault::multi(
                400,
                format!(
                    "failed to renew entry: original token role \"{name}\" could not be found, not renewing"
                ),
            )
        })?),
    };
    let wish = wish(&row, role.as_ref(), increment.unwrap_or_default());
    let granted = ttl::grant(wish, mount_ttl(call), ttl::age(row.issued_at, row.read_at))
        .map_err(|error| Fault::multi(400, error.to_string()))?;
    let seconds = granted.ttl.seconds();
    let renewal = Renewal {
        token_id,
        renewed_at: row.read_at,
        ttl_microseconds: granted.ttl.nanos() / 1_000,
        ttl_seconds: seconds,
        hard_stop_microseconds: granted.hard_stop.map(|stop| stop.nanos() / 1_000),
    };
    tokens::renew(&mut *store, &renewal).await?;
    let notice = lease::move_owner(&mut store, token_id).await?;
    store.commit().await?;
    notice.deliver(core).await;
    Ok(Some(Response {
        auth: Some(Auth {
            client_token: shown,
            accessor: row.accessor,
            policies: row.policies,
            metadata: row.meta,
            lease_duration_seconds: seconds,
            renewable: true,
            entity_id: String::new(),
            token_type: "service",
            orphan: row.orphan,
            num_uses: row.num_uses,
        }),
        warnings: granted.warnings,
        ..Response::default()
    }))
}

/// Without an increment the TTL last granted is asked for again, of which 0 was less than a second; period and maximum are the lesser of the token's and
/// of what its role says now.
fn wish(row: &TokenRow, role: Option<&TokenRole>, increment: Span) -> Wish {
    let lesser = |own: i64, role: i64| match (own, role) {
        (0, other) | (other, 0) => Span::from_seconds(other),
        (own, role) => Span::from_seconds(own.min(role)),
    };
    Wish {
        increment,
        role_default: Span::from_seconds(row.ttl_seconds.max(1)),
        role_max: Span::ZERO,
        period: lesser(row.period_seconds, role.map_or(0, |role| role.token_period)),
        explicit_max: lesser(
            row.explicit_max_ttl_seconds,
            role.map_or(0, |role| role.token_explicit_max_ttl),
        ),
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    fn row(ttl: i64, period: i64, explicit_max: i64) -> TokenRow {
        let at = OffsetDateTime::UNIX_EPOCH;
        TokenRow {
            token_id: 1,
            accessor: String::new(),
            path: String::new(),
            policies: Vec::new(),
            meta: None,
            display_name: String::new(),
            role: None,
            bound_cidrs: Vec::new(),
            num_uses: 0,
            uses_left: None,
            orphan: true,
            renewable: true,
            creation_ttl_seconds: ttl,
            ttl_seconds: ttl,
            explicit_max_ttl_seconds: explicit_max,
            period_seconds: period,
            issued_at: at,
            expires_at: Some(at),
            last_renewed_at: None,
            read_at: at,
        }
    }

    #[test]
    fn what_is_wished_for_without_an_increment() {
        let check = |row: &TokenRow, role: Option<&TokenRole>, expect: [i64; 3]| {
            let wish = wish(row, role, Span::ZERO);
            let got = [wish.role_default, wish.period, wish.explicit_max];
            assert_eq!(got, expect.map(Span::from_seconds), "{row:?} {role:?}");
        };
        let role = TokenRole {
            token_period: 5,
            token_explicit_max_ttl: 9,
            ..TokenRole::default()
        };
        check(&row(60, 0, 0), None, [60, 0, 0]);
        // Less than a second was granted: not what the mount grants to who asks for nothing.
        check(&row(0, 0, 0), None, [1, 0, 0]);
        check(&row(60, 0, 0), Some(&role), [60, 5, 9]);
        check(&row(60, 7, 7), Some(&role), [60, 5, 7]);
    }
}
