//! The envelope of successful answers (contract 1.7): what goes over the wire, and what a wrapping token keeps.

use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Auth, Response};

/// Fields in the contract's order.
#[derive(Serialize)]
pub struct Envelope<'r> {
    request_id: String,
    lease_id: &'r str,
    renewable: bool,
    lease_duration: i64,
    data: Option<&'r Map<String, Value>>,
    wrap_info: Option<Value>,
    warnings: Option<&'r [String]>,
    auth: Option<Value>,
}

impl<'r> Envelope<'r> {
    /// The envelope of a response; a wrapped one does not name its request.
    pub fn new(request_id: Uuid, response: &'r Response) -> Self {
        let lease = response.lease.as_ref();
        Envelope {
            request_id: match &response.wrap_info {
                Some(_) => String::new(),
                None => request_id.to_string(),
            },
            lease_id: lease.map_or("", |lease| &lease.lease_id),
            renewable: lease.is_some_and(|lease| lease.renewable),
            lease_duration: lease.map_or(0, |lease| lease.duration_seconds),
            data: response.data.as_ref(),
            wrap_info: response.wrap_info.as_ref().map(|info| {
                let mut shown = json!({
                    "token": info.token.expose(),
                    "accessor": info.accessor,
                    "ttl": info.ttl_seconds,
                    "creation_time": info.creation_time,
                    "creation_path": info.creation_path,
                });
                if let Some(accessor) = &info.wrapped_accessor {
                    shown["wrapped_accessor"] = accessor.clone().into();
                }
                shown
            }),
            warnings: (!response.warnings.is_empty()).then_some(&response.warnings[..]),
            auth: response.auth.as_ref().map(auth),
        }
    }
}

fn auth(auth: &Auth) -> Value {
    json!({
        "client_token": auth.client_token.as_ref().map_or("", |token| token.expose()),
        "accessor": auth.accessor,
        "policies": auth.policies,
        "token_policies": auth.policies,
        "metadata": auth.metadata,
        "lease_duration": auth.lease_duration_seconds,
        "renewable": auth.renewable,
        "entity_id": auth.entity_id,
        "token_type": auth.token_type,
        "orphan": auth.orphan,
        "mfa_requirement": null,
        "num_uses": auth.num_uses,
    })
}
