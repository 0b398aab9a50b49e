//! `leases/lookup`: what the store's index says of a lease.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::lease_id;
use crate::logical::{Call, Fault, Outcome, Response};
use crate::store::tokens_by_path;

pub(super) async fn lookup(call: &Call<'_>) -> Outcome {
    let lease_id = lease_id(call)?;
    let store = &call.core.store;
    let data = if let Some(lease) = call.core.reads.lease(lease_id).await? {
        // One that is ending is shown until its target has said that it has ended.
        if lease.left_seconds < 0 && !lease.is_ending {
            return Err(Fault::bad("invalid lease"));
        }
        json!({
            "id": lease.lease_id,
            "issue_time": instant(lease.issued_at),
            "expire_time": instant(lease.expires_at),
            "last_renewal": lease.last_renewed_at.map(instant),
            "path": lease.path,
            "renewable": !lease.is_ending,
            "ttl": if lease.is_ending { 0 } else { lease.left_seconds },
        })
    } else if let Some(token) = tokens_by_path::find(store, lease_id).await? {
        json!({
            "id": lease_id,
            "issue_time": instant(token.issued_at),
            "expire_time": token.expires_at.map(instant),
            "last_renewal": token.last_renewed_at.map(instant),
            "path": token.path,
            "renewable": token.renewable,
            "ttl": token.left_seconds.unwrap_or(0),
        })
    } else {
        return Err(Fault::bad("invalid lease"));
    };
    Ok(Some(Response::data(data)))
}

fn instant(at: OffsetDateTime) -> Value {
    at.format(&Rfc3339)
        .expect("an instant of PostgreSQL is one of RFC 3339")
        .into()
}
