//! Telling a target what the outbox holds for it. Every message may be told twice, and by any broker.

use std::future::Future;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::hold::holding;
use super::reach::RoleAt;
use super::{LeaseError, reach, recipe, settle};
use crate::core::Core;
use crate::logical::Fault;
use crate::store::outbox::{self, OutboxRow};
use crate::store::{mounts, roles, unconfirmed};
use crate::target::{Owner, Refusal, Target, TargetError};

/// Messages claimed at once.
const BATCH: i64 = 100;
/// Messages told whose rows go at once.
const DONE_TOGETHER: usize = 10;
/// How often a broker says that it is still telling what it has claimed.
const HOLD_EVERY: Duration = Duration::from_secs(outbox::CLAIM_SECONDS as u64 / 3);
/// Longest pause before a message is tried again, in seconds.
const PAUSE_SECONDS_MAX: i64 = 5;

/// Tells a target what is due, in order of arrival. True: there may be more.
pub(super) async fn deliver(core: &Core, target_id: Uuid) -> Result<bool, LeaseError> {
    let rows = outbox::claim(&core.store, target_id, BATCH).await?;
    tell_all(core, target_id, &rows).await?;
    Ok(rows.len() == BATCH as usize)
}

/// Tells a target messages that this broker has claimed, and holds them while it does. What the target refused is tried
/// again later; of several refusals the first comes back.
pub(super) async fn tell_all(
    core: &Core,
    target_id: Uuid,
    rows: &[OutboxRow],
) -> Result<Option<LeaseError>, LeaseError> {
    let telling = tell_in_order(core, target_id, rows);
    holding(HOLD_EVERY, || outbox::hold(&core.store, rows), telling).await
}

async fn tell_in_order(
    core: &Core,
    target_id: Uuid,
    rows: &[OutboxRow],
) -> Result<Option<LeaseError>, LeaseError> {
    let mut refused = None;
    let mut told = Vec::new();
    let mut waiting = rows.iter();
    for row in waiting.by_ref() {
        match tell(core, target_id, row).await {
            Ok(()) => told.push(row.outbox_id),
            // One connection that does not get there may be all that is away; others go their own ways.
            Err(error) if is_dispensable(row) && error.leaves_it_to_later() => {
                put_off(core, &[row.outbox_id], row.attempts, &error).await?;
            }
            Err(error) if error.leaves_it_to_later() => {
                outbox::done(&core.store, &told).await?;
                let rest: Vec<i64> = std::iter::once(row)
                    .chain(waiting)
                    .map(|row| row.outbox_id)
                    .collect();
                put_off(core, &rest, row.attempts, &error).await?;
                return Err(error);
            }
            Err(LeaseError::Target(error)) if is_dispensable(row) && is_final(&error) => {
                tracing::warn!(%target_id, kind = row.kind, %error, "the target refuses a recipe; the next issue will say so");
                told.push(row.outbox_id);
            }
            Err(error) => {
                tracing::warn!(%target_id, kind = row.kind, %error, "could not tell the target; will try again");
                put_off(core, &[row.outbox_id], row.attempts, &error).await?;
                refused.get_or_insert(error);
            }
        }
        if told.len() == DONE_TOGETHER {
            outbox::done(&core.store, &std::mem::take(&mut told)).await?;
        }
    }
    outbox::done(&core.store, &told).await?;
    Ok(refused)
}

/// A refused recipe is the business of whoever wrote it, and shows at the next issue; an end is tried for ever.
fn is_dispensable(row: &OutboxRow) -> bool {
    matches!(row.kind.as_str(), "define_role" | "drop_role")
}

/// Whether the same message would be refused again: what the server says of the recipe, not of its own state.
fn is_final(error: &TargetError) -> bool {
    match error {
        TargetError::Refused { refusal, .. } => *refusal != Refusal::NobodyEnforces,
        TargetError::Sql { sqlstate, .. } => ["0L", "22", "2B", "42"]
            .iter()
            .any(|class| sqlstate.starts_with(class)),
        TargetError::Unreachable { .. } | TargetError::Unknown(_) | TargetError::Unfit(_) => false,
    }
}

async fn put_off(
    core: &Core,
    outbox_ids: &[i64],
    attempts: i32,
    error: &LeaseError,
) -> Result<(), LeaseError> {
    let seconds = (1_i64 << attempts.clamp(0, 8)).min(PAUSE_SECONDS_MAX);
    outbox::put_off(&core.store, outbox_ids, seconds, &error.to_string()).await?;
    Ok(())
}

#[derive(Deserialize)]
struct Move {
    owner: String,
    parent: Option<String>,
    revision: i64,
    /// By the store's clock.
    expires_at_us: Option<i64>,
}

