//! What an endpoint outside the mount system is given.

use std::net::IpAddr;
use std::sync::Arc;

use crate::core::Core;
use crate::logical::Body;
use crate::secret::Token;

/// A request to such an endpoint.
pub struct SpecialCall<'a> {
    /// Store, keys, settings.
    pub core: &'a Arc<Core>,
    /// Fields of the body.
    pub body: &'a Body,
    /// The query, as written.
    pub query: &'a [(String, String)],
    /// The token, if one was sent.
    pub token: Option<Token>,
    /// POST or PUT.
    pub is_write: bool,
    /// The client's address.
    pub remote: IpAddr,
}
