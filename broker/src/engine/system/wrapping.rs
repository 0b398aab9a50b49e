//! `sys/wrapping/*` (contract 9). That the token they name is one was seen by the pipeline before anything else.

use serde_json::json;
use time::format_description::well_known::Rfc3339;

use crate::fields::FieldType;
use crate::logical::{Access, Call, Fault, Field, Operation, Outcome, PathSpec, RawBody, Response};
use crate::wrapping;

const TOKEN: &[Field] = &[Field {
    name: "token",
    kind: FieldType::Any,
    help: "The wrapping token; without it the request's own.",
}];

pub(super) static ROWS: &[PathSpec] = &[
    PathSpec {
        pattern: "wrapping/wrap",
        summary: "Wrap the body itself.",
        fields: &[],
        open: true,
        access: Access::Token,
        existence: None,
        operations: &[(Operation::Update, |call| Box::pin(wrap(call)))],
    },
    PathSpec {
        pattern: "wrapping/lookup",
        summary: "What a wrapping token is, without using it.",
        fields: TOKEN,
        open: false,
        access: Access::Unauthenticated,
        existence: None,
        operations: &[
            (Operation::Read, |call| Box::pin(lookup(call))),
            (Operation::Update, |call| Box::pin(lookup(call))),
        ],
    },
    PathSpec {
        pattern: "wrapping/pubkey",
        summary: "There is none: wrapping tokens are no JWTs.",
        fields: &[],
        open: false,
        access: Access::Unauthenticated,
        existence: None,
        operations: &[(Operation::Read, |_| {
            Box::pin(async { Err(Fault::raw(404, "unsupported path")) })
        })],
    },
    PathSpec {
        pattern: "wrapping/unwrap",
        summary: "Use a wrapping token: what it wraps.",
        fields: TOKEN,
        open: false,
        access: Access::Token,
        existence: None,
        operations: &[(Operation::Update, |call| Box::pin(unwrap(call)))],
    },
    PathSpec {
        pattern: "wrapping/rewrap",
        summary: "Use a wrapping token: a new one for the same.",
        fields: TOKEN,
        open: false,
        access: Access::Token,
        existence: None,
        operations: &[(Operation::Update, |call| Box::pin(rewrap(call)))],
    },
];

async fn wrap(call: &Call<'_>) -> Outcome {
    if call.request.wrap_ttl.is_none() {
        return Err(Fault::bad("endpoint requires response wrapping to be used"));
    }
    let data = call.request.body.clone();
    Ok(Some(Response {
        data: Some(data),
        ..Response::default()
    }))
}

async fn lookup(call: &Call<'_>) -> Outcome {
    let row = wrapping::find(call.core, &wrapping::named(call.request)?).await?;
    Ok(Some(Response::data(json!({
        "creation_path": row.creation_path,
        "creation_time": row.issued_at.format(&Rfc3339).map_err(Fault::internal)?,
        "creation_ttl": row.ttl_seconds,
    }))))
}

async fn unwrap(call: &Call<'_>) -> Outcome {
    let named = wrapping::named(call.request)?;
    let caller = &call.caller().token;
    let answer = match caller.token_id {
        // The wrapping token came itself, and that was its use.
        Some(token_id)
            if caller.wrapping && caller.token_hash == call.core.keys.token_hash(&named)? =>
        {
            wrapping::kept(call.core, &call.core.store, token_id).await?
        }
        _ => wrapping::consume(call.core, &wrapping::find(call.core, &named).await?).await?,
    };
    Ok(Some(Response {
        raw: Some(RawBody {
            status: 200,
            content_type: Some("application/json"),
            bytes: answer,
        }),
        ..Response::default()
    }))
}

async fn rewrap(call: &Call<'_>) -> Outcome {
    let row = wrapping::find(call.core, &wrapping::named(call.request)?).await?;
    let info = wrapping::rewrap(call.core, &row, call.request.wrap_ttl).await?;
    Ok(Some(Response {
        wrap_info: Some(info),
        ..Response::default()
    }))
}
