//! Response wrapping (contract 9): an answer kept under a token for one use, which a third party may carry to its reader.
//!
//! What is kept is the answer's own bytes, in the wrapping token's cubbyhole, sealed. Not here: the endpoints (`engine::system::wrapping`)
//! and the moment at which answers are wrapped (`pipeline`).

use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::{PgConnection, PgExecutor};
use time::format_description::well_known::Rfc3339;

use crate::core::Core;
use crate::duration::Span;
use crate::ids;
use crate::json;
use crate::lease::{self, Notice};
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
    let mut store = core.begin().await?;
    let info = keep(core, &mut store, answer, ttl, creation_path).await?;
    store.commit().await?;
    Ok(info)
}

/// Takes the one use of a wrapping token that is not the caller, and what it keeps; the token ends.
pub async fn consume(core: &Arc<Core>, row: &WrappingRow) -> Result<Vec<u8>, Fault> {
    let mut store = core.begin().await?;
    let (answer, notice) = take(core, &mut store, row.token_id).await?;
    store.commit().await?;
    notice.deliver(core).await;
    Ok(answer)
}

/// The same, but what it keeps is kept under a new wrapping token, with the TTL of the old one unless another is given. All
/// in one transaction: what is in neither of the two would be lost.
pub async fn rewrap(
    core: &Arc<Core>,
    row: &WrappingRow,
    ttl: Option<Span>,
) -> Result<WrapInfo, Fault> {
    let mut store = core.begin().await?;
    let (answer, notice) = take(core, &mut store, row.token_id).await?;
    let ttl = ttl.unwrap_or_else(|| same_ttl(row.ttl_seconds));
    let info = keep(core, &mut store, &answer, ttl, &row.creation_path).await?;
    store.commit().await?;
    notice.deliver(core).await;
    Ok(info)
}

/// The TTL of a token that was granted these whole seconds: 0 was less than a second, and no time would be the end at once.
fn same_ttl(granted_seconds: i64) -> Span {
    Span::from_seconds(granted_seconds.max(1))
}

/// What a wrapping token keeps; its use has been taken already.
pub async fn kept(
    core: &Core,
    store: impl PgExecutor<'_>,
    token_id: i64,
) -> Result<Vec<u8>, Fault> {
    let sealed = cubbyholes::read(store, token_id, PLACE)
        .await?
        .ok_or_else(invalid)?;
    let kept = cubbyholes::open(&core.keys, token_id, PLACE, &sealed)?;
    match kept.get(PLACE) {
        Some(Value::String(answer)) => Ok(answer.clone().into_bytes()),
        _ => Err(invalid()),
    }
}

/// Within the caller's transaction: the use of a wrapping token, what it keeps, and its end.
async fn take(
    core: &Core,
    store: &mut PgConnection,
    token_id: i64,
) -> Result<(Vec<u8>, Notice), Fault> {
    if callers::count_use(&mut *store, token_id).await?.is_none() {
        return Err(invalid());
    }
    let answer = kept(core, &mut *store, token_id).await?;
    let (_, notice) = lease::end_tree(store, token_id).await?;
    Ok((answer, notice))
}

/// Within the caller's transaction: a new wrapping token that keeps this.
async fn keep(
    core: &Core,
    store: &mut PgConnection,
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
    let wrapped_accessor = wrapped_accessor(answer);
    let kept = json!({ PLACE: String::from_utf8_lossy(answer) });

    let (token_id, issued_at) = wrapping::insert(&mut *store, &new).await?;
    let sealed = cubbyholes::seal(&core.keys, token_id, PLACE, &kept)?;
    cubbyholes::write(&mut *store, token_id, PLACE, &sealed).await?;
    Ok(WrapInfo {
        token,
        accessor,
        ttl_seconds: ttl.seconds(),
        creation_time: issued_at.format(&Rfc3339).map_err(Fault::internal)?,
        creation_path: creation_path.to_owned(),
        wrapped_accessor,
    })
}

/// The accessor of a token inside an answer. Read by the reader that takes every name of a member for a name.
fn wrapped_accessor(answer: &[u8]) -> Option<String> {
    let answer = json::parse(answer).ok()?.into_value();
    let accessor = answer.get("auth")?.get("accessor")?.as_str()?;
    (!accessor.is_empty()).then(|| accessor.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_less_than_a_second_can_be_wrapped_again() {
        assert_eq!(same_ttl(0), Span::from_seconds(1));
        assert_eq!(same_ttl(60), Span::from_seconds(60));
    }

    #[test]
    fn accessors_of_tokens_inside() {
        let check = |answer: &str, expect: Option<&str>| {
            assert_eq!(
                wrapped_accessor(answer.as_bytes()).as_deref(),
                expect,
                "{answer}"
            );
        };
        check(r#"{"auth":{"accessor":"a"}}"#, Some("a"));
        check(r#"{"auth":{"accessor":""}}"#, None);
        check(r#"{"auth":null}"#, None);
        check("no JSON", None);
        check(
            r#"{"auth":{"accessor":"a","metadata":{"$serde_json::private::Number":"x"}}}"#,
            Some("a"),
        );
    }
}
