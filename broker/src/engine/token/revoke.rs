//! `auth/token/revoke*` (contract 5.6): durable in the store when the answer is given, told to the targets within two
//! seconds or by the outbox.

use super::{accessor_field, token_field};
use crate::lease;
use crate::logical::{BatchClaims, Call, Fault, Outcome, Response};
use crate::secret::Token;
use crate::store::tokens;

pub(super) async fn token(call: &Call<'_>) -> Outcome {
    let token = named(call)?;
    if let Some(token_id) = find(call, &token).await? {
        lease::end_owner(call.core, token_id).await?;
    }
    // The same for what never was: a caller learns nothing about tokens it does not have.
    Ok(None)
}

pub(super) async fn own(call: &Call<'_>) -> Outcome {
    let identity = &call.caller().token;
    match identity.token_id.filter(|_| !identity.batch) {
        Some(token_id) => lease::end_owner(call.core, token_id).await.map(|_| None),
        None => Err(batch()),
    }
}

pub(super) async fn orphaning(call: &Call<'_>) -> Outcome {
    let token = named(call)?;
    if !call.caller().sudo {
        return Err(Fault::bad(
            "root or sudo privileges required to revoke and orphan",
        ));
    }
    let unknown = || Fault::bad("token to revoke not found");
    let token_id = find(call, &token).await?.ok_or_else(unknown)?;
    let mut store = call.core.begin().await?;
    let (ended, notice) = lease::end_orphaning(&mut store, token_id).await?;
    store.commit().await?;
    notice.deliver(call.core).await;
    if ended { Ok(None) } else { Err(unknown()) }
}

pub(super) async fn by_accessor(call: &Call<'_>) -> Outcome {
    let accessor = accessor_field(call)?;
    match tokens::by_accessor(&call.core.store, accessor).await? {
        Some(row) => lease::end_owner(call.core, row.token_id)
            .await
            .map(|_| None),
        None => Ok(Some(
            Response::default().warn("No token found with this accessor"),
        )),
    }
}

fn named(call: &Call<'_>) -> Result<Token, Fault> {
    token_field(call)?.ok_or_else(|| Fault::bad("missing token ID"))
}

fn batch() -> Fault {
    Fault::bad("batch tokens cannot be revoked")
}

async fn find(call: &Call<'_>, token: &Token) -> Result<Option<i64>, Fault> {
    let core = call.core;
    if BatchClaims::decode(&core.keys, token)?.is_some() {
        return Err(batch());
    }
    let token_hash = core.keys.token_hash(token)?;
    let row = core.reads.token(token_hash).await?;
    Ok(row.map(|row| row.token_id))
}
