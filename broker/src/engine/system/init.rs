//! `sys/init`: keys, built-in policies and mounts, the first root token; once for a store, in one transaction.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::special_call::SpecialCall;
use crate::core::Core;
use crate::ids;
use crate::logical::{Body, Fault, Outcome, Response};
use crate::mount::{Mount, MountKind, MountState};
use crate::policy::{DEFAULT, DEFAULT_TEXT, RESPONSE_WRAPPING, RESPONSE_WRAPPING_TEXT};
use crate::seal::{KeySource, Keyring, RootKey, shamir};
use crate::secret::Token;
use crate::store::{installation, mounts, policies};

/// How a store is to be initialised.
#[derive(Debug)]
pub struct InitOptions {
    /// Shares to make of the root key; not looked at where the root key has a source of its own.
    pub shares: usize,
    /// Shares that open it.
    pub threshold: usize,
    /// The first root token; None = a random one.
    pub root_token: Option<Token>,
}

/// What only this moment knows.
pub struct Initialised {
    /// Shares of the root key; none where it has a source of its own.
    pub shares: Vec<Zeroizing<Vec<u8>>>,
    /// The first root token.
    pub root_token: Token,
}

/// Makes the keys, the built-in rows and the root token. With shares the process stays sealed; with a key source of its own it is unsealed.
pub async fn initialise(core: &Core, options: InitOptions) -> Result<Initialised, Fault> {
    // Looked at again below, where it counts. A store that has its keys needs no key file made here, which would not open it.
    if core.reads.installation().await?.is_initialised() {
        return Err(too_late());
    }
    let sourced = core
        .key_source
        .fetch_or_make()
        .map_err(|error| Fault::raw(500, error.to_string()).detailed(&error))?;
    let (root_key, shares) = match &sourced {
        Some(root_key) => (root_key.clone(), Vec::new()),
        None => {
            let root_key = RootKey::random();
            let shares = split(&root_key, options.shares, options.threshold);
            (root_key, shares)
        }
    };
    let keyring = Keyring::new(
        Zeroizing::new(rand::random()),
        Zeroizing::new(rand::random()),
    );
    let sealed = keyring.wrap(&root_key, core.store_id.as_bytes(), rand::random());
    let root_token = options.root_token.unwrap_or_else(ids::service_token);
    let count = |number: usize| i32::try_from(number).expect("at most 255 shares");
    let (made, threshold) = if sourced.is_some() {
        (0, 0)
    } else {
        (options.shares, options.threshold)
    };

    let mut transaction = core.begin().await?;
    if !installation::initialise(&mut *transaction, &sealed, 1, count(made), count(threshold))
        .await?
    {
        return Err(too_late());
    }
    policies::write(&mut *transaction, DEFAULT, DEFAULT_TEXT).await?;
    policies::write(&mut *transaction, RESPONSE_WRAPPING, RESPONSE_WRAPPING_TEXT).await?;
    for mount in built_in_mounts() {
        mounts::insert(&mut *transaction, &mount).await?;
    }
    let token_hash = keyring.mac_of_token(&root_token);
    installation::insert_root_token(&mut *transaction, &token_hash, &ids::base62(24)).await?;
    transaction.commit().await?;
    if sourced.is_some() {
        core.keys.install(keyring);
    }
    tracing::info!(shares = made, threshold, "initialised the store");
    Ok(Initialised { shares, root_token })
}

fn too_late() -> Fault {
    Fault::bad("Vault is already initialized")
}

/// One share is the key itself; more are Shamir's.
fn split(root_key: &RootKey, shares: usize, threshold: usize) -> Vec<Zeroizing<Vec<u8>>> {
    if shares == 1 {
        return vec![Zeroizing::new(root_key.expose().to_vec())];
    }
    shamir::split(root_key.expose(), shares, threshold, |buffer| {
        rand::fill(buffer)
    })
}

fn built_in_mounts() -> Vec<Mount> {
    let mount = |kind, path: &str, engine_type: &str, description: &str| {
        let prefix = if kind == MountKind::Auth { "auth_" } else { "" };
        Mount {
            mount_id: Uuid::new_v4(),
            kind,
            path: path.to_owned(),
            engine_type: engine_type.to_owned(),
            accessor: format!("{prefix}{engine_type}_{}", ids::hex8()),
            description: description.to_owned(),
            config: Map::new(),
            options: None,
            local: engine_type == "cubbyhole",
            seal_wrap: engine_type == "system",
            external_entropy_access: false,
            state: MountState::Active,
        }
    };
    let header = |name: &str| vec![name].into();
    let mut identity = mount(MountKind::Secret, "identity/", "identity", "identity store");
    identity.config.insert(
        "passthrough_request_headers".into(),
        header("Authorization"),
    );
    let mut system = mount(
        MountKind::Secret,
        "sys/",
        "system",
        "system endpoints used for control, policy and debugging",
    );
    system
        .config
        .insert("passthrough_request_headers".into(), header("Accept"));
    let mut token = mount(
        MountKind::Auth,
        "token/",
        "token",
        "token based credentials",
    );
    token
        .config
        .insert("token_type".into(), "default-service".into());
    let cubbyhole = mount(
        MountKind::Secret,
        "cubbyhole/",
        "cubbyhole",
        "per-token private secret storage",
    );
    vec![cubbyhole, identity, system, token]
}

