//! `cubbyhole/` (contract 10): what a token keeps for itself, out of everybody else's reach, root's too, and gone with it.

use serde_json::Value;

use super::Engine;
use crate::logical::{Access, Call, Fault, Operation, Outcome, PathSpec, PathTable, Response};
use crate::mount::MountKind;
use crate::store::cubbyholes;

/// The mount at `cubbyhole/`.
pub static ENGINE: Engine = Engine {
    engine_type: "cubbyhole",
    kind: MountKind::Secret,
    built_in: true,
    paths: PathTable { rows: &[ROWS] },
    help: "Values that only the token that wrote them can read; they end with it.",
};

static ROWS: &[PathSpec] = &[
    PathSpec {
        pattern: "",
        summary: "List what this token keeps.",
        fields: &[],
        open: true,
        access: Access::Token,
        existence: Some(|call| Box::pin(exists(call))),
        operations: &[
            (Operation::List, |call| Box::pin(list(call))),
            (Operation::Read, |call| Box::pin(read(call))),
            (Operation::Update, |call| Box::pin(write(call))),
            (Operation::Delete, |call| Box::pin(delete(call))),
        ],
    },
    PathSpec {
        pattern: "*path",
        summary: "Read, write, list or delete what this token keeps.",
        fields: &[],
        open: true,
        access: Access::Token,
        existence: Some(|call| Box::pin(exists(call))),
        operations: &[
            (Operation::List, |call| Box::pin(list(call))),
            (Operation::Read, |call| Box::pin(read(call))),
            (Operation::Update, |call| Box::pin(write(call))),
            (Operation::Delete, |call| Box::pin(delete(call))),
        ],
    },
];

/// What the sealed values are bound to, with token and path.
const TABLE: &str = "cubbyholes";

fn owner(call: &Call<'_>) -> Result<i64, Fault> {
    let token = &call.caller().token;
    match token.token_id {
        Some(token_id) if !token.batch => Ok(token_id),
        _ => Err(Fault::bad(
            "cubbyhole operations are only supported by 'service' type tokens",
        )),
    }
}

fn row(token_id: i64, path: &str) -> Vec<u8> {
    let mut row = token_id.to_be_bytes().to_vec();
    row.extend_from_slice(path.as_bytes());
    row
}

fn path<'c>(call: &'c Call<'_>) -> Result<&'c str, Fault> {
    match call.capture("path") {
        "" => Err(Fault::multi(400, "missing path")),
        path => Ok(path),
    }
}

async fn exists(call: &Call<'_>) -> Result<bool, Fault> {
    let token_id = owner(call)?;
    Ok(
        cubbyholes::read(&call.core.store, token_id, call.capture("path"))
            .await?
            .is_some(),
    )
}

async fn read(call: &Call<'_>) -> Outcome {
    let (token_id, path) = (owner(call)?, path(call)?);
    let Some(sealed) = cubbyholes::read(&call.core.store, token_id, path).await? else {
        return Ok(None);
    };
    let text = call.core.keys.open(TABLE, &row(token_id, path), &sealed)?;
    match serde_json::from_slice(&text) {
        Ok(Value::Object(data)) => Ok(Some(Response {
            data: Some(data),
            ..Response::default()
        })),
        _ => Err(Fault::internal("a cubbyhole's value is no object")),
    }
}

async fn write(call: &Call<'_>) -> Outcome {
    let (token_id, path) = (owner(call)?, path(call)?);
    if call.request.body.is_empty() {
        return Err(Fault::multi(400, "missing data fields"));
    }
    let text =
        zeroize::Zeroizing::new(serde_json::to_vec(&call.request.body).map_err(Fault::internal)?);
    let sealed = call.core.keys.seal(TABLE, &row(token_id, path), &text)?;
    cubbyholes::write(&call.core.store, token_id, path, &sealed).await?;
    Ok(None)
}

async fn delete(call: &Call<'_>) -> Outcome {
    let (token_id, path) = (owner(call)?, path(call)?);
    cubbyholes::delete(&call.core.store, token_id, path).await?;
    Ok(None)
}

async fn list(call: &Call<'_>) -> Outcome {
    let token_id = owner(call)?;
    Response::keys(cubbyholes::list(&call.core.store, token_id, call.capture("path")).await?)
}
