//! `sys/unseal`: shares until the root key is there, then the keyring.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::init::undecodable;
use super::special_call::SpecialCall;
use super::state;
use crate::core::Core;
use crate::logical::{Body, Fault, Outcome, Response};
use crate::seal::{Keyring, RootKey, shamir};
use crate::store::installation::Installation;

/// Shortest and longest key: a root key, and a share of one.
const KEY_BYTES_MIN: usize = 16;
const KEY_BYTES_MAX: usize = 33;

/// Opens the keyring with the root key and takes it over.
pub fn open(core: &Core, installation: &Installation, root_key: &RootKey) -> Result<(), Fault> {
    core.keys.install(keyring(installation, root_key)?);
    core.unsealing.reset();
    tracing::info!("unsealed");
    Ok(())
}

/// As [`open`], where nobody has asked for it: does nothing if this process has had keys before, and was sealed on request.
pub fn open_first(
    core: &Core,
    installation: &Installation,
    root_key: &RootKey,
) -> Result<(), Fault> {
    if core.keys.install_first(keyring(installation, root_key)?) {
        tracing::info!("unsealed");
    }
    Ok(())
}

fn keyring(installation: &Installation, root_key: &RootKey) -> Result<Keyring, Fault> {
    let wrapped = installation
        .sealed_keyring
        .as_deref()
        .ok_or_else(|| Fault::bad("Vault is not initialized"))?;
    Keyring::unwrap(root_key, installation.store_id.as_bytes(), wrapped)
        .map_err(|error| Fault::bad(format!("invalid key: {error}")))
}

pub(super) async fn endpoint(call: &SpecialCall<'_>) -> Outcome {
    let core = call.core;
    let key = member(call.body, "key");
    let key = match key {
        None | Some(Value::Null) => "",
        Some(Value::String(text)) => text,
        Some(_) => return Err(undecodable("key", "a text")),
    };
    let reset = match member(call.body, "reset") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(reset)) => *reset,
        Some(_) => return Err(undecodable("reset", "true or false")),
    };
    if !matches!(
        member(call.body, "migrate"),
        None | Some(Value::Null | Value::Bool(_))
    ) {
        return Err(undecodable("migrate", "true or false"));
    }
    if reset {
        if !core.keys.is_sealed() {
            return Err(Fault::bad("vault is unsealed"));
        }
        core.unsealing.reset();
        return answer(core).await;
    }
    if key.is_empty() {
        return Err(Fault::bad(
            "'key' must be specified in request body as JSON, or 'reset' set to true",
        ));
    }
    let share =
        decode(key).ok_or_else(|| Fault::bad("'key' must be a valid hex or base64 string"))?;
    let installation = core.reads.installation().await?;
    if !installation.is_initialised() {
        return Err(Fault::bad("Vault is not initialized"));
    }
    if share.len() < KEY_BYTES_MIN {
        return Err(Fault::bad(format!(
            "invalid key: key is shorter than minimum {KEY_BYTES_MIN} bytes"
        )));
    }
    if share.len() > KEY_BYTES_MAX {
        return Err(Fault::bad(format!(
            "invalid key: key is longer than maximum {KEY_BYTES_MAX} bytes"
        )));
    }
    if !core.keys.is_sealed() {
        return answer(core).await;
    }
    let threshold = usize::try_from(installation.seal_threshold).unwrap_or(0);
    if threshold == 0 {
        return Err(Fault::bad(
            "the root key of this server does not come in shares: give it to the server's seal stanza and start it again",
        ));
    }
    if let Some(shares) = core
        .unsealing
        .add(share, threshold, || Uuid::new_v4().to_string())
    {
        let opened = root_key(&shares)
            .ok_or_else(|| Fault::bad("invalid key: the shares do not belong together"))
            .and_then(|root_key| open(core, &installation, &root_key));
        opened.map_err(|fault| match &fault.text {
            crate::logical::FaultText::Raw(text) if threshold > 1 => {
                Fault::bad(format!("unable to retrieve stored keys: {text}"))
            }
            _ => fault,
        })?;
    }
    answer(core).await
}

async fn answer(core: &Core) -> Outcome {
    let installation = core.reads.installation().await?;
    Ok(Some(Response::json(
        200,
        &state::status(core, &installation),
    )))
}

fn root_key(shares: &[Zeroizing<Vec<u8>>]) -> Option<RootKey> {
    match shares {
        [key] => RootKey::from_bytes(key),
        shares => RootKey::from_bytes(&shamir::combine(shares)?),
    }
}

/// Names are matched whatever their case; an exact one first.
fn member<'b>(body: &'b Body, name: &str) -> Option<&'b Value> {
    body.get(name).or_else(|| {
        body.iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    })
}

/// Hex first; what that gives out of bounds may still be base64.
fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let within = |bytes: &Vec<u8>| (KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&bytes.len());
    let bytes = match hex::decode(text) {
        Ok(bytes) if within(&bytes) => bytes,
        _ => STANDARD.decode(text).ok()?,
    };
    Some(Zeroizing::new(bytes))
}
