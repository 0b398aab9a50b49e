//! What a batch token carries. It is not stored: the token is its own claims, sealed under the store's keys.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::Fault;
use crate::seal::Keys;
use crate::secret::Token;

/// Prefix of batch tokens.
pub const BATCH_PREFIX: &str = "hvb.";
/// The older prefix, taken from clients as well.
const BATCH_PREFIX_OLD: &str = "b.";

/// The claims.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchClaims {
    /// `tokens.token_id` of the parent: it dies with that one. None = an orphan.
    pub parent_id: Option<i64>,
    /// The parent's accessor: a store that was restored gives numbers once more. None = an orphan, or a token of an earlier
    /// version, which did not say.
    pub parent_accessor: Option<String>,
    /// Sorted policy names.
    pub policies: Vec<String>,
    /// `meta` as given.
    pub meta: Option<Map<String, Value>>,
    /// As a service token's.
    pub display_name: String,
    /// The request path that made it.
    pub path: String,
    /// The role it was made by.
    pub role: Option<String>,
    /// Addresses it may come from; empty = any.
    pub bound_cidrs: Vec<String>,
    /// Microseconds since the epoch, by the store's clock.
    pub issued_at_us: i64,
    /// Seconds granted; it ends then.
    pub ttl_seconds: i64,
    /// Microseconds since the epoch.
    pub expires_at_us: i64,
}

impl BatchClaims {
    /// The token that carries the claims.
    pub fn encode(&self, keys: &Keys) -> Result<Token, Fault> {
        let text = Zeroizing::new(serde_json::to_vec(self).expect("claims are always JSON"));
        let body = keys.seal_batch(&text)?;
        Ok(Token::new(format!("{BATCH_PREFIX}{}", body.as_str())))
    }

    /// The claims of a token; None if it is not a batch token of this store. Whether it still lives is not decided here.
    pub fn decode(keys: &Keys, token: &Token) -> Result<Option<Self>, Fault> {
        let Some(body) = Self::body(token) else {
            return Ok(None);
        };
        let Some(text) = keys.open_batch(body)? else {
            return Ok(None);
        };
        Ok(serde_json::from_slice(&text).ok())
    }

    /// Whether a token has the form of a batch token, good or not.
    pub fn is_form(token: &Token) -> bool {
        Self::body(token).is_some()
    }

    fn body(token: &Token) -> Option<&str> {
        let text = token.expose();
        text.strip_prefix(BATCH_PREFIX)
            .or_else(|| text.strip_prefix(BATCH_PREFIX_OLD))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn claims_of_an_earlier_version_are_read() {
        let old = json!({
            "parent_id": 7, "policies": ["p"], "meta": null, "display_name": "token", "path": "auth/token/create",
            "role": null, "bound_cidrs": [], "issued_at_us": 1, "ttl_seconds": 60, "expires_at_us": 60_000_001,
        });
        let claims: BatchClaims = serde_json::from_value(old).expect("claims");
        assert_eq!(claims.parent_id, Some(7));
        assert_eq!(claims.parent_accessor, None);
    }
}
