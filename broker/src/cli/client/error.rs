//! Why a request failed, in the layout that users and scripts know.

use std::io;

use serde_json::Value;
use thiserror::Error;

use super::Answer;
use crate::cli::PROGRAM;

/// A failed request.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The server answered with 400 or above.
    #[error("{}", layout(method, url, *status, reasons, raw.as_deref(), *sent_token))]
    Refused {
        /// Method of the request.
        method: &'static str,
        /// URL of the request, with its query.
        url: String,
        /// Status of the answer.
        status: u16,
        /// What the server says, one reason an entry.
        reasons: Vec<String>,
        /// The body, where it is no list of errors.
        raw: Option<String>,
        /// Whether a token was shown.
        sent_token: bool,
    },
    /// There was no answer.
    #[error("cannot reach {url}: {why}")]
    Unreachable {
        /// URL of the request.
        url: String,
        /// What happened, and what may help.
        why: String,
    },
    /// The address can not be used.
    #[error("address {address:?} can not be used: {why}")]
    Address {
        /// As given.
        address: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A file of certificates or keys can not be used.
    #[error("failed to set TLS up: {what}: {why}")]
    Tls {
        /// What was tried.
        what: String,
        /// What is wrong.
        why: String,
    },
    /// The proxy that the environment names can not be used; its URL may hold a password, so it is not shown.
    #[error("the proxy in {variable} can not be used: {why}")]
    Proxy {
        /// Which variable names it.
        variable: &'static str,
        /// What is wrong.
        why: &'static str,
    },
    /// A redirect that is not followed.
    #[error("the server redirects to {location}, which is not followed: {why}")]
    Redirect {
        /// Where to.
        location: String,
        /// Why not.
        why: &'static str,
    },
    /// `-header` with a name that is ours to set.
    #[error(
        "header {0:?} can not be given by -header: names that begin with X-Vault- have flags of their own"
    )]
    Header(String),
    /// The token can not stand in a header.
    #[error("the token has characters that no token has (a line break?)")]
    Token,
    /// The answer is no JSON of the form that the verb needs.
    #[error("the server's answer to {path} is not understood: {why}")]
    Answer {
        /// Path of the request.
        path: String,
        /// Where reading failed.
        why: String,
    },
    /// Nothing was sent, as asked: this is what would have been.
    #[error("nothing was sent")]
    Shown(String),
}

impl ClientError {
    /// A refusal, out of an answer.
    pub(super) fn refused(
        method: &'static str,
        url: String,
        answer: Answer,
        sent_token: bool,
    ) -> ClientError {
        let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let errors = body
            .as_ref()
            .and_then(|body| body.get("errors"))
            .and_then(Value::as_array);
        let (reasons, raw) = match errors {
            Some(errors) => {
                let texts = errors.iter().map(|error| match error.as_str() {
                    Some(text) => text.to_owned(),
                    None => error.to_string(),
                });
                (texts.flat_map(|text| unroll(&text)).collect(), None)
            }
            None => {
                let text = String::from_utf8_lossy(&answer.body).trim().to_owned();
                (Vec::new(), Some(text).filter(|text| !text.is_empty()))
            }
        };
        ClientError::Refused {
            method,
            url,
            status: answer.status,
            reasons,
            raw,
            sent_token,
        }
    }

    /// No answer, in words that help.
    pub(super) fn unreachable(url: &str, error: &ureq::Error) -> ClientError {
        let why = match error {
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => format!(
                "connection refused\nIs the server running, and is this its address? Set it by \
                 -address or {PROGRAM_UPPER}_ADDR (or VAULT_ADDR)."
            ),
            ureq::Error::HostNotFound => "no such host".to_owned(),
            ureq::Error::Timeout(_) => "no answer in time (see -timeout)".to_owned(),
            ureq::Error::Io(error) => {
                let text = error.to_string();
                let hint = HINTS.iter().find(|(word, _)| text.contains(word));
                hint.map_or(text.clone(), |(_, hint)| format!("{text}\n{hint}"))
            }
            error => error.to_string(),
        };
        ClientError::Unreachable {
            url: url.to_owned(),
            why,
        }
    }
}

