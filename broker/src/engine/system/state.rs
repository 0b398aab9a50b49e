//! How the server is: `sys/health`, `sys/seal-status`, `sys/leader`.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::special_call::SpecialCall;
use crate::core::Core;
use crate::logical::{Fault, Outcome, RawBody, Response};
use crate::store::installation::Installation;

/// Codes a client may choose, with the states they are for. The rest are for states that are not possible here, but are checked alike.
const HEALTH_CODES: &[&str] = &[
    "activecode",
    "standbycode",
    "sealedcode",
    "uninitcode",
    "drsecondarycode",
    "performancestandbycode",
    "haunhealthycode",
    "removedcode",
];

pub(super) async fn health(call: &SpecialCall<'_>) -> Outcome {
    let mut chosen: Map<String, Value> = Map::new();
    for (name, text) in call.query {
        if HEALTH_CODES.contains(&name.as_str()) && !chosen.contains_key(name) {
            let code: u16 = text.parse().map_err(|_| Fault::empty(400))?;
            chosen.insert(name.clone(), code.into());
        }
    }
    let code = |name: &str, usual: u16| {
        let code = chosen
            .get(name)
            .and_then(Value::as_u64)
            .and_then(|code| u16::try_from(code).ok());
        code.filter(|code| (200..1000).contains(code))
            .unwrap_or(usual)
    };
    let installation = call.core.reads.installation().await?;
    let sealed = call.core.keys.is_sealed();
    let status = if !installation.is_initialised() {
        code("uninitcode", 501)
    } else if sealed {
        code("sealedcode", 503)
    } else {
        code("activecode", 200)
    };
    let replication = if sealed { "unknown" } else { "disabled" };
    let mut body = json!({
        "initialized": installation.is_initialised(),
        "sealed": sealed,
        "standby": sealed,
        "performance_standby": false,
        "replication_performance_mode": replication,
        "replication_dr_mode": replication,
        "server_time_utc": OffsetDateTime::now_utc().unix_timestamp(),
        "version": call.core.settings.advertised_version,
    });
    if !sealed {
        body["cluster_name"] = installation.cluster_name.into();
        body["cluster_id"] = installation.store_id.to_string().into();
    }
    Ok(Some(Response::json(status, &body)))
}

pub(super) async fn seal_status(call: &SpecialCall<'_>) -> Outcome {
    let installation = call.core.reads.installation().await?;
    Ok(Some(Response::json(200, &status(call.core, &installation))))
}

/// The body of seal-status, which unseal answers with, too.
pub(super) fn status(core: &Core, installation: &Installation) -> Value {
    let sealed = core.keys.is_sealed();
    let progress = core.unsealing.progress();
    let mut body = json!({
        "type": core.key_source.seal_type(),
        "initialized": installation.is_initialised(),
        "sealed": sealed,
        "t": installation.seal_threshold,
        "n": installation.seal_shares,
        "progress": progress.shares,
        "nonce": progress.nonce,
        "version": core.settings.advertised_version,
        "build_date": BUILD_DATE,
        "commit_date": BUILD_DATE,
        "migration": false,
        "recovery_seal": false,
        "storage_type": "postgresql",
    });
    if !sealed {
        body["cluster_name"] = installation.cluster_name.clone().into();
        body["cluster_id"] = installation.store_id.to_string().into();
    }
    body
}

/// Day of this version: clients only show it.
pub(super) const BUILD_DATE: &str = "2026-11-24T00:00:00Z";

pub(super) async fn leader(_: &SpecialCall<'_>) -> Outcome {
    let body = json!({
        "ha_enabled": false,
        "is_self": false,
        "leader_address": "",
        "leader_cluster_address": "",
        "performance_standby": false,
        "performance_standby_last_remote_wal": 0,
    });
    Ok(Some(Response::json(200, &body)))
}

/// 204 as a special endpoint says it.
pub(super) fn nothing() -> Outcome {
    Ok(Some(Response {
        raw: Some(RawBody {
            status: 204,
            content_type: None,
            bytes: Vec::new(),
        }),
        ..Response::default()
    }))
}
