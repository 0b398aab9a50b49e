//! A target that has taken its own place: upgraded, or restored from a dump, it has the id of its installation and is another
//! server, as a copy beside its original is. What tells them apart is where the other connections lead now.

use uuid::Uuid;

use crate::core::Core;
use crate::lease;
use crate::logical::Fault;
use crate::store::configs::{self, ConfigRow};
use crate::store::targets;
use crate::target::{ConnectionDetails, Scope, Verified, verify};

/// Whether all other live connections to the installation lead to what was found there; if so, that is noted as its place.
/// One that gets no answer may still lead to the original. `own` is the configuration that is being written, if it is there.
/// Asks targets, so not for within a transaction.
pub(super) async fn has_moved(
    core: &Core,
    found: &Verified,
    own: Option<Uuid>,
) -> Result<bool, Fault> {
    let scope = lease::scope(core)?;
    let mut asked = Vec::new();
    for config in configs::live_by_target(&core.store, found.target_id).await? {
        if own == Some(config.config_id) {
            continue;
        }
        if !leads_to(core, &config, &scope, found).await? {
            return Ok(false);
        }
        asked.push((config.config_id, config.revision));
    }
    let mut store = core.begin().await?;
    let moved = targets::move_to(
        &mut store,
        found.target_id,
        &found.system_identifier,
        found.database_oid,
        own,
        &asked,
    )
    .await?;
    store.commit().await?;
    if moved {
        tracing::warn!(
            target_id = %found.target_id,
            "all connections to the installation lead to another server or database than before; taken for moved"
        );
    }
    Ok(moved)
}

async fn leads_to(
    core: &Core,
    config: &ConfigRow,
    scope: &Scope,
    found: &Verified,
) -> Result<bool, Fault> {
    // One that can not be read may lead anywhere.
    let details = lease::open_details(core, config)
        .ok()
        .and_then(|details| ConnectionDetails::parse(&details).ok());
    let Some(details) = details else {
        return Ok(false);
    };
    Ok(verify(&details, scope)
        .await
        .is_ok_and(|there| there == *found))
}
