//! From an HTTP request to what it asks, or to the refusal that stands before everything else (contract 1.8, the first half of the
//! order of refusals). Pure but for the request's fresh id.

use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use uuid::Uuid;

use super::form;
use super::query::{self, go_bool};
use crate::duration::{self, Span};
use crate::json;
use crate::logical::{Body, Fault, Operation, Request};
use crate::path::{self, PathError};
use crate::secret::Token;

/// The head of an HTTP request.
pub(super) struct Head<'h> {
    pub(super) method: &'h str,
    pub(super) path: &'h str,
    pub(super) query: &'h str,
    pub(super) version: hyper::Version,
    pub(super) headers: &'h HeaderMap,
    pub(super) remote: IpAddr,
}

/// What is refused without being looked at further.
#[derive(Debug, PartialEq)]
pub(super) enum Early {
    /// Not HTTP as it should be: 400 with this plain text, or nothing at all.
    Malformed(Option<&'static str>),
    /// Nothing is served there: 404 with an empty list of errors.
    Elsewhere,
    /// `/` and `/ui/`: 404 in plain text.
    NoInterface,
    /// An ordinary refusal.
    Refused(Fault),
}

impl From<Fault> for Early {
    fn from(fault: Fault) -> Self {
        Early::Refused(fault)
    }
}

/// The logical path of a target. That it is relative is refused only later, after the body has been read (contract 1.8).
pub(super) fn logical_path(target: &str) -> Result<Result<String, Fault>, Early> {
    match path::canonicalize(target) {
        Ok(path) => Ok(Ok(path)),
        Err(error @ PathError::Relative) => Ok(Err(Fault::bad(error.to_string()))),
        Err(PathError::BadEscape) => Err(Early::Malformed(Some("400 Bad Request"))),
        Err(PathError::NotPrintable) => Err(Early::Malformed(None)),
        Err(PathError::Outside) if matches!(target, "/" | "/ui" | "/ui/") => {
            Err(Early::NoInterface)
        }
        Err(PathError::Outside) => Err(Early::Elsewhere),
    }
}

/// Whether a request names its host as HTTP/1.1 wants: once, and with the characters of a name or an address.
pub(super) fn check_host(version: hyper::Version, headers: &HeaderMap) -> Result<(), Early> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if version <= hyper::Version::HTTP_10 => Ok(()),
        (None, _) => Err(Early::Malformed(Some(
            "400 Bad Request: missing required Host header",
        ))),
        (Some(_), Some(_)) => Err(Early::Malformed(Some("400 Bad Request"))),
        (Some(host), None) => {
            let fits =
                |byte: &u8| byte.is_ascii_alphanumeric() || b"!$%&'()*+,-.:;=[]_~".contains(byte);
            if host.as_bytes().iter().all(fits) {
                Ok(())
            } else {
                Err(Early::Malformed(Some(
                    "400 Bad Request: malformed Host header",
                )))
            }
        }
    }
}

/// Whether a request asks for help, whatever its method.
pub(super) fn asks_help(head: &Head<'_>, pairs: &[(String, String)]) -> bool {
    head.method == "HELP" || query::first(pairs, "help").is_some_and(|value| !value.is_empty())
}

/// The operation of a method with its query. A write is an update until its endpoint says otherwise.
pub(super) fn operation(head: &Head<'_>, pairs: &[(String, String)]) -> Result<Operation, Fault> {
    if asks_help(head, pairs) {
        return Ok(Operation::Help);
    }
    match head.method {
        "GET" => {
            let listed = match query::first(pairs, "list") {
                None | Some("") => false,
                Some(text) => go_bool(text).ok_or_else(|| Fault::empty(400))?,
            };
            Ok(if listed {
                Operation::List
            } else {
                Operation::Read
            })
        }
        "LIST" => Ok(Operation::List),
        "POST" | "PUT" => Ok(Operation::Update),
        "DELETE" => Ok(Operation::Delete),
        "HEAD" => Ok(Operation::Head),
        "PATCH" => {
            let given = head
                .headers
                .get(CONTENT_TYPE)
                .map(|value| value.to_str().unwrap_or_default());
            let Some(given) = given else {
                return Err(Fault::bad("mime: no media type"));
            };
            let media = given.split(';').next().unwrap_or_default().trim();
            if media.eq_ignore_ascii_case("application/merge-patch+json") {
                Ok(Operation::Patch)
            } else {
                Err(Fault::raw(
                    415,
                    format!(
                        "PATCH requires Content-Type of application/merge-patch+json, provided {}",
                        media
                    ),
                ))
            }
        }
        // Known, and served by nothing: refused as HEAD is, which no capability grants.
        "SCAN" => Ok(Operation::Head),
        // OPTIONS among them: there is no CORS.
        _ => Err(Fault::empty(405)),
    }
}

