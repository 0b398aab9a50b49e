//! Who calls: the token of the request, looked up in the store just now.

use crate::authority;
use crate::core::Core;
use crate::logical::{Fault, Request};
use crate::store::callers::Found;

/// The identity behind the request's token, as it was just `found`; this counts as a use of it. Without a token, or with one
/// that is dead or comes from an address it is not bound to, there is none: 403.
pub(super) async fn identify(
    core: &Core,
    request: &Request,
    found: Option<Found>,
) -> Result<Found, Fault> {
    let found = found.ok_or_else(Fault::unknown_caller)?;
    // First: whoever may not use it does not use it up.
    if !found.may_come_from(request.remote) {
        return Err(Fault::unknown_caller());
    }
    authority::admit(core, found)
        .await?
        .ok_or_else(Fault::unknown_caller)
}
