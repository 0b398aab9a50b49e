//! A service token, as the store has it.

use serde_json::{Map, Value};
use time::OffsetDateTime;

/// A living token.
#[derive(Clone, Debug)]
pub struct TokenRow {
    /// Primary key.
    pub token_id: i64,
    /// Its handle.
    pub accessor: String,
    /// The request path that made it.
    pub path: String,
    /// Sorted names.
    pub policies: Vec<String>,
    /// As given.
    pub meta: Option<Map<String, Value>>,
    /// What logins are named after.
    pub display_name: String,
    /// The role it was made by.
    pub role: Option<String>,
    /// Addresses it may come from; empty = any.
    pub bound_cidrs: Vec<String>,
    /// Uses granted; 0 = unlimited.
    pub num_uses: i32,
    /// Uses left; None = unlimited.
    pub uses_left: Option<i32>,
    /// Has no parent.
    pub orphan: bool,
    /// Whether renewals are accepted.
    pub renewable: bool,
    /// Whole seconds granted at creation.
    pub creation_ttl_seconds: i64,
    /// Whole seconds last granted.
    pub ttl_seconds: i64,
    /// As given at creation; 0 = none.
    pub explicit_max_ttl_seconds: i64,
    /// As given at creation; 0 = none.
    pub period_seconds: i64,
    /// When it was made.
    pub issued_at: OffsetDateTime,
    /// None = never.
    pub expires_at: Option<OffsetDateTime>,
    /// The latest renewal.
    pub last_renewed_at: Option<OffsetDateTime>,
    /// The store's clock when this was read.
    pub read_at: OffsetDateTime,
}
