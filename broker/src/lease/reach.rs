//! Ways to a target: through the configuration of a request, or through any that leads there.

use std::future::Future;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use sqlx::PgConnection;
use uuid::Uuid;

use super::LeaseError;
use crate::core::Core;
use crate::json;
use crate::logical::Fault;
use crate::secret::Password;
use crate::store::configs::{self, ConfigRow};
use crate::store::targets;
use crate::target::{ConnectionDetails, Key, Scope, Target, TargetError, verify};

/// Whose leases ours are on every target.
pub fn scope(core: &Core) -> Result<Scope, Fault> {
    Ok(Scope::new(
        core.store_id.to_string(),
        Password::new(core.keys.scope_secret()?.as_str()),
    ))
}

/// The stored form of a configuration's details.
pub fn open_details(core: &Core, config: &ConfigRow) -> Result<Map<String, Value>, Fault> {
    let text = core.keys.open(
        configs::CONFIGS,
        config.config_id.as_bytes(),
        &config.sealed_connection,
    )?;
    json::parse_object(&text)
        .map_err(|error| Fault::internal(format!("connection details can not be read: {error}")))
}

/// The target behind a configuration that was read in this request. One that was stored unverified is verified now.
pub async fn reach_config(core: &Core, config: &ConfigRow) -> Result<Target, LeaseError> {
    let known = config.target_id.map(|target_id| Key {
        config_id: config.config_id,
        revision: config.revision,
        target_id,
    });
    if let Some(target) = known.and_then(|key| core.targets.get(&key)) {
        return Ok(target);
    }
    let details = ConnectionDetails::parse(&open_details(core, config)?)
        .map_err(|why| LeaseError::Target(TargetError::Unfit(why)))?;
    let scope = scope(core)?;
    let key = match known {
        Some(key) => key,
        None => {
            let found = verify(&details, &scope).await?;
            let (id, oid) = (&found.system_identifier, found.database_oid);
            let own = Some(config.config_id);
            if !targets::see(&core.store, found.target_id, id, oid, own).await? {
                return Err(found.as_copy().into());
            }
            configs::set_target(
                &core.store,
                config.config_id,
                config.revision,
                found.target_id,
            )
            .await?;
            Key {
                config_id: config.config_id,
                revision: config.revision,
                target_id: found.target_id,
            }
        }
    };
    Ok(core.targets.open(&key, &details, &scope)?)
}

/// No further way to a target is tried after this: all may end at the same closed door.
const WAYS_FOR: Duration = Duration::from_secs(6);

/// Every configuration that leads there.
async fn ways_to(core: &Core, target_id: Uuid) -> Result<Vec<ConfigRow>, LeaseError> {
    let ways = async |store: &mut PgConnection| configs::by_target(store, target_id).await;
    Ok(core.warm.ask(ways).await?)
}

/// Asks a target through the first configuration that gets an answer, live ones first. Only for what any login may do for the store:
/// see [`ways_for_role`].
pub(super) async fn ask<T, Asked>(
    core: &Core,
    target_id: Uuid,
    call: impl Fn(Target) -> Asked + Send,
) -> Result<T, LeaseError>
where
    Asked: Future<Output = Result<T, TargetError>> + Send,
{
    let ways = ways_to(core, target_id).await?;
    ask_through(core, target_id, ways, call).await
}

/// A role, as far as it says whose login may speak for it.
#[derive(Clone, Copy)]
pub(super) struct RoleAt<'a> {
    /// Its mount.
    pub mount_id: Uuid,
    /// Its name.
    pub role: &'a str,
    /// The connection that it names.
    pub db_name: &'a str,
}

/// The configurations that may define the recipe of a role on a target. A recipe has the rights of the login that defines it: so it is
/// the connection that the role names, or, where that leads elsewhere by now, those of its mount that allow the role.
pub(super) async fn ways_for_role(
    core: &Core,
    target_id: Uuid,
    role: RoleAt<'_>,
) -> Result<Vec<ConfigRow>, LeaseError> {
    let mut ways = ways_to(core, target_id).await?;
    ways.retain(|config| config.mount_id == role.mount_id && config.allows(role.role));
    let named = |config: &ConfigRow| config.name == role.db_name;
    if ways.iter().any(named) {
        ways.retain(named);
    }
    Ok(ways)
}

/// Asks a target through the first of these ways that gets an answer.
pub(super) async fn ask_through<T, Asked>(
    core: &Core,
    target_id: Uuid,
    ways: Vec<ConfigRow>,
    call: impl Fn(Target) -> Asked + Send,
) -> Result<T, LeaseError>
where
    Asked: Future<Output = Result<T, TargetError>> + Send,
{
    let began = Instant::now();
    let mut last = LeaseError::Target(TargetError::Unreachable {
        address: format!("target {target_id}"),
        why: "no configuration leads there".into(),
    });
    for (tried, config) in ways.into_iter().enumerate() {
        if tried > 0 && began.elapsed() > WAYS_FOR {
            break;
        }
        let answer = match reach_config(core, &config).await {
            Ok(target) => call(target).await.map_err(LeaseError::Target),
            // Whatever is wrong with this way: another one may do.
            Err(error) => {
                last = error;
                continue;
            }
        };
        match answer {
            Ok(answer) => return Ok(answer),
            // Another login, or another address, may do better.
            Err(
                error @ LeaseError::Target(TargetError::Unreachable { .. } | TargetError::Unfit(_)),
            ) => {
                last = error;
            }
            Err(error) => return Err(error),
        }
    }
    Err(last)
}
