//! Disabling (contract 3.6): taint, end the leases, remove.

use super::named;
use crate::engine;
use crate::lease;
use crate::logical::{Call, Fault, Outcome};
use crate::mount::MountKind;
use crate::store::mounts;

pub(super) async fn disable(call: &Call<'_>, kind: MountKind) -> Outcome {
    let path = named(call, kind)?;
    if kind == MountKind::Secret && path.starts_with("auth/") {
        return Err(Fault::bad(format!("cannot unmount \"{path}\"")));
    }
    let Some(mount) = mounts::at(&call.core.store, kind, &path).await? else {
        return Ok(None);
    };
    if engine::find(kind, &mount.engine_type).is_none_or(|engine| engine.built_in) {
        return Err(match kind {
            MountKind::Auth => Fault::bad("token credential backend cannot be disabled"),
            MountKind::Secret => Fault::bad(format!("cannot unmount \"{path}\"")),
        });
    }
    lease::end_mount(call.core, &mount).await?;
    tracing::info!(path = mount.full_path(), "disabled a mount");
    Ok(None)
}
