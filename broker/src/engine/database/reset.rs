//! `reset/:name`: close a connection's pool and open it anew (contract 7.3).

use super::fault::of_verification;
use crate::fields::FieldType;
use crate::lease;
use crate::logical::{Access, Call, Fault, Field, Operation, Outcome, PathSpec};
use crate::store::configs;
use crate::target::{ConnectionDetails, TargetError, verify};

pub(super) static ROWS: &[PathSpec] = &[PathSpec {
    pattern: "reset/:name",
    summary: "Close a connection and open it anew.",
    fields: &[Field {
        name: "name",
        kind: FieldType::String,
        help: "Name of the connection.",
    }],
    open: false,
    access: Access::Token,
    existence: None,
    operations: &[(Operation::Update, |call| Box::pin(reset(call)))],
}];

async fn reset(call: &Call<'_>) -> Outcome {
    let name = call.capture("name");
    let found = configs::by_name(&call.core.store, call.mount.mount_id, name).await?;
    let Some(config) = found else {
        return Err(missing(name));
    };
    let details = ConnectionDetails::parse(&lease::open_details(call.core, &config)?)
        .map_err(|why| Fault::multi(400, why))?;
    let checked = verify(&details, &lease::scope(call.core)?).await;
    call.core.targets.forget(config.config_id);
    checked.map_err(|error| {
        let status = match error {
            TargetError::Unfit(_) => 400,
            _ => 500,
        };
        Fault::multi(status, of_verification(&error))
    })?;
    Ok(None)
}

/// The configuration a request or a role names is not there: permanent, so no 500 that clients would retry.
pub(super) fn missing(name: &str) -> Fault {
    Fault::multi(
        400,
        format!("failed to find entry for connection with name: \"{name}\""),
    )
}
