//! `leases/revoke`, `leases/revoke-prefix`, `leases/revoke-force` (contract 6.3).

use super::lease_id;
use crate::fields::FieldValue;
use crate::lease::{self, End, Mode};
use crate::logical::{Call, Outcome, Response};

pub(super) async fn one(call: &Call<'_>) -> Outcome {
    let lease_id = lease_id(call)?;
    reply(lease::end_lease(call.core, lease_id, mode(call)).await?)
}

pub(super) async fn prefix(call: &Call<'_>) -> Outcome {
    let prefix = call.capture("prefix").trim_end_matches('/');
    reply(lease::end_prefix(call.core, prefix, None, mode(call)).await?)
}

pub(super) async fn force(call: &Call<'_>) -> Outcome {
    let prefix = call.capture("prefix").trim_end_matches('/');
    lease::end_prefix(call.core, prefix, None, Mode::Force).await?;
    Ok(None)
}

fn mode(call: &Call<'_>) -> Mode {
    match call.fields.get("sync").and_then(FieldValue::as_bool) {
        Some(false) => Mode::Accept,
        _ => Mode::Wait,
    }
}

fn reply(end: End) -> Outcome {
    Ok(match end {
        End::Done => None,
        End::Accepted => Some(Response::accepted()),
    })
}
