//! `credential_type` and `credential_config` of roles (contract 7.5). Pure.

use std::collections::BTreeMap;

/// What a role may ask for; only passwords can be issued.
pub const PASSWORD: &str = "password";
const RSA: &str = "rsa_private_key";
const CERTIFICATE: &str = "client_certificate";

/// Checks a type.
pub fn check_type(kind: &str) -> Result<(), String> {
    match kind {
        PASSWORD | RSA | CERTIFICATE => Ok(()),
        other => Err(format!("invalid credential_type {other:?}")),
    }
}

/// What is kept of a configuration: what its type knows, and is not empty.
pub fn check_config(
    kind: &str,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, String> {
    let refuse = |why: String| Err(format!("credential_config validation failed: {why}"));
    let mut kept = BTreeMap::new();
    let known: &[&str] = match kind {
        PASSWORD => &["password_policy"],
        RSA => &["key_bits", "format"],
        _ => &[
            "common_name_template",
            "ca_cert",
            "ca_private_key",
            "key_type",
            "key_bits",
            "signature_bits",
        ],
    };
    for (name, value) in given {
        if known.contains(&name.as_str()) && !value.is_empty() {
            kept.insert(name.clone(), value.clone());
        }
    }
    if kind == CERTIFICATE
        && !kept
            .get("key_type")
            .is_some_and(|kind| ["rsa", "ec", "ed25519"].contains(&kind.as_str()))
    {
        return refuse("invalid key_type".into());
    }
    if kind == RSA {
        if let Some(bits) = kept.get("key_bits")
            && !["2048", "3072", "4096"].contains(&bits.as_str())
        {
            return refuse(format!("invalid key_bits: {bits}"));
        }
        if let Some(format) = kept.get("format")
            && format != "pkcs8"
        {
            return refuse(format!("invalid format: {format}"));
        }
    }
    Ok(kept)
}
