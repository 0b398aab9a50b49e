//! `cubbyhole/` (contract 10): what a token keeps for itself, out of everybody else's reach, root's too, and gone with it.

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

fn owner(call: &Call<'_>) -> Result<i64, Fault> {
    let token = &call.caller().token;
    match token.token_id {
        Some(token_id) if !token.batch => Ok(token_id),
        _ => Err(Fault::bad(
            "cubbyhole operations are only supported by 'service' type tokens",
        )),
    }
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
    let data = cubbyholes::open(&call.core.keys, token_id, path, &sealed)?;
    Ok(Some(Response {
        data: Some(data),
        ..Response::default()
    }))
}

async fn write(call: &Call<'_>) -> Outcome {
    let (token_id, path) = (owner(call)?, path(call)?);
    if call.request.body.is_empty() {
        return Err(Fault::multi(400, "missing data fields"));
    }
    let object = call.request.body.clone().into();
    let sealed = cubbyholes::seal(&call.core.keys, token_id, path, &object)?;
    cubbyholes::write(&call.core.store, token_id, path, &sealed).await?;
    Ok(None)
}

async fn delete(call: &Call<'_>) -> Outcome {
    let token_id = owner(call)?;
    // Nothing is kept at the empty path, and to delete what is not there is no error.
    cubbyholes::delete(&call.core.store, token_id, call.capture("path")).await?;
    Ok(None)
}

async fn list(call: &Call<'_>) -> Outcome {
    let token_id = owner(call)?;
    Response::keys(cubbyholes::list(&call.core.store, token_id, call.capture("path")).await?)
}