/// What may help, by a word of the failure.
const HINTS: [(&str, &str); 3] = [
    (
        "UnknownIssuer",
        "Trust the server's authority by -ca-cert=FILE, if it is the right server.",
    ),
    (
        "not valid for name",
        "If it is the right server, give one of its names by -tls-server-name.",
    ),
    (
        "corrupt",
        "Does the server speak plain HTTP? Then its address begins with http://.",
    ),
];

const PROGRAM_UPPER: &str = "LEASEHOLD";

/// Servers wrap what went wrong as `1 error occurred:` and a list; only the list says something.
fn unroll(text: &str) -> Vec<String> {
    let Some((head, list)) = text.split_once(" occurred:\n") else {
        return vec![text.to_owned()];
    };
    let counted = head.strip_suffix(" errors").or(head.strip_suffix(" error"));
    if counted.is_none_or(|count| count.parse::<u32>().is_err()) {
        return vec![text.to_owned()];
    }
    let items = list.trim_end().split("\n\t* ");
    items
        .map(|item| item.trim_start_matches("\t* ").trim().to_owned())
        .collect()
}

fn layout(
    method: &str,
    url: &str,
    status: u16,
    reasons: &[String],
    raw: Option<&str>,
    sent_token: bool,
) -> String {
    let mut text = format!("Error making API request.\n\nURL: {method} {url}\nCode: {status}.");
    if let Some(raw) = raw {
        text.push_str(&format!(" Raw Message:\n\n{raw}"));
    } else if reasons.is_empty() {
        text.push_str(" The server gives no reason.");
    } else {
        text.push_str(" Errors:\n");
        for reason in reasons {
            text.push_str(&format!("\n* {reason}"));
        }
    }
    if status == 403 && !sent_token {
        text.push_str(&format!(
            "\n\nNo token was sent: \"{PROGRAM} login\" keeps one, or set {PROGRAM_UPPER}_TOKEN (or VAULT_TOKEN)."
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unrolls_lists_of_errors() {
        let check = |text: &str, expect: &[&str]| assert_eq!(unroll(text), expect, "{text:?}");
        check("permission denied", &["permission denied"]);
        check(
            "1 error occurred:\n\t* permission denied\n\n",
            &["permission denied"],
        );
        check("2 errors occurred:\n\t* one\n\t* two\n\n", &["one", "two"]);
        check(
            "an error occurred:\n\t* x\n\n",
            &["an error occurred:\n\t* x\n\n"],
        );
    }

    #[test]
    fn lays_refusals_out() {
        let check = |status: u16, body: &str, sent_token: bool, expect: &str| {
            let answer = Answer {
                status,
                body: body.as_bytes().to_vec(),
            };
            let error = ClientError::refused("GET", "http://h/v1/a".into(), answer, sent_token);
            let head = "Error making API request.\n\nURL: GET http://h/v1/a\n";
            assert_eq!(error.to_string(), format!("{head}{expect}"));
        };
        check(
            400,
            r#"{"errors":["a","b"]}"#,
            true,
            "Code: 400. Errors:\n\n* a\n* b",
        );
        check(
            405,
            r#"{"errors":[]}"#,
            true,
            "Code: 405. The server gives no reason.",
        );
        check(400, "<html>\n", true, "Code: 400. Raw Message:\n\n<html>");
        let hint = "No token was sent: \"leasehold login\" keeps one, or set LEASEHOLD_TOKEN (or VAULT_TOKEN).";
        let denied = "Code: 403. Errors:\n\n* permission denied";
        check(
            403,
            r#"{"errors":["permission denied"]}"#,
            false,
            &format!("{denied}\n\n{hint}"),
        );
    }
}
