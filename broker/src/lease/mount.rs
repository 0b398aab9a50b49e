//! The end of a mount: it serves nobody, its leases end, its rows go; what a target could not hear waits in the outbox.
//! A move is the same, but that the mount then serves elsewhere. Either is taken up by any broker if its own one dies.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sqlx::Executor;
use uuid::Uuid;

use super::hold::holding;
use super::{Mode, Notice, end_prefix, recipe_name};
use crate::core::Core;
use crate::logical::Fault;
use crate::mount::{Mount, MountKind};
use crate::store::{configs, mounts, outbox, roles, targets};

/// How often a broker says that it is still at a mount.
const HOLD_EVERY: Duration = Duration::from_secs(mounts::HOLD_SECONDS as u64 / 3);

/// Ends a mount. When it returns, the path is free, no lease of it is in sight, and every end is done or durable.
pub async fn end_mount(core: &Arc<Core>, mount: &Mount) -> Result<(), Fault> {
    // Waits for issues in their first transaction; every later one finds the mount tainted.
    mounts::taint(&core.store, mount.mount_id).await?;
    held(core, mount.mount_id, end_tainted(core, mount)).await
}

async fn end_tainted(core: &Arc<Core>, mount: &Mount) -> Result<(), Fault> {
    let full_path = mount.full_path();
    let below = full_path.trim_end_matches('/');
    end_prefix(core, below, Some(mount.mount_id), Mode::Force).await?;
    if mount.kind == MountKind::Secret {
        drop_recipes(core, mount).await?;
    }
    let mut store = core.begin().await?;
    let configs = configs::retire_all(&mut store, mount.mount_id).await?;
    mounts::finish(&mut *store, mount.mount_id).await?;
    store.commit().await?;
    for config_id in configs {
        core.targets.forget(config_id);
    }
    Ok(())
}

/// Moves a mount, when its leases have ended; gives back the id of the move. `to` is in the mount's own table.
pub async fn move_mount(core: &Arc<Core>, mount: &Mount, to: &str) -> Result<Uuid, Fault> {
    let migration_id = Uuid::new_v4();
    if !mounts::taint_to_move(&core.store, mount.mount_id, migration_id, to).await? {
        return Err(Fault::bad(format!(
            "the mount at \"{}\" is being disabled or moved",
            mount.full_path()
        )));
    }
    held(
        core,
        mount.mount_id,
        move_tainted(core, mount, to, migration_id),
    )
    .await?;
    Ok(migration_id)
}

/// A move that can not be done is given up: the mount serves where it was, without its leases.
async fn move_tainted(
    core: &Arc<Core>,
    mount: &Mount,
    to: &str,
    migration_id: Uuid,
) -> Result<(), Fault> {
    let moved = relocate(core, mount, to, migration_id).await;
    if moved.is_err() {
        mounts::untaint(&core.store, mount.mount_id, migration_id).await?;
    }
    moved
}

async fn relocate(
    core: &Arc<Core>,
    mount: &Mount,
    to: &str,
    migration_id: Uuid,
) -> Result<(), Fault> {
    let from = mount.full_path();
    let below = from.trim_end_matches('/');
    end_prefix(core, below, Some(mount.mount_id), Mode::Wait).await?;
    let moved = Mount {
        path: to.to_owned(),
        ..mount.clone()
    };
    let mut store = core.begin().await?;
    store
        .execute("lock table leasehold_broker.mounts in share row exclusive mode")
        .await?;
    if let Some(taken) = mounts::overlapping(&mut *store, mount.kind, to).await? {
        return Err(path_in_use(&taken));
    }
    if !mounts::relocate(&mut *store, mount.mount_id, migration_id).await? {
        return match mounts::noted_move(&mut *store, migration_id).await? {
            Some(_) => Ok(()),
            None => Err(Fault::bad(format!("the mount at \"{from}\" was disabled"))),
        };
    }
    mounts::note_move(&mut *store, migration_id, &from, &moved.full_path()).await?;
    store.commit().await?;
    tracing::info!(from, to = moved.full_path(), %migration_id, "moved a mount");
    Ok(())
}

/// Nothing is mounted where something else is, or above or below it.
pub fn path_in_use(taken: &str) -> Fault {
    Fault::bad(format!("path already in use at \"{taken}\""))
}

/// Goes on with mounts whose broker died while it disabled or moved them.
pub(super) async fn take_up(core: &Arc<Core>) -> Result<(), sqlx::Error> {
    for (mount, going) in mounts::take_abandoned(&core.store).await? {
        let here = core.clone();
        core.tasks.spawn(async move {
            let path = mount.full_path();
            let done = match &going {
                None => held(&here, mount.mount_id, end_tainted(&here, &mount)).await,
                Some((migration_id, to)) => {
                    let moving = move_tainted(&here, &mount, to, *migration_id);
                    held(&here, mount.mount_id, moving).await
                }
            };
            match done {
                Ok(()) => tracing::info!(path, "finished with a mount that another broker had begun to disable or move"),
                Err(error) => tracing::warn!(path, %error, "can not finish with a mount that is being disabled or moved yet"),
            }
        });
    }
    Ok(())
}

/// Works on a tainted mount, and lets other brokers know so.
async fn held<T>(core: &Arc<Core>, mount_id: Uuid, work: impl Future<Output = T>) -> T {
    holding(HOLD_EVERY, || mounts::hold(&core.store, mount_id), work).await
}

/// The recipes go while something still leads to their targets. On a target that is away they are left behind: nobody can
/// issue from them, for the mount's accessor is never used again.
async fn drop_recipes(core: &Arc<Core>, mount: &Mount) -> Result<(), Fault> {
    let mut store = core.begin().await?;
    let targets = targets::of_mount(&mut *store, mount.mount_id).await?;
    let (roles, revision) = roles::delete_all(&mut store, mount.mount_id).await?;
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
