//! The end of a mount: it serves nobody, its leases end, its rows go; what a target could not hear waits in the outbox.

use std::sync::Arc;

use serde_json::json;

use super::{Mode, Notice, end_prefix, recipe_name};
use crate::core::Core;
use crate::logical::Fault;
use crate::mount::{Mount, MountKind};
use crate::store::{database, mounts, outbox};

/// Ends a mount. When it returns, the path is free, no lease of it is in sight, and every end is done or durable.
pub async fn end_mount(core: &Arc<Core>, mount: &Mount) -> Result<(), Fault> {
    // Waits for issues in their first transaction; every later one finds the mount tainted.
    mounts::taint(&core.store, mount.mount_id).await?;
    let full_path = mount.full_path();
    end_prefix(core, full_path.trim_end_matches('/'), Mode::Force).await?;
    if mount.kind == MountKind::Secret {
        drop_recipes(core, mount).await?;
    }
    let mut store = core.store.begin().await?;
    let configs = database::retire_configs(&mut store, mount.mount_id).await?;
    mounts::finish(&mut *store, mount.mount_id).await?;
    store.commit().await?;
    for config_id in configs {
        core.targets.forget(config_id);
    }
    Ok(())
}

/// The recipes go while something still leads to their targets. On a target that is away they are left behind: nobody can
/// issue from them, for the mount's accessor is never used again.
async fn drop_recipes(core: &Arc<Core>, mount: &Mount) -> Result<(), Fault> {
    let mut store = core.store.begin().await?;
    let targets = database::targets_of_mount(&mut *store, mount.mount_id).await?;
    let (roles, revision) = database::delete_roles(&mut store, mount.mount_id).await?;
    for target_id in &targets {
        for role in &roles {
            let recipe = recipe_name(&mount.accessor, role);
            let payload = json!({ "recipe": recipe, "revision": revision });
            outbox::add(&mut *store, *target_id, "drop_role", &payload).await?;
        }
    }
    store.commit().await?;
    if !roles.is_empty() {
        Notice::to(targets).deliver(core).await;
    }
    Ok(())
}

/// A role was written or deleted: targets with its leases hear of it, for renewals and endings use the recipe of now.
/// Call it within the transaction that wrote the role; deliver the notice after the commit.
pub async fn role_written(
    store: &mut sqlx::PgConnection,
    mount: &Mount,
    role: &str,
    deleted_at_revision: Option<i64>,
) -> Result<Notice, sqlx::Error> {
    let (kind, payload) = match deleted_at_revision {
        None => (
            "define_role",
            json!({ "mount_id": mount.mount_id, "role": role }),
        ),
        Some(revision) => (
            "drop_role",
            json!({ "recipe": recipe_name(&mount.accessor, role), "revision": revision }),
        ),
    };
    let targets = outbox::add_for_role(store, mount.mount_id, role, kind, &payload).await?;
    Ok(Notice::to(targets))
}
