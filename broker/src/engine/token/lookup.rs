//! `auth/token/lookup*` (contract 5.4).

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{accessor_field, token_field};
use crate::authority;
use crate::logical::{BatchClaims, Call, Fault, Outcome, Response, TokenRow};
use crate::secret::Token;
use crate::store::tokens;

pub(super) async fn token(call: &Call<'_>) -> Outcome {
    match token_field(call)? {
        Some(token) => match look_up(call, &token).await? {
            Some(data) => Ok(Some(response(data))),
            None => Err(Fault::raw(403, "bad token")),
        },
        None => own(call).await,
    }
}

pub(super) async fn own(call: &Call<'_>) -> Outcome {
    let token = call
        .request
        .client_token
        .as_ref()
        .ok_or_else(Fault::unknown_caller)?;
    let caller = call.caller();
    if let Some(row) = &caller.row {
        // The last use of the caller's own token has just been counted, and it still looks at itself.
        let uses_left = caller.token.uses_left;
        let row = TokenRow {
            uses_left,
            ..TokenRow::clone(row)
        };
        return Ok(Some(response(shown(&row, token.expose()))));
    }
    let data = look_up(call, token).await?;
    data.map(response)
        .map(Some)
        .ok_or_else(Fault::unknown_caller)
}

pub(super) async fn by_accessor(call: &Call<'_>) -> Outcome {
    let accessor = accessor_field(call)?;
    match tokens::by_accessor(&call.core.store, accessor).await? {
        Some(row) => Ok(Some(response(shown(&row, "")))),
        None => Err(Fault::multi(400, "invalid accessor")),
    }
}

async fn look_up(call: &Call<'_>, token: &Token) -> Result<Option<Map<String, Value>>, Fault> {
    let core = call.core;
    if BatchClaims::is_form(token) {
        let alive = authority::look_up(core, token).await?.is_some();
        let claims = BatchClaims::decode(&core.keys, token)?.filter(|_| alive);
        return Ok(match claims {
            Some(claims) => Some(shown_batch(
                &claims,
                token,
                tokens::clock(&core.store).await?,
            )),
            None => None,
        });
    }
    // As above, if it is named.
    let caller = &call.caller().token;
    let token_hash = core.keys.token_hash(token)?;
    let row = core.reads.token(token_hash).await?;
    Ok(row
        .filter(|row| row.uses_left != Some(0) || Some(row.token_id) == caller.token_id)
        .map(|row| shown(&row, token.expose())))
}

fn response(data: Map<String, Value>) -> Response {
    Response {
        data: Some(data),
        ..Response::default()
    }
}

/// RFC 3339, as all instants in answers.
pub(super) fn written(at: OffsetDateTime) -> Value {
    at.format(&Rfc3339).map_or(Value::Null, Value::from)
}

fn shown(row: &TokenRow, id: &str) -> Map<String, Value> {
    let left = row
        .expires_at
        .map_or(0, |end| (end - row.read_at).whole_seconds().max(0));
    // Zero would read as "unlimited": the last use is being made.
    let num_uses = match row.uses_left {
        None => 0,
        Some(0) => -1,
        Some(left) => left,
    };
    let mut data = Map::new();
    let mut put = |name: &str, value: Value| drop(data.insert(name.to_owned(), value));
    put("id", json!(id));
    put("accessor", json!(row.accessor));
    put("path", json!(row.path));
    put("display_name", json!(row.display_name));
    put("entity_id", json!(""));
    put("type", json!("service"));
    put("policies", json!(row.policies));
    put("meta", json!(row.meta));
    put("num_uses", json!(num_uses));
    put("orphan", json!(row.orphan));
    put("creation_time", json!(row.issued_at.unix_timestamp()));
    put("creation_ttl", json!(row.creation_ttl_seconds));
    put("ttl", json!(left));
    put("explicit_max_ttl", json!(row.explicit_max_ttl_seconds));
    put("expire_time", row.expires_at.map_or(Value::Null, written));
    // The first root token is no lease.
    if row.path != "auth/token/root" {
        put("renewable", json!(row.renewable));
        put("issue_time", written(row.issued_at));
    }
    if let Some(renewed_at) = row.last_renewed_at {
        put("last_renewal", written(renewed_at));
        put("last_renewal_time", json!(renewed_at.unix_timestamp()));
    }
    if row.period_seconds > 0 {
        put("period", json!(row.period_seconds));
    }
    if let Some(role) = &row.role {
        put("role", json!(role));
    }
    if !row.bound_cidrs.is_empty() {
        put("bound_cidrs", json!(row.bound_cidrs));
    }
    data
}

fn shown_batch(claims: &BatchClaims, token: &Token, now: OffsetDateTime) -> Map<String, Value> {
    let instant = |us: i64| {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(us) * 1_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    };
    let (issued_at, expires_at) = (instant(claims.issued_at_us), instant(claims.expires_at_us));
    let data = json!({
        "id": token.expose(),
        "accessor": "",
        "path": claims.path,
        "display_name": claims.display_name,
        "entity_id": "",
        "type": "batch",
        "policies": claims.policies,
        "meta": claims.meta,
        "num_uses": 0,
        "orphan": claims.parent_id.is_none(),
        "creation_time": issued_at.unix_timestamp(),
        "creation_ttl": claims.ttl_seconds,
        "ttl": (expires_at - now).whole_seconds().max(0),
        "explicit_max_ttl": 0,
        "expire_time": written(expires_at),
        "renewable": false,
        "issue_time": written(issued_at),
    });
    let Value::Object(mut data) = data else {
        return Map::new();
    };
    if let Some(role) = &claims.role {
        data.insert("role".into(), json!(role));
    }
    if !claims.bound_cidrs.is_empty() {
        data.insert("bound_cidrs".into(), json!(claims.bound_cidrs));
    }
    data
}
