//! `LIST leases/lookup`, and what asks for leases that can not be revoked: there are none.

use serde_json::json;

use crate::fields::FieldValue;
use crate::lease;
use crate::logical::{Call, Fault, Outcome, Response};

pub(super) async fn folder(call: &Call<'_>) -> Outcome {
    let prefix = call.capture("prefix");
    // A list's path ends with a slash; a folder of that name alone has none.
    let folder = match prefix {
        "" => String::new(),
        prefix if prefix.ends_with('/') => prefix.to_owned(),
        prefix => format!("{prefix}/"),
    };
    Response::keys(lease::list(call.core, &folder).await?)
}

pub(super) async fn count(call: &Call<'_>) -> Outcome {
    if !asks_irrevocable(call) {
        return Ok(None);
    }
    Ok(Some(Response::data(
        json!({ "lease_count": 0, "counts": {} }),
    )))
}

pub(super) async fn irrevocable(call: &Call<'_>) -> Outcome {
    if !asks_irrevocable(call) {
        return Ok(None);
    }
    let limit = call.fields.get("limit").and_then(FieldValue::as_text);
    let good = |limit: &str| {
        limit.is_empty() || limit == "none" || limit.parse::<i64>().is_ok_and(|limit| limit > 0)
    };
    if !limit.is_none_or(good) {
        return Err(Fault::multi(
            400,
            "limit must be 'none' or a positive integer",
        ));
    }
    Ok(Some(Response::data(
        json!({ "lease_count": 0, "leases": [] }),
    )))
}

fn asks_irrevocable(call: &Call<'_>) -> bool {
    call.fields.get("type").and_then(FieldValue::as_text) == Some("irrevocable")
}

pub(super) async fn tidy(_call: &Call<'_>) -> Outcome {
    Ok(Some(Response {
        status: Some(202),
        ..Response::default()
    }
    .warn("Tidy operation successfully started. Any information from the operation will be printed to the server's log.")))
}