pub(super) async fn endpoint(call: &SpecialCall<'_>) -> Outcome {
    let installation = call.core.reads.installation().await?;
    if !call.is_write {
        return Ok(Some(Response::json(
            200,
            &json!({ "initialized": installation.is_initialised() }),
        )));
    }
    // A body is checked first, also of a request that comes too late. Where the root key has a source of its own it says nothing.
    let counts = call.core.key_source == KeySource::Shares || installation.is_initialised();
    let options = options(call.core, call.body, counts)?;
    let done = initialise(call.core, options).await?;
    let hex: Vec<String> = done
        .shares
        .iter()
        .map(|share| hex::encode(&share[..]))
        .collect();
    let base64: Vec<String> = done
        .shares
        .iter()
        .map(|share| STANDARD.encode(&share[..]))
        .collect();
    let body =
        json!({ "keys": hex, "keys_base64": base64, "root_token": done.root_token.expose() });
    Ok(Some(Response::json(200, &body)))
}

/// Reads and checks the body; shares are looked at first.
fn options(core: &Core, body: &Body, counts: bool) -> Result<InitOptions, Fault> {
    let number = |name: &str| integer(body, name);
    let (shares, threshold) = (number("secret_shares")?, number("secret_threshold")?);
    let (recovery_shares, recovery_threshold) =
        (number("recovery_shares")?, number("recovery_threshold")?);
    number("stored_shares")?;
    let keys = |name: &str| match body.get(name) {
        None | Some(Value::Null) => Ok(0),
        Some(Value::Array(keys)) if keys.iter().all(Value::is_string) => Ok(keys.len()),
        Some(_) => Err(undecodable(name, "a list of texts")),
    };
    let (pgp_keys, recovery_keys) = (keys("pgp_keys")?, keys("recovery_pgp_keys")?);
    let root_key = match body.get("root_token_pgp_key") {
        None | Some(Value::Null) => "",
        Some(Value::String(key)) => key,
        Some(_) => return Err(undecodable("root_token_pgp_key", "a text")),
    };

    let foreign: Vec<&str> = [
        ("recovery_shares", recovery_shares != 0),
        ("recovery_threshold", recovery_threshold != 0),
        ("recovery_pgp_keys", recovery_keys != 0),
    ]
    .iter()
    .filter_map(|(name, given)| given.then_some(*name))
    .collect();
    if !foreign.is_empty() {
        let seal = core.key_source.seal_type();
        return Err(Fault::bad(format!(
            "parameters {} not applicable to seal type {seal}",
            foreign.join(",")
        )));
    }
    let invalid = |why: &str| Fault::bad(format!("invalid seal configuration: {why}"));
    if counts {
        let checks = [
            (shares < 1, "shares must be at least one"),
            (threshold < 1, "threshold must be at least one"),
            (
                shares > 1 && threshold == 1,
                "threshold must be greater than one for multiple shares",
            ),
            (shares > 255, "shares must be less than 256"),
            (threshold > 255, "threshold must be less than 256"),
            (threshold > shares, "threshold cannot be larger than shares"),
        ];
        if let Some((_, why)) = checks.iter().find(|(wrong, _)| *wrong) {
            return Err(invalid(why));
        }
        if pgp_keys > 0 && i64::try_from(pgp_keys) != Ok(shares) {
            return Err(invalid(
                "count mismatch between number of provided PGP keys and number of shares",
            ));
        }
    }
    if pgp_keys > 0 || !root_key.is_empty() {
        return Err(invalid(
            "error decoding given PGP key: this server does not encrypt shares to PGP keys",
        ));
    }
    let count = |number: i64| usize::try_from(number).unwrap_or(0);
    Ok(InitOptions {
        shares: count(shares),
        threshold: count(threshold),
        root_token: None,
    })
}

/// A whole number that is written as one: nothing is coerced here.
pub(super) fn integer(body: &Body, name: &str) -> Result<i64, Fault> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(0),
        Some(Value::Number(number)) => number
            .as_i64()
            .ok_or_else(|| undecodable(name, "a whole number")),
        Some(_) => Err(undecodable(name, "a whole number")),
    }
}

pub(super) fn undecodable(name: &str, wanted: &str) -> Fault {
    Fault::bad(format!(
        "failed to decode JSON input: {name}: {wanted} is wanted"
    ))
}
