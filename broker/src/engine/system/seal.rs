//! `sys/seal` and `sys/step-down`: for callers with sudo and update on the path.

use super::special_call::SpecialCall;
use super::state::nothing;
use crate::authority;
use crate::logical::{Fault, Operation, Outcome};
use crate::policy::Query;

pub(super) async fn seal(call: &SpecialCall<'_>) -> Outcome {
    if call.core.keys.is_sealed() {
        return nothing();
    }
    let token = call.token.as_ref().ok_or_else(Fault::unknown_caller)?;
    let found = authority::look_up(call.core, token)
        .await?
        .ok_or_else(Fault::unknown_caller)?;
    if !found.may_come_from(Some(call.remote)) {
        return Err(Fault::unknown_caller());
    }
    let found = authority::admit(call.core, found)
        .await?
        .ok_or_else(Fault::unknown_caller)?;
    let acl = authority::acl(call.core, &found.identity.policies).await?;
    let verdict = acl.decide(&Query {
        path: "sys/seal",
        operation: Operation::Update,
        data: (!call.body.is_empty()).then_some(call.body),
        wrap_ttl: None,
    });
    if !(verdict.allowed && verdict.sudo) {
        return Err(Fault::denied());
    }
    call.core.keys.forget();
    call.core.ready.clear();
    call.core.unsealing.reset();
    tracing::warn!(accessor = found.identity.accessor, "sealed on request");
    nothing()
}

/// There is no active node to step down: all brokers of a store are alike.
pub(super) async fn step_down(_: &SpecialCall<'_>) -> Outcome {
    nothing()
}
