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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use uuid::Uuid;

    fn request(operation: Operation, path: &str) -> Request {
        Request {
            id: Uuid::nil(),
            operation,
            path: path.to_owned(),
            body: Map::new(),
            wrap_ttl: None,
            unknown_namespace: false,
            remote: None,
            client_token: None,
        }
    }

    /// Contract 1.7, the table of statuses.
    #[test]
    fn statuses_follow_from_outcome_and_operation() {
        let check = |operation: Operation, outcome: Option<Response>, status: u16| {
            let told = format!("{operation:?} {outcome:?}");
            assert_eq!(
                response(&request(operation, "x"), outcome).status,
                status,
                "{told}"
            );
        };
        let empty = || Some(Response::data(json!({})));
        let warned = || Some(Response::default().warn("w"));
        for (operation, nil) in [
            (Operation::Read, 404),
            (Operation::List, 404),
            (Operation::Update, 204),
            (Operation::Delete, 204),
        ] {
            check(operation, None, nil);
            check(operation, Some(Response::data(json!({ "a": 1 }))), 200);
            check(operation, warned(), 200);
        }
        check(Operation::Read, empty(), 200);
        check(Operation::Update, empty(), 200);
        check(Operation::List, empty(), 404);
        check(
            Operation::List,
            Some(Response::data(json!({ "keys": [] })).warn("w")),
            404,
        );
        check(
            Operation::List,
            Some(Response::data(json!({ "keys": ["a"] }))),
            200,
        );
    }

    #[test]
    fn the_envelope_has_its_fields_in_order() {
        let reply = response(
            &request(Operation::Read, "x"),
            Some(Response::data(json!({ "a": 1 }))),
        );
        assert_eq!(
            String::from_utf8_lossy(&reply.bytes),
            "{\"request_id\":\"00000000-0000-0000-0000-000000000000\",\"lease_id\":\"\",\"renewable\":false,\"lease_duration\":0,\
             \"data\":{\"a\":1},\"wrap_info\":null,\"warnings\":null,\"auth\":null}\n"
        );
    }

    #[test]
    fn some_paths_repeat_their_data_at_top_level() {
        for (path, doubled) in [
            ("sys/mounts", true),
            ("sys/mounts/a/tune", true),
            ("sys/auth", true),
            ("sys/policy/a", true),
            ("sys/policies/acl/a", false),
            ("sys/capabilities-self", true),
            ("sys/leases/lookup", false),
            ("database/creds/a", false),
        ] {
            let reply = response(
                &request(Operation::Read, path),
                Some(Response::data(json!({ "k": 1 }))),
            );
            let whole: Value = serde_json::from_slice(&reply.bytes).expect("a reply is JSON");
            assert_eq!(whole.get("k").is_some(), doubled, "{path}");
        }
    }

    #[test]
    fn refusals_have_a_list_of_errors() {
        let text = |fault: &Fault| String::from_utf8_lossy(&refusal(fault).bytes).into_owned();
        assert_eq!(text(&Fault::absent()), "{\"errors\":[]}\n");
        assert_eq!(text(&Fault::bad("x")), "{\"errors\":[\"x\"]}\n");
        assert_eq!(
            text(&Fault::denied()),
            "{\"errors\":[\"1 error occurred:\\n\\t* permission denied\\n\\n\"]}\n"
        );
    }
}
