//! What the caller may: the policies' verdict on the very path that will be served.

use crate::authority;
use crate::core::Core;
use crate::logical::{Access, Caller, Fault, Request};
use crate::policy::ROOT;
use crate::store::callers::Found;

/// A caller with the rules it has; what they say of this request is asked by [`judge`].
pub(super) async fn with_rules(core: &Core, found: Found) -> Result<Caller, Fault> {
    let acl = authority::acl_of(core, &found).await?;
    let versions = found.versions.unwrap_or_default();
    let token = found.identity;
    let root = token.policies.iter().any(|name| name == ROOT);
    Ok(Caller {
        token,
        row: found.row,
        known_policies: versions.into_iter().map(|(name, _)| name).collect(),
        root,
        sudo: root,
        acl,
    })
}

/// Asks the rules. Refused is 403, in the form that tokens without rights see.
pub(super) fn judge(caller: &mut Caller, request: &Request, access: Access) -> Result<(), Fault> {
    let verdict = authority::verdict(&caller.acl, request);
    caller.root = verdict.root;
    caller.sudo = verdict.sudo;
    authority::passed(verdict, access)
}
