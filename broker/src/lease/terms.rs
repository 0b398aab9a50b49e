//! What a role and its mount allow a lease. Pure.

use serde_json::Value;

use crate::core::Settings;
use crate::duration::Span;
use crate::mount::Mount;
use crate::store::roles::RoleRow;
use crate::ttl::{MountTtl, Wish};

/// The wish of a lease: what is asked for (zero: nothing in particular), within its role as it is now.
pub fn wish(role: &RoleRow, increment: Span) -> Wish {
    let span = |field: &str| {
        let seconds = role.settings.get(field).and_then(Value::as_i64);
        Span::from_seconds(seconds.unwrap_or(0))
    };
    Wish {
        increment,
        role_default: span("default_ttl"),
        role_max: span("max_ttl"),
        ..Wish::default()
    }
}

/// What a mount allows.
pub fn mount_ttl(settings: &Settings, mount: &Mount) -> MountTtl {
    MountTtl::from_seconds(
        mount.default_lease_ttl_seconds(),
        mount.max_lease_ttl_seconds(),
        settings.default_lease_ttl_seconds,
        settings.max_lease_ttl_seconds,
    )
}