/// Whether the body of an operation is read as its data.
pub(super) fn takes_body(operation: Operation) -> bool {
    operation.is_write() || operation == Operation::Patch
}

/// The fields of a body: JSON, or a form where the content type says so and the first byte does not contradict.
pub(super) fn fields(headers: &HeaderMap, body: &[u8]) -> Result<Body, Fault> {
    let media = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    if media.eq_ignore_ascii_case("application/x-www-form-urlencoded") && form::is_form(body) {
        return form::parse(body).ok_or_else(|| Fault::bad("error parsing form data"));
    }
    json::parse_body(body).map_err(|error| match error {
        json::JsonError::TooDeep | json::JsonError::TooMany => Fault::bad(format!(
            "refused JSON input due to high complexity: {error}"
        )),
        error => Fault::bad(format!("failed to decode JSON input: {error}")),
    })
}

/// The TTL that the wrapping header asks for; None if it asks for nothing.
pub(super) fn wrap_ttl(headers: &HeaderMap) -> Result<Option<Span>, Fault> {
    let Some(value) = headers.get("x-vault-wrap-ttl") else {
        return Ok(None);
    };
    let refuse = |why: &dyn std::fmt::Display| {
        Fault::bad(format!("error parsing X-Vault-Wrap-TTL header: {why}"))
    };
    let text = value.to_str().map_err(|_| refuse(&"not a duration"))?;
    let span = duration::parse(text).map_err(|error| refuse(&error))?;
    if span.is_negative() {
        return Err(refuse(&"requested wrap ttl cannot be negative"));
    }
    Ok((!span.is_zero()).then_some(span))
}

/// The token: `X-Vault-Token`, else the first `Authorization: Bearer`.
pub(super) fn token(headers: &HeaderMap) -> Option<Token> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let own = headers
        .get("x-vault-token")
        .map(|value| text(value.as_bytes()))
        .filter(|token| !token.is_empty());
    own.or_else(|| {
        headers
            .get_all(AUTHORIZATION)
            .iter()
            .find_map(|value| {
                value
                    .as_bytes()
                    .strip_prefix(b"Bearer ")
                    .map(|rest| text(rest).trim().to_owned())
            })
            .filter(|token| !token.is_empty())
    })
    .map(Token::new)
}

/// Whether the namespace header names one that is not the root.
pub(super) fn unknown_namespace(headers: &HeaderMap) -> bool {
    headers.get("x-vault-namespace").is_some_and(|value| {
        !matches!(
            value.as_bytes(),
            b"" | b"/" | b"root" | b"root/" | b"/root" | b"/root/"
        )
    })
}

/// The logical request of a head and its body, once nothing before it refused.
pub(super) fn request(
    head: &Head<'_>,
    logical_path: Result<String, Fault>,
    operation: Operation,
    body: Body,
) -> Result<Request, Fault> {
    let wrap_ttl = wrap_ttl(head.headers)?;
    let mut path = logical_path?;
    if operation == Operation::List && !path.ends_with('/') {
        path.push('/');
    }
    Ok(Request {
        id: Uuid::new_v4(),
        operation,
        path,
        body,
        wrap_ttl,
        unknown_namespace: unknown_namespace(head.headers),
        remote: Some(head.remote),
        client_token: token(head.headers),
    })
}
