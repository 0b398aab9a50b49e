//! Making a token of which everything is decided.

use serde_json::{Map, Value};

use crate::duration::Span;
use crate::ids;
use crate::logical::{Auth, BatchClaims, Call, Fault, TokenRow};
use crate::secret::Token;
use crate::store::growth::Table;
use crate::store::new_tokens::{DEPTH_MAX, Made, NewToken};
use crate::store::tokens;
use crate::ttl;

/// A token that only needs to be written down.
pub(super) struct Wanted<'c, 'r> {
    /// The request.
    pub call: &'c Call<'r>,
    /// The token it is made with.
    pub maker: &'c TokenRow,
    /// The request's path, or the role's.
    pub path: String,
    /// The token role.
    pub role: Option<String>,
    /// As it is shown.
    pub display_name: String,
    /// As given.
    pub meta: Option<Map<String, Value>>,
    /// Addresses it may come from; empty = any.
    pub bound_cidrs: Vec<String>,
    /// Names.
    pub policies: Vec<String>,
    /// None: it has no end.
    pub ttl: Option<Span>,
    /// Whether it can be renewed.
    pub renewable: bool,
    /// It does not end with its maker.
    pub orphan: bool,
    /// 0 = any number.
    pub num_uses: i32,
    /// As given; zero = none.
    pub explicit_max: Span,
    /// As given; zero = none.
    pub period: Span,
}

impl Wanted<'_, '_> {
    fn parent(&self) -> Option<&TokenRow> {
        (!self.orphan).then_some(self.maker)
    }

    fn auth(self, token: Token, accessor: String, token_type: &'static str) -> Auth {
        Auth {
            client_token: Some(token),
            accessor,
            policies: self.policies,
            metadata: self.meta,
            lease_duration_seconds: self.ttl.map_or(0, Span::seconds),
            renewable: self.renewable,
            entity_id: String::new(),
            token_type,
            orphan: self.orphan,
            num_uses: self.num_uses,
        }
    }

    /// Writes a service token down, under this id or one of its own.
    pub(super) async fn service(self, id: &str) -> Result<Auth, Fault> {
        let token = match id {
            "" => ids::service_token(),
            id => Token::new(id),
        };
        let core = self.call.core;
        let accessor = ids::base62(24);
        let new = NewToken {
            token_hash: format!("\\x{}", hex::encode(core.keys.token_hash(&token)?)),
            accessor: accessor.clone(),
            maker_id: self.maker.token_id,
            parent_id: self.parent().map(|parent| parent.token_id),
            path: self.path.clone(),
            policies: self.policies.clone(),
            meta: self.meta.clone(),
            display_name: self.display_name.clone(),
            role: self.role.clone(),
            bound_cidrs: self.bound_cidrs.clone(),
            num_uses: self.num_uses,
            renewable: self.renewable,
            ttl_microseconds: self.ttl.map(|ttl| ttl.nanos() / 1_000),
            ttl_seconds: self.ttl.map_or(0, Span::seconds),
            explicit_max_ttl_seconds: ttl::kept_seconds(self.explicit_max),
            period_seconds: ttl::kept_seconds(self.period),
        };
        core.growth.added(Table::Tokens);
        match core.new_tokens.make(new).await? {
            Made::Made => Ok(self.auth(token, accessor, "service")),
            Made::Duplicate => Err(Fault::bad("cannot create a token with a duplicate ID")),
            Made::Orphaned => Err(Fault::unknown_caller()),
            Made::TooDeep => Err(Fault::bad(format!(
                "there can be no more than {DEPTH_MAX} tokens, one above the other: make an orphan, or use a token nearer to the root"
            ))),
        }
    }

    /// Seals a batch token, which is written down nowhere.
    pub(super) async fn batch(self) -> Result<Auth, Fault> {
        let ttl = self
            .ttl
            .ok_or_else(|| Fault::internal("a batch token without an end"))?;
        let issued_at = tokens::clock(&self.call.core.store).await?;
        let issued_at_us =
            i64::try_from(issued_at.unix_timestamp_nanos() / 1_000).map_err(Fault::internal)?;
        let claims = BatchClaims {
            parent_id: self.parent().map(|parent| parent.token_id),
            parent_accessor: self.parent().map(|parent| parent.accessor.clone()),
            policies: self.policies.clone(),
            meta: self.meta.clone(),
            display_name: self.display_name.clone(),
            path: self.path.clone(),
            role: self.role.clone(),
            bound_cidrs: self.bound_cidrs.clone(),
            issued_at_us,
            ttl_seconds: ttl.seconds(),
            expires_at_us: issued_at_us.saturating_add(ttl.nanos() / 1_000),
        };
        let token = claims.encode(&self.call.core.keys)?;
        Ok(self.auth(token, String::new(), "batch"))
    }
}
