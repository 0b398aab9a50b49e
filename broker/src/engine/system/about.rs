//! What is told about the server to those who may ask (contract 2.9): its key's term, its nodes, its versions.

use serde_json::json;
use time::format_description::well_known::Rfc3339;

use crate::logical::{Access, Call, Fault, Operation, Outcome, PathSpec, Response};
use crate::store::installation;

const fn row(
    pattern: &'static str,
    summary: &'static str,
    access: Access,
    operations: &'static [(Operation, crate::logical::Handler)],
) -> PathSpec {
    PathSpec {
        pattern,
        summary,
        fields: &[],
        open: false,
        access,
        existence: None,
        operations,
    }
}

pub(super) static ROWS: &[PathSpec] = &[
    row(
        "key-status",
        "Term and age of the key that seals values.",
        Access::Token,
        &[(Operation::Read, |call| Box::pin(key_status(call)))],
    ),
    row(
        "ha-status",
        "The nodes of the cluster.",
        Access::Token,
        &[(Operation::Read, |call| Box::pin(ha_status(call)))],
    ),
    row(
        "version-history",
        "Versions that have served this store.",
        Access::Token,
        &[],
    ),
    row(
        "version-history/",
        "Versions that have served this store.",
        Access::Token,
        &[(Operation::List, |call| Box::pin(versions(call)))],
    ),
    // These answer outside the mount system; here they have their help.
    row(
        "health",
        "Whether the server serves.",
        Access::Unauthenticated,
        &[],
    ),
    row(
        "init",
        "Make a new store ready.",
        Access::Unauthenticated,
        &[],
    ),
    row("leader", "Which node leads.", Access::Unauthenticated, &[]),
    row("seal", "Forget the keys.", Access::Sudo, &[]),
    row(
        "seal-status",
        "Whether the server has its keys.",
        Access::Unauthenticated,
        &[],
    ),
    row(
        "step-down",
        "Give up leading; all nodes are alike here.",
        Access::Unauthenticated,
        &[],
    ),
    row(
        "unseal",
        "Give the server a share of its key.",
        Access::Unauthenticated,
        &[],
    ),
];

async fn key_status(call: &Call<'_>) -> Outcome {
    let installation = installation::read(&call.core.store).await?;
    let installed_at = installation.key_installed_at.ok_or_else(Fault::sealed)?;
    Ok(Some(Response::data(json!({
        "term": call.core.keys.term()?,
        "install_time": installed_at.format(&Rfc3339).map_err(Fault::internal)?,
        "encryptions": 0,
    }))))
}

async fn ha_status(call: &Call<'_>) -> Outcome {
    let host = std::env::var("HOSTNAME").unwrap_or_default();
    Ok(Some(Response::data(json!({
        "nodes": [{
            "hostname": host,
            "api_address": "",
            "cluster_address": "",
            "active_node": true,
            "last_echo": null,
            "version": call.core.settings.advertised_version,
        }],
    }))))
}

async fn versions(call: &Call<'_>) -> Outcome {
    let installation = installation::read(&call.core.store).await?;
    let version = &call.core.settings.advertised_version;
    Ok(Some(Response::data(json!({
        "keys": [version],
        "key_info": { version: {
            "timestamp_installed": installation.created_at.format(&Rfc3339).map_err(Fault::internal)?,
            "build_date": super::state::BUILD_DATE,
            "previous_version": null,
        } },
    }))))
}

#[cfg(test)]
mod tests {
    use super::super::special::SPECIALS;
    use super::*;

    #[test]
    fn every_special_endpoint_has_its_help() {
        for special in SPECIALS {
            let pattern = special
                .path
                .strip_prefix("sys/")
                .expect("all are below sys/");
            assert!(ROWS.iter().any(|row| row.pattern == pattern), "{pattern}");
        }
    }
}