#[derive(Deserialize)]
struct EndOwner {
    owner: String,
    /// Children that live on: told first.
    orphans: Vec<Move>,
}

#[derive(Deserialize)]
struct RevokeLease {
    lease_ids: Vec<String>,
}

#[derive(Deserialize)]
struct DefineRole {
    mount_id: Uuid,
    role: String,
}

#[derive(Deserialize)]
struct DropRole {
    recipe: String,
    revision: i64,
}

fn read<T: for<'de> Deserialize<'de>>(payload: &Value) -> Result<T, LeaseError> {
    T::deserialize(payload).map_err(|error| Fault::internal(format!("outbox: {error}")).into())
}

async fn tell(core: &Core, target_id: Uuid, row: &OutboxRow) -> Result<(), LeaseError> {
    match row.kind.as_str() {
        "end_owner" => {
            let end: EndOwner = read(&row.payload)?;
            for orphan in &end.orphans {
                move_owner(core, target_id, orphan, row).await?;
            }
            ask(core, target_id, |target| {
                let owner = end.owner.clone();
                async move { target.revoke_owner(&owner).await }
            })
            .await
        }
        "move_owner" => move_owner(core, target_id, &read(&row.payload)?, row).await,
        "revoke_lease" => {
            let lease_ids = named(row)?;
            let intents = unconfirmed::among(&core.store, &lease_ids).await?;
            revoke(core, target_id, &lease_ids, &intents)
                .await
                .map(drop)
        }
        "define_role" => {
            let DefineRole { mount_id, role } = read(&row.payload)?;
            let Some(mount) = mounts::by_id(&core.store, mount_id).await? else {
                return Ok(());
            };
            let Some(role) = roles::by_name(&core.store, mount_id, &role).await? else {
                return Ok(());
            };
            let recipe = recipe(&mount.accessor, &role);
            let of = RoleAt {
                mount_id,
                role: &role.name,
                db_name: role.db_name(),
            };
            let ways = reach::ways_for_role(core, target_id, of).await?;
            if ways.is_empty() {
                tracing::warn!(%target_id, role = role.name, "no connection that leads there allows the role; its leases end as they were told");
                return Ok(());
            }
            reach::ask_through(core, target_id, ways, |target| {
                let recipe = recipe.clone();
                async move { target.define_role(&recipe).await.map(drop) }
            })
            .await
        }
        "drop_role" => {
            let DropRole { recipe, revision } = read(&row.payload)?;
            ask(core, target_id, |target| {
                let recipe = recipe.clone();
                async move { target.drop_role(&recipe, revision).await }
            })
            .await
        }
        other => Err(Fault::internal(format!("outbox: unknown kind {other:?}")).into()),
    }
}

/// Ends leases of a target, those among them first settled that are unconfirmed, or one could still come. Gives back the way
/// that it was told on.
pub(super) async fn revoke(
    core: &Core,
    target_id: Uuid,
    lease_ids: &[String],
    intents: &[String],
) -> Result<Target, LeaseError> {
    if !intents.is_empty() {
        let target = any(core, target_id).await?;
        settle::settle(core, &target, intents).await?;
    }
    reach::ask(core, target_id, |target| {
        let lease_ids = lease_ids.to_vec();
        async move {
            target.revoke(&lease_ids).await?;
            Ok(target)
        }
    })
    .await
}

async fn move_owner(
    core: &Core,
    target_id: Uuid,
    moved: &Move,
    row: &OutboxRow,
) -> Result<(), LeaseError> {
    let owner = Owner {
        accessor: moved.owner.clone(),
        ttl_microseconds: moved.expires_at_us.map(|at| at - row.now_us),
        revision: moved.revision,
    };
    ask(core, target_id, |target| {
        let (owner, parent) = (owner.clone(), moved.parent.clone());
        let read_at = row.claimed_at.into();
        async move { target.owner_ends(&owner, parent.as_deref(), read_at).await }
    })
    .await
}

async fn ask<Asked>(
    core: &Core,
    target_id: Uuid,
    call: impl Fn(Target) -> Asked + Send,
) -> Result<(), LeaseError>
where
    Asked: Future<Output = Result<(), TargetError>> + Send,
{
    reach::ask(core, target_id, call).await
}

/// The leases that a message ends.
pub(super) fn named(row: &OutboxRow) -> Result<Vec<String>, LeaseError> {
    let RevokeLease { lease_ids } = read(&row.payload)?;
    Ok(lease_ids)
}

/// A way to the target that answers.
pub(super) async fn any(core: &Core, target_id: Uuid) -> Result<Target, LeaseError> {
    reach::ask(core, target_id, |target| async move {
        target.ping().await?;
        Ok(target)
    })
    .await
}
