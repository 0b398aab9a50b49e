//! The policies that are there before anyone writes one (contract 4.7).

use super::Policy;

/// Bypasses every check; has no text.
pub const ROOT: &str = "root";
/// Attached to every token but root's unless suppressed; may be changed, not deleted.
pub const DEFAULT: &str = "default";
/// What a wrapping token has; may be read, not changed or assigned.
pub const RESPONSE_WRAPPING: &str = "response-wrapping";

/// The text [`DEFAULT`] starts with.
pub const DEFAULT_TEXT: &str = r#"
# A token may look at itself, renew itself and end itself.
path "auth/token/lookup-self" {
    capabilities = ["read"]
}
path "auth/token/renew-self" {
    capabilities = ["update"]
}
path "auth/token/revoke-self" {
    capabilities = ["update"]
}

# It may ask what it is allowed to do.
path "sys/capabilities-self" {
    capabilities = ["update"]
}
path "sys/internal/ui/resultant-acl" {
    capabilities = ["read"]
}

# It may look at its own entity, by id or by name.
path "identity/entity/id/{{identity.entity.id}}" {
    capabilities = ["read"]
}
path "identity/entity/name/{{identity.entity.name}}" {
    capabilities = ["read"]
}

# It may renew and look up any lease whose id it knows; the older path is for older clients.
path "sys/renew" {
    capabilities = ["update"]
}
path "sys/leases/renew" {
    capabilities = ["update"]
}
path "sys/leases/lookup" {
    capabilities = ["update"]
}

# Its own cubbyhole is its own.
path "cubbyhole/*" {
    capabilities = ["create", "read", "update", "delete", "list"]
}

# It may wrap values, see how old a wrapping token is, and unwrap.
path "sys/wrapping/wrap" {
    capabilities = ["update"]
}
path "sys/wrapping/lookup" {
    capabilities = ["update"]
}
path "sys/wrapping/unwrap" {
    capabilities = ["update"]
}

# General tools.
path "sys/tools/hash" {
    capabilities = ["update"]
}
path "sys/tools/hash/*" {
    capabilities = ["update"]
}

# For clients that ask for them.
path "sys/control-group/request" {
    capabilities = ["update"]
}
path "identity/oidc/provider/+/authorize" {
    capabilities = ["read", "update"]
}
"#;

/// The text of [`RESPONSE_WRAPPING`].
pub const RESPONSE_WRAPPING_TEXT: &str = r#"
path "cubbyhole/response" {
    capabilities = ["create", "read"]
}

path "sys/wrapping/unwrap" {
    capabilities = ["update"]
}
"#;

impl Policy {
    /// The policy named root: no rules, since none are asked.
    pub fn root() -> Policy {
        Policy {
            name: ROOT.to_owned(),
            rules: Vec::new(),
        }
    }
}
