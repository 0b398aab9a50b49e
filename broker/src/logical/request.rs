//! A request after HTTP: decoded, canonical, its caller known.

use serde_json::{Map, Value};
use std::net::IpAddr;
use std::sync::Arc;

use uuid::Uuid;

use super::{Operation, TokenRow};
use crate::duration::Span;
use crate::policy::Acl;

/// The data of a request: the fields of a write's body, or the query of a read.
pub type Body = Map<String, Value>;

/// Who the token in a request is, as read from the store in this request. Never the token itself.
#[derive(Clone, Debug)]
pub struct TokenIdentity {
    /// `tokens.token_id`; for a batch token its parent's, if it has one.
    pub token_id: Option<i64>,
    /// Keyed hash of the token (service tokens).
    pub token_hash: Vec<u8>,
    /// Accessor; empty for batch tokens.
    pub accessor: String,
    /// Names of its policies, sorted.
    pub policies: Vec<String>,
    /// `token`, `root`, `token-ci`, …: what logins are named after.
    pub display_name: String,
    /// True for `b.`-tokens, which are not stored.
    pub batch: bool,
    /// A batch token's own end: leases made with it end then (microseconds since the epoch).
    pub batch_expires_at_us: Option<i64>,
    /// Uses left after this one; None = unlimited.
    pub uses_left: Option<i32>,
    /// The token's request path, `auth/token/create`.
    pub path: String,
    /// Remaining lifetime in whole seconds; None = never ends.
    pub ttl_seconds: Option<i64>,
    /// A wrapping token: good for one unwrap.
    pub wrapping: bool,
}

/// The caller of a request and what its policies say.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub token: TokenIdentity,
    /// All of the token, as read in this request before it was used; batch tokens have no row.
    pub row: Option<Arc<TokenRow>>,
    /// Those of its policies that exist, as read in this request; empty also where that was not read.
    pub known_policies: Vec<String>,
    /// Has the root policy.
    pub root: bool,
    /// Holds `sudo` on the very path of this request (always true for root).
    pub sudo: bool,
    /// The rules of its policies, as read in this request.
    pub acl: Arc<Acl>,
}

/// A logical request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Fresh per request; comes back as `request_id`.
    pub id: Uuid,
    /// What it wants.
    pub operation: Operation,
    /// Canonical path below `/v1/`, byte for byte the one that was judged. A list's ends with `/`.
    pub path: String,
    /// Fields of the body (write), or of the query (read, delete).
    pub body: Body,
    /// From `X-Vault-Wrap-TTL`; None = no wrapping asked. Below a second it still wraps.
    pub wrap_ttl: Option<Span>,
    /// The header names a namespace that is not there.
    pub unknown_namespace: bool,
    /// The client's address.
    pub remote: Option<IpAddr>,
    /// The token of the request, for the few endpoints that act on "the caller's token" itself (renew-self, unwrap).
    pub client_token: Option<crate::secret::Token>,
}
