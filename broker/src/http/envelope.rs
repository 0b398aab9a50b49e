//! Outcomes to statuses and bodies (contract 1.7, 1.8, 1.9). The one place where a [`Fault`] becomes a status line.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::logical::{Envelope, Fault, Operation, RawBody, Request, Response, Undelivered};

/// A status, a body and its type.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// None: no body.
    pub(super) content_type: Option<&'static str>,
    pub(super) bytes: Vec<u8>,
    pub(super) undelivered: Option<Undelivered>,
}

const JSON: &str = "application/json";

impl Reply {
    /// A status alone.
    pub(super) fn bare(status: u16) -> Self {
        Reply {
            status,
            content_type: None,
            bytes: Vec::new(),
            undelivered: None,
        }
    }

    /// Words for people who came with no client.
    pub(super) fn plain(status: u16, text: &str) -> Self {
        Reply {
            content_type: Some("text/plain; charset=utf-8"),
            bytes: text.as_bytes().to_vec(),
            ..Reply::bare(status)
        }
    }

    fn json(status: u16, value: &impl Serialize) -> Self {
        let mut bytes = serde_json::to_vec(value).expect("replies have text keys only");
        bytes.push(b'\n');
        Reply {
            content_type: Some(JSON),
            bytes,
            ..Reply::bare(status)
        }
    }

    fn raw(raw: RawBody) -> Self {
        Reply {
            content_type: raw.content_type,
            bytes: raw.bytes,
            ..Reply::bare(raw.status)
        }
    }
}

/// A refusal.
pub(super) fn refusal(fault: &Fault) -> Reply {
    let mut body = Map::new();
    body.insert("errors".into(), fault.errors().into());
    if let Some(data) = &fault.data {
        body.insert("data".into(), data.clone().into());
    }
    if !fault.warnings.is_empty() {
        body.insert("warnings".into(), fault.warnings.clone().into());
    }
    Reply::json(fault.status, &body)
}

/// A handler's response to a request.
pub(super) fn response(request: &Request, response: Option<Response>) -> Reply {
    let Some(mut response) = response else {
        return match request.operation {
            Operation::Read | Operation::List | Operation::Head | Operation::Help => {
                refusal(&Fault::absent())
            }
            _ => Reply::bare(204),
        };
    };
    let undelivered = response.undelivered.take();
    if let Some(raw) = response.raw.take() {
        return Reply {
            undelivered,
            ..Reply::raw(raw)
        };
    }
    if request.operation == Operation::List
        && response.wrap_info.is_none()
        && lists_nothing(&response)
    {
        return refusal(&Fault::absent());
    }
    let status = response.status.unwrap_or(200);
    let envelope = Envelope::new(request.id, &response);
    let doubled = response
        .data
        .as_ref()
        .filter(|_| response.wrap_info.is_none() && is_doubled(&request.path));
    let reply = match doubled {
        None => Reply::json(status, &envelope),
        Some(data) => {
            let mut whole = match serde_json::to_value(&envelope) {
                Ok(Value::Object(whole)) => whole,
                _ => unreachable!("an envelope is an object"),
            };
            for (key, value) in data {
                whole.entry(key).or_insert_with(|| value.clone());
            }
            Reply::json(status, &whole)
        }
    };
    Reply {
        undelivered,
        ..reply
    }
}

/// A list of nothing is never a list.
fn lists_nothing(response: &Response) -> bool {
    match &response.data {
        None => response.warnings.is_empty(),
        Some(data) => match data.get("keys") {
            Some(Value::Array(keys)) => keys.is_empty(),
            Some(_) => false,
            None => data.is_empty() && response.warnings.is_empty(),
        },
    }
}

/// Paths whose `data` is repeated at top level, for clients that look there (contract 1.9).
fn is_doubled(path: &str) -> bool {
    let Some(path) = path.strip_prefix("sys/") else {
        return false;
    };
    let path = path.trim_end_matches('/');
    matches!(
        path,
        "audit"
            | "auth"
            | "mounts"
            | "policy"
            | "capabilities"
            | "capabilities-self"
            | "capabilities-accessor"
            | "config/cors"
            | "config/auditing/request-headers"
            | "remount"
            | "rotate"
            | "key-status"
            | "ha-status"
            | "rekey/backup"
            | "rekey/recovery-key-backup"
            | "wrapping/wrap"
    ) || [
        "audit/",
        "audit-hash/",
        "auth/",
        "mounts/",
        "policy/",
        "rotate/",
        "config/auditing/request-headers/",
    ]
    .iter()
    .any(|prefix| path.starts_with(prefix))
}
