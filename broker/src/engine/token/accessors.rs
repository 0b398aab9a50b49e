//! `auth/token/accessors` and `auth/token/tidy` (contract 5.8).

use serde_json::json;

use crate::logical::{Call, Outcome, Response};
use crate::store::tokens;

pub(super) async fn list(call: &Call<'_>) -> Outcome {
    let keys = tokens::accessors(&call.core.store).await?;
    Ok(Some(Response::data(json!({ "keys": keys }))))
}

/// What has ended is forgotten by itself, by whichever broker is at it: there is nothing to start.
pub(super) async fn tidy(_: &Call<'_>) -> Outcome {
    let response = Response {
        status: Some(202),
        ..Response::default()
    };
    Ok(Some(response.warn(
        "Tidy operation successfully started. Any information from the operation will be printed to the server logs.",
    )))
}
