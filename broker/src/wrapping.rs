//! Response wrapping (contract 9): an answer kept under a token for one use, which a third party may carry to its reader.
//!
//! What is kept is the answer's own bytes, in the wrapping token's cubbyhole, sealed. Not here: the endpoints (`engine::system::wrapping`)
//! and the moment at which answers are wrapped (`pipeline`).

use std::sync::Arc;

use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use crate::core::Core;
use crate::duration::Span;
use crate::ids;
use crate::lease;
use crate::logical::{Fault, Request, WrapInfo};
use crate::secret::Token;
use crate::store::growth::Table;
use crate::store::wrapping::{self, NewWrapping, WrappingRow};
use crate::store::{callers, cubbyholes};

/// Where in its cubbyhole a wrapping token keeps the answer.
const PLACE: &str = "response";

/// Paths that name a wrapping token, which is looked at before anything else about the request.
pub fn is_endpoint(path: &str) -> bool {
    matches!(
        path,
        "sys/wrapping/lookup" | "sys/wrapping/unwrap" | "sys/wrapping/rewrap"
    )
}

/// The wrapping token a request names: in its body, else its own.
pub fn named(request: &Request) -> Result<Token, Fault> {
    let refuse = |why: &str| Fault::bad(format!("error validating wrapping token: {why}"));
    match request.body.get("token") {
        None | Some(Value::Null) => request
            .client_token
            .clone()
            .ok_or_else(|| refuse("token is empty")),
        Some(Value::String(token)) if token.is_empty() => {
            Err(refuse("empty token in request body"))
        }
        Some(Value::String(token)) => Ok(Token::new(token.clone())),
        Some(_) => Err(refuse("could not decode token in request body")),
    }
}

/// Unknown, used, ended, or no wrapping token at all.
pub fn invalid() -> Fault {
    Fault::bad("wrapping token is not valid or does not exist")
}

/// A wrapping token that can still be used.
pub async fn find(core: &Core, token: &Token) -> Result<WrappingRow, Fault> {
    let token_hash = core.keys.token_hash(token)?;
    wrapping::by_hash(&core.store, &token_hash)
        .await?
        .ok_or_else(invalid)
}

/// Keeps an answer's bytes under a new wrapping token.
pub async fn wrap(
    core: &Core,
    answer: &[u8],
    ttl: Span,
    creation_path: &str,
) -> Result<WrapInfo, Fault> {
    let token = ids::service_token();
    let accessor = ids::base62(24);
    let new = NewWrapping {
        token_hash: &core.keys.token_hash(&token)?,
        accessor: &accessor,
        creation_path,
        ttl_us: ttl.nanos() / 1_000,
        ttl_seconds: ttl.seconds(),
    };
    core.growth.added(Table::Tokens);
    let answer = String::from_utf8_lossy(answer);
    let wrapped: Value = serde_json::from_str(&answer).unwrap_or_default();
    let wrapped_accessor = wrapped["auth"]["accessor"]
        .as_str()
        .filter(|accessor| !accessor.is_empty());
    let kept = json!({ PLACE: answer });

    let mut transaction = core.store.begin().await?;
    let (token_id, issued_at) = wrapping::insert(&mut transaction, &new).await?;
    let sealed = cubbyholes::seal(&core.keys, token_id, PLACE, &kept)?;
    cubbyholes::write(&mut *transaction, token_id, PLACE, &sealed).await?;
    transaction.commit().await?;
    Ok(WrapInfo {
        token,
        accessor,
        ttl_seconds: ttl.seconds(),
        creation_time: issued_at.format(&Rfc3339).map_err(Fault::internal)?,
        creation_path: creation_path.to_owned(),
        wrapped_accessor: wrapped_accessor.map(str::to_owned),
    })
}

/// Takes the one use of a wrapping token that is not the caller, and what it keeps; the token ends.
pub async fn consume(core: &Arc<Core>, row: &WrappingRow) -> Result<Vec<u8>, Fault> {
    if callers::count_use(&core.store, row.token_id)
        .await?
        .is_none()
    {
        return Err(invalid());
    }
    let answer = kept(core, row.token_id).await?;
    lease::end_owner(core, row.token_id).await?;
    Ok(answer)
}

/// What a wrapping token keeps; its use has been taken already.
pub async fn kept(core: &Core, token_id: i64) -> Result<Vec<u8>, Fault> {
    let sealed = cubbyholes::read(&core.store, token_id, PLACE)
        .await?
        .ok_or_else(invalid)?;
    let kept = cubbyholes::open(&core.keys, token_id, PLACE, &sealed)?;
    match kept.get(PLACE) {
        Some(Value::String(answer)) => Ok(answer.clone().into_bytes()),
        _ => Err(invalid()),
    }
}
