//! What a handler gives back (contract 1.7): the envelope is made from it in one place, `http::envelope`.

use serde_json::{Map, Value};

use super::{Fault, RunFuture};
use crate::secret::Token;

/// `None` is the nil response of the contract: 204 for writes and deletes, 404 for reads and lists.
pub type Outcome = Result<Option<Response>, Fault>;

/// The lease part of the envelope.
#[derive(Clone, Debug)]
pub struct LeaseReply {
    /// Full lease id; may be empty where only the duration is told.
    pub lease_id: String,
    /// Seconds.
    pub duration_seconds: i64,
    /// Whether renewals are accepted.
    pub renewable: bool,
}

/// The `auth` object of the envelope.
#[derive(Clone, Debug)]
pub struct Auth {
    /// The new token; None where only the accessor was shown (renew-accessor): `""`.
    pub client_token: Option<Token>,
    /// Its accessor.
    pub accessor: String,
    /// Sorted policies.
    pub policies: Vec<String>,
    /// `meta`.
    pub metadata: Option<Map<String, Value>>,
    /// Seconds; 0 = never ends (root).
    pub lease_duration_seconds: i64,
    /// Whether renewals are accepted.
    pub renewable: bool,
    /// Always `""` here.
    pub entity_id: String,
    /// `service` or `batch`.
    pub token_type: &'static str,
    /// Has no parent.
    pub orphan: bool,
    /// Uses granted; 0 = unlimited.
    pub num_uses: i32,
}

/// The `wrap_info` object of the envelope.
#[derive(Clone, Debug)]
pub struct WrapInfo {
    /// The wrapping token.
    pub token: Token,
    /// Its accessor.
    pub accessor: String,
    /// Seconds.
    pub ttl_seconds: i64,
    /// RFC 3339.
    pub creation_time: String,
    /// Path of the request that was wrapped.
    pub creation_path: String,
    /// Accessor of a token inside, if there is one.
    pub wrapped_accessor: Option<String>,
}

/// A body that is sent as it is, without envelope.
#[derive(Clone, Debug)]
pub struct RawBody {
    /// HTTP status.
    pub status: u16,
    /// Exactly this content type; None = no body and none.
    pub content_type: Option<&'static str>,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// What is to be done when a client went away before it had its answer: run once, as a task of its own, if the
/// response could not be handed over whole; dropped unrun if it was. A handler itself always runs to its end,
/// whether or not its client is still there.
pub struct Undelivered(Box<dyn FnOnce() -> RunFuture<'static, ()> + Send>);

impl Undelivered {
    /// Keeps what it takes to do the work: the work itself is large, and seldom needed.
    pub fn new<Work>(work: impl FnOnce() -> Work + Send + 'static) -> Self
    where
        Work: Future<Output = ()> + Send + 'static,
    {
        Undelivered(Box::new(|| Box::pin(work())))
    }

    /// The work.
    pub fn into_future(self) -> RunFuture<'static, ()> {
        (self.0)()
    }
}

impl std::fmt::Debug for Undelivered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Undelivered")
    }
}

/// A response that is not nil.
#[derive(Debug, Default)]
pub struct Response {
    /// `data`; None = null.
    pub data: Option<Map<String, Value>>,
    /// `lease_id`, `lease_duration`, `renewable`.
    pub lease: Option<LeaseReply>,
    /// `auth`.
    pub auth: Option<Auth>,
    /// `warnings`; empty = null.
    pub warnings: Vec<String>,
    /// Set by the pipeline when the response was wrapped.
    pub wrap_info: Option<WrapInfo>,
    /// Status other than the one the contract's table gives (202 for accepted revocations).
    pub status: Option<u16>,
    /// Sent instead of an envelope.
    pub raw: Option<RawBody>,
    /// Undoes what the client will never learn of (a credential issued to a client that is gone).
    pub undelivered: Option<Undelivered>,
}

impl Response {
    /// A response with this `data`; `value` must be an object.
    pub fn data(value: Value) -> Self {
        match value {
            Value::Object(map) => Response {
                data: Some(map),
                ..Response::default()
            },
            other => unreachable!("response data is an object, not {other}"),
        }
    }

    /// A list (contract 1.7): nothing to list is a 404, never an empty list.
    pub fn keys(keys: Vec<String>) -> Outcome {
        if keys.is_empty() {
            return Err(Fault::absent());
        }
        Ok(Some(Response::data(serde_json::json!({ "keys": keys }))))
    }

    /// These warnings and nothing else; none is no response.
    pub fn warnings(warnings: Vec<String>) -> Option<Self> {
        (!warnings.is_empty()).then(|| Response {
            warnings,
            ..Response::default()
        })
    }

    /// A JSON body without envelope.
    pub fn json(status: u16, value: &Value) -> Self {
        let mut bytes = value.to_string().into_bytes();
        bytes.push(b'\n');
        Response {
            raw: Some(RawBody {
                status,
                content_type: Some("application/json"),
                bytes,
            }),
            ..Response::default()
        }
    }

    /// Nothing but a status: 202 with an empty JSON-typed body.
    pub fn accepted() -> Self {
        Response {
            raw: Some(RawBody {
                status: 202,
                content_type: Some("application/json"),
                bytes: Vec::new(),
            }),
            ..Response::default()
        }
    }

    /// Adds a warning.
    pub fn warn(mut self, text: impl Into<String>) -> Self {
        self.warnings.push(text.into());
        self
    }
}

/// The warning that a body's fields lost against the path's (contract 1.4).
pub fn replaced_by_path(names: &[&str]) -> String {
    format!(
        "Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [{}]",
        names.join(" ")
    )
}
