//! `leases/renew` (contract 6.2).

use super::lease_id;
use crate::duration::Span;
use crate::fields::FieldValue;
use crate::lease::{self, LeaseError, Renewal};
use crate::logical::{Call, Fault, LeaseReply, Outcome, Response};
use crate::store::tokens_by_path;
use crate::target::{Refusal, TargetError};
use crate::ttl;

pub(super) async fn renew(call: &Call<'_>) -> Outcome {
    let core = call.core;
    let lease_id = lease_id(call)?;
    let found = core.reads.lease_with_role(lease_id, call.guess).await?;
    let Some((lease, role)) = found else {
        if call.unproven().is_some() {
            return Err(Fault::unknown_caller());
        }
        if tokens_by_path::find(&core.store, lease_id).await?.is_some() {
            return Err(Fault::bad("tokens cannot be renewed through this endpoint"));
        }
        return Err(Fault::bad("lease not found"));
    };
    if lease.is_ending {
        return Err(Fault::bad("lease expired"));
    }
    let Some(mount) = call.mounts.by_id(lease.mount_id) else {
        return Err(Fault::bad("lease not found"));
    };
    let Some((role, config)) = role else {
        return Err(failed(&format!(
            "error during renew: could not find role with name \"{}\"",
            lease.role
        )));
    };
    let Some(config) = config else {
        return Err(failed(&format!(
            "failed to find entry for connection with name: \"{}\"",
            role.db_name()
        )));
    };
    let increment = call
        .fields
        .get("increment")
        .and_then(FieldValue::as_duration)
        .unwrap_or(Span::ZERO)
        .whole_seconds();
    let granted = ttl::grant(
        lease::wish(&role, increment),
        lease::mount_ttl(&core.settings, mount),
        Span::from_seconds(lease.age_seconds),
    )
    .map_err(|error| failed(&error.to_string()))?;
    let recipe = lease::recipe(&mount.accessor, &role);
    let renewal = Renewal {
        lease: &lease,
        config: &config,
        recipe: &recipe,
        ttl_seconds: granted.ttl.seconds(),
        max_ttl_seconds: granted.hard_stop.unwrap_or(granted.ttl).seconds(),
    };
    let has_seconds = lease::renew(core, &renewal).await.map_err(refuse)?;
    let mut warnings = granted.warnings;
    // The target counts by its own clock, to the microsecond, and knows a cap; a second less is rounding.
    let duration_seconds = if granted.ttl.seconds() - has_seconds <= 1 {
        granted.ttl.seconds()
    } else {
        warnings.clear();
        has_seconds
    };
    Ok(Some(Response {
        lease: Some(LeaseReply {
            lease_id: lease.lease_id.clone(),
            duration_seconds,
            renewable: true,
        }),
        warnings,
        ..Response::default()
    }))
}

/// The contract's frame around a renewal that was refused.
fn failed(why: &str) -> Fault {
    Fault::bad(format!(
        "failed to renew entry: resp: (*logical.Response)(nil) err: {why}"
    ))
}

fn refuse(error: LeaseError) -> Fault {
    match error {
        LeaseError::Fault(fault) => fault,
        LeaseError::Target(error) => match (error.refusal(), &error) {
            (Some(Refusal::LeaseEnded | Refusal::OwnerEnded), _) => Fault::bad("lease not found"),
            (Some(Refusal::PastMaximum), _) => failed("past the max TTL, cannot renew"),
            (_, TargetError::Unreachable { .. } | TargetError::Unknown(_)) => {
                Fault::raw(500, format!("failed to renew entry: {error}"))
            }
            _ => failed(&error.to_string()),
        },
    }
}
