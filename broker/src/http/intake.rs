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

/// The fields of a body.
pub(super) fn fields(headers: &HeaderMap, body: &[u8]) -> Result<Body, Fault> {
    let media = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    body_fields(media, body)
}

/// The fields of a body sent under a content type: JSON, or a form where the type says so and the first byte does not
/// contradict. The fault says what can not be read.
pub fn body_fields(media: &str, body: &[u8]) -> Result<Body, Fault> {
    if form::is_form_type(media) && form::is_form(body) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name: HeaderName = name.parse().expect("a header's name");
            headers.append(
                name,
                HeaderValue::from_bytes(value.as_bytes()).expect("a header's value"),
            );
        }
        headers
    }

    #[test]
    fn methods_and_queries_become_operations() {
        let check =
            |method: &str, query: &str, content_type: &str, expect: Result<Operation, u16>| {
                let headers = match content_type {
                    "" => headers(&[]),
                    media => headers(&[("content-type", media)]),
                };
                let head = Head {
                    method,
                    path: "/v1/a",
                    query,
                    version: hyper::Version::HTTP_11,
                    headers: &headers,
                    remote: IpAddr::from([127, 0, 0, 1]),
                };
                let got = operation(&head, &query::pairs(query)).map_err(|fault| fault.status);
                assert_eq!(got, expect, "{method} ?{query} {content_type}");
            };
        check("GET", "", "", Ok(Operation::Read));
        check("GET", "list=true", "", Ok(Operation::List));
        check("GET", "list=1&list=no", "", Ok(Operation::List));
        check("GET", "list=F", "", Ok(Operation::Read));
        check("GET", "list=", "", Ok(Operation::Read));
        check("GET", "list=yes", "", Err(400));
        check("LIST", "", "", Ok(Operation::List));
        check("list", "", "", Err(405));
        check("POST", "list=true", "", Ok(Operation::Update));
        check("PUT", "", "", Ok(Operation::Update));
        check("DELETE", "", "", Ok(Operation::Delete));
        check("HEAD", "", "", Ok(Operation::Head));
        check("SCAN", "", "", Ok(Operation::Head));
        check("OPTIONS", "", "", Err(405));
        check("FOO", "", "", Err(405));
        check("FOO", "help=1", "", Ok(Operation::Help));
        check("GET", "help=", "", Ok(Operation::Read));
        check("HELP", "", "", Ok(Operation::Help));
        check("PATCH", "", "", Err(400));
        check("PATCH", "", "application/json", Err(415));
        check(
            "PATCH",
            "",
            "application/merge-patch+json; charset=utf-8",
            Ok(Operation::Patch),
        );
    }

    #[test]
    fn tokens_come_from_either_header() {
        let check = |pairs: &[(&str, &str)], expect: Option<&str>| {
            let found = token(&headers(pairs));
            assert_eq!(found.as_ref().map(Token::expose), expect, "{pairs:?}");
        };
        check(&[], None);
        check(&[("x-vault-token", "a")], Some("a"));
        check(&[("x-vault-token", "a"), ("x-vault-token", "b")], Some("a"));
        check(
            &[("x-vault-token", "a"), ("authorization", "Bearer b")],
            Some("a"),
        );
        check(
            &[("x-vault-token", ""), ("authorization", "Bearer b ")],
            Some("b"),
        );
        check(
            &[("authorization", "Basic x"), ("authorization", "Bearer b")],
            Some("b"),
        );
        check(&[("authorization", "bearer b")], None);
        check(&[("authorization", "Bearer ")], None);
    }

    #[test]
    fn wrapping_is_asked_for_by_a_duration() {
        let check = |value: &str, expect: Result<Option<i64>, ()>| {
            let got = wrap_ttl(&headers(&[("x-vault-wrap-ttl", value)]));
            assert_eq!(
                got.map(|ttl| ttl.map(Span::seconds)).map_err(|_| ()),
                expect,
                "{value}"
            );
        };
        check("60", Ok(Some(60)));
        check("5m", Ok(Some(300)));
        check("500ms", Ok(Some(0)));
        check("0", Ok(None));
        check("", Ok(None));
        check("-1", Err(()));
        check("x", Err(()));
    }

    #[test]
    fn hosts_are_named_once() {
        let check = |version: hyper::Version, hosts: &[&str], good: bool| {
            let pairs: Vec<(&str, &str)> = hosts.iter().map(|host| ("host", *host)).collect();
            assert_eq!(
                check_host(version, &headers(&pairs)).is_ok(),
                good,
                "{hosts:?}"
            );
        };
        check(hyper::Version::HTTP_11, &["localhost:8200"], true);
        check(hyper::Version::HTTP_11, &["[::1]:8200"], true);
        check(hyper::Version::HTTP_11, &[], false);
        check(hyper::Version::HTTP_10, &[], true);
        check(hyper::Version::HTTP_11, &["a", "b"], false);
        check(hyper::Version::HTTP_11, &["a b"], false);
    }

    #[test]
    fn namespaces_other_than_the_root_are_unknown() {
        for (value, unknown) in [
            ("", false),
            ("root", false),
            ("/", false),
            ("root/", false),
            ("a", true),
            ("root/a", true),
        ] {
            assert_eq!(
                unknown_namespace(&headers(&[("x-vault-namespace", value)])),
                unknown,
                "{value}"
            );
        }
    }

    #[test]
    fn targets_are_below_v1() {
        assert_eq!(logical_path("/v1/a//b/"), Ok(Ok("a/b/".into())));
        assert_eq!(logical_path("/v1/a%2fb"), Ok(Ok("a/b".into())));
        assert_eq!(
            logical_path("/v1/a%"),
            Err(Early::Malformed(Some("400 Bad Request")))
        );
        assert_eq!(logical_path("/v1/a%00"), Err(Early::Malformed(None)));
        assert_eq!(logical_path("/v2/a"), Err(Early::Elsewhere));
        assert_eq!(logical_path("/ui/"), Err(Early::NoInterface));
        assert!(matches!(logical_path("/v1/a/%2e%2e/b"), Ok(Err(_))));
    }
}
