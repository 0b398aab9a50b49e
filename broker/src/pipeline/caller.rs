//! Who calls: the token of the request, looked up in the store now.

use crate::authority;
use crate::core::Core;
use crate::logical::{Fault, Request};
use crate::store::callers::Found;

/// The identity behind the request's token; this counts as a use of it. Without a token, or with one that is dead or comes
/// from an address it is not bound to, there is none: 403.
pub(super) async fn identify(core: &Core, request: &Request) -> Result<Found, Fault> {
    let token = request
        .client_token
        .as_ref()
        .ok_or_else(Fault::unknown_caller)?;
    let found = authority::admit(core, token)
        .await?
        .ok_or_else(Fault::unknown_caller)?;
    if !found.may_come_from(request.remote) {
        return Err(Fault::unknown_caller());
    }
    Ok(found)
}
