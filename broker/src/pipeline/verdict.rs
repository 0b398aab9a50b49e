//! What the caller may: the policies' verdict on the very path that will be served.

use crate::authority;
use crate::core::Core;
use crate::logical::{Caller, Fault, Request};
use crate::policy::{Query, ROOT, Verdict};
use crate::store::callers::Found;

/// A caller with the rules it has; what they say of this request is asked by [`judge`].
pub(super) async fn with_rules(core: &Core, found: Found) -> Result<Caller, Fault> {
    let acl = authority::acl_of(core, &found).await?;
    let revisions = found.revisions.unwrap_or_default();
    let token = found.identity;
    let root = token.policies.iter().any(|name| name == ROOT);
    Ok(Caller {
        token,
        row: found.row,
        known_policies: revisions.into_iter().map(|(name, _)| name).collect(),
        root,
        sudo: root,
        acl,
    })
}

/// Asks the rules. Refused is 403, in the form that tokens without rights see.
pub(super) fn judge(caller: &mut Caller, request: &Request, needs_sudo: bool) -> Result<(), Fault> {
    let Verdict {
        allowed,
        root,
        sudo,
    } = caller.acl.decide(&Query {
        path: &request.path,
        operation: request.operation,
        data: (!request.body.is_empty()).then_some(&request.body),
        wrap_ttl: request.wrap_ttl,
    });
    caller.root = root;
    caller.sudo = sudo;
    if allowed && (sudo || !needs_sudo) {
        Ok(())
    } else {
        Err(Fault::denied())
    }
}
