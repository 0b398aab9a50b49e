//! Ends asked for over HTTP: of one lease, or of all below a prefix (contract 6.3). An end is told as done only when no
//! access is left; where the target can not be reached it is accepted, durably, and happens later.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use super::{LeaseError, Notice, end_owner, end_owners, outbox};
use crate::core::Core;
use crate::logical::Fault;
use crate::store::leases::{self, Below, Place};
use crate::store::outbox::OutboxRow;
use crate::store::tokens_by_path;
use crate::target::{Ended, LeaseState, Target, TargetError};

/// Up to now everything should be gone; after that, fenced without sessions is enough.
const GONE_WITHIN: Duration = Duration::from_secs(2);
/// After that a session alive is an error.
const ENDED_WITHIN: Duration = Duration::from_secs(10);
/// One look waits so long for something to see.
const LOOK_FOR: Duration = Duration::from_millis(500);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(15);
/// Leases waited for in one call.
const BATCH: usize = 500;

/// How an end is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Answer when no access is left.
    Wait,
    /// Answer when it is durable that it will end.
    Accept,
    /// As `Wait`, but where that can not be, they are out of sight at once and end as soon as it can.
    Force,
}

/// How an end stands when the answer is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// No access is left.
    Done,
    /// It is durable that it will end.
    Accepted,
}

/// Ends one lease; an unknown one has ended.
pub async fn end_lease(core: &Arc<Core>, lease_id: &str, mode: Mode) -> Result<End, Fault> {
    let place = core
        .warm
        .ask(async |store| leases::place_of(store, lease_id).await)
        .await?;
    let Some(Place {
        target_id,
        is_intent,
    }) = place
    else {
        if let Some(token_id) = tokens_by_path::by_lease_id(&core.store, lease_id).await? {
            end_owner(core, token_id).await?;
        }
        return Ok(done(mode));
    };
    if mode == Mode::Accept {
        return end_below(core, lease_id, None, target_id, mode).await;
    }
    // One call is not long: it is written down only if it fails.
    let lease_ids = [lease_id.to_owned()];
    let intents = if is_intent { &lease_ids[..] } else { &[] };
    let ended = match outbox::revoke(core, target_id, &lease_ids, intents).await {
        Ok(target) => wait_all(core, &target, &lease_ids).await,
        Err(error) => Err(error),
    };
    match ended {
        Ok(()) => Ok(End::Done),
        Err(error) if error.leaves_it_to_later() => {
            let below = Below {
                prefix: lease_id,
                of_mount: None,
                target_id,
            };
            leases::accept_ends_below(&core.store, &below, false, false).await?;
            core.errands.nudge(target_id);
            Ok(End::Accepted)
        }
        Err(error) => Err(refuse(error)),
    }
}

/// Ends everything at or below a prefix (without its trailing slash): leases, and tokens made at such paths. `of_mount`: leases of
/// that mount only. Its path may be another's by now.
pub async fn end_prefix(
    core: &Arc<Core>,
    prefix: &str,
    of_mount: Option<Uuid>,
    mode: Mode,
) -> Result<End, Fault> {
    let tokens = tokens_by_path::below(&core.store, prefix).await?;
    end_owners(core, &tokens).await?.deliver(core).await;
    let mut ends = JoinSet::new();
    for target_id in leases::targets_below(&core.store, prefix).await? {
        let (core, prefix) = (core.clone(), prefix.to_owned());
        ends.spawn(async move { end_below(&core, &prefix, of_mount, target_id, mode).await });
    }
    let mut end = done(mode);
    let mut fault = None;
    while let Some(joined) = ends.join_next().await {
        match joined {
            Ok(Ok(one)) => end = end.max(one),
            Ok(Err(one)) => fault = Some(one),
            Err(error) => fault = Some(Fault::internal(error)),
        }
    }
    fault.map_or(Ok(end), Err)
}

fn done(mode: Mode) -> End {
    match mode {
        Mode::Accept => End::Accepted,
        Mode::Wait | Mode::Force => End::Done,
    }
}

/// Ends what a target has at or below a prefix now; an issue that begins later need not end. However many they are, it is
/// durable first that they end: their names are in the outbox, and any broker goes on with those that this one leaves.
async fn end_below(
    core: &Arc<Core>,
    prefix: &str,
    of_mount: Option<Uuid>,
    target_id: Uuid,
    mode: Mode,
) -> Result<End, Fault> {
    let (out_of_sight, ours) = (mode == Mode::Force, mode != Mode::Accept);
    let below = Below {
        prefix,
        of_mount,
        target_id,
    };
    let messages = leases::accept_ends_below(&core.store, &below, out_of_sight, ours).await?;
    match mode {
        Mode::Accept => {
            let (told, notice) = (core.clone(), Notice::to(vec![target_id]));
            core.tasks.spawn(async move { notice.deliver(&told).await });
            Ok(End::Accepted)
        }
        Mode::Wait => match see_through(core, target_id, &messages).await {
            Ok(()) => Ok(End::Done),
            Err(error) if error.leaves_it_to_later() => Ok(End::Accepted),
            Err(error) => Err(refuse(error)),
        },
        // It is enough that it is durable, whatever stands in the way, and however long it takes.
        Mode::Force => {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            let here = core.clone();
            core.tasks.spawn(async move {
                if let Err(error) = see_through(&here, target_id, &messages).await {
                    tracing::info!(%target_id, %error, "leases that are ended by force have not all ended yet");
                }
                // Nobody may be waiting any more.
                let _ = sender.send(());
            });
            let _ = tokio::time::timeout(ENDED_WITHIN, receiver).await;
            Ok(End::Done)
        }
    }
}

/// Tells the target these messages, and waits until nobody has access through the leases that they name.
async fn see_through(
    core: &Core,
    target_id: Uuid,
    messages: &[OutboxRow],
) -> Result<(), LeaseError> {
    if let Some(refused) = outbox::tell_all(core, target_id, messages).await? {
        return Err(refused);
    }
    let mut lease_ids = Vec::new();
    for message in messages {
        lease_ids.extend(outbox::named(message)?);
    }
    if lease_ids.is_empty() {
        return Ok(());
    }
    let target = outbox::any(core, target_id).await?;
    wait_all(core, &target, &lease_ids).await
}

/// Waits until no access is left through any of these; their rows go then, on the target's word.
async fn wait_all(core: &Core, target: &Target, lease_ids: &[String]) -> Result<(), LeaseError> {
    let began = Instant::now();
    for batch in lease_ids.chunks(BATCH) {
        wait_ended(target, batch, began).await?;
        core.warm
            .ask(async |store| leases::remove(store, batch).await)
            .await?;
    }
    core.errands.nudge(target.id());
    Ok(())
}

/// Waits until nobody has access through these leases any more.
async fn wait_ended(
    target: &Target,
    lease_ids: &[String],
    began: Instant,
) -> Result<(), LeaseError> {
    loop {
        let waited = began.elapsed();
        let slice = if waited < GONE_WITHIN {
            GONE_WITHIN.saturating_sub(waited)
        } else {
            ENDED_WITHIN.saturating_sub(waited)
        };
        let rows = target.await_ended(lease_ids, slice.min(LOOK_FOR)).await?;
        match judge(&rows, began.elapsed()) {
            Verdict::Ended => return Ok(()),
            Verdict::Wait => tokio::time::sleep(LOOK_EVERY).await,
            Verdict::Stuck(why) => return Err(Fault::raw(500, why).into()),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Ended,
    Wait,
    Stuck(String),
}

/// What a look at ending leases says after so much time.
fn judge(rows: &[Ended], waited: Duration) -> Verdict {
    let open = rows.iter().find(|row| {
        row.state == LeaseState::Active
            || (row.state == LeaseState::Fenced && (!row.pids.is_empty() || waited < GONE_WITHIN))
    });
    let Some(open) = open else {
        return Verdict::Ended;
    };
    // What could be checked is: has all this time been enough for those that still have access?
    if waited < ENDED_WITHIN {
        return Verdict::Wait;
    }
    let sessions = match open.pids.as_slice() {
        [] => String::new(),
        pids => format!(
            "; sessions still open: {}",
            pids.iter()
                .map(i32::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        ),
    };
    let why = match &open.last_error {
        Some(error) => format!(": {error}"),
        None => String::new(),
    };
    Verdict::Stuck(format!(
        "failed to revoke \"{}\": it has no end yet, and the database goes on trying{why}{sessions}",
        open.lease_id
    ))
}

fn refuse(error: LeaseError) -> Fault {
    match error {
        LeaseError::Fault(fault) => fault,
        LeaseError::Target(TargetError::Unfit(why)) => {
            Fault::bad(format!("failed to revoke entry: {why}"))
        }
        LeaseError::Target(error) => Fault::bad(format!("failed to revoke entry: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(state: LeaseState, pids: &[i32], waited_ms: u64, expect: &str) {
        let rows = [Ended {
            lease_id: "m/creds/r/1".into(),
            state,
            pids: pids.to_vec(),
            last_error: None,
        }];
        let got = match judge(&rows, Duration::from_millis(waited_ms)) {
            Verdict::Ended => "ended",
            Verdict::Wait => "wait",
            Verdict::Stuck(why) => {
                assert!(pids.iter().all(|pid| why.contains(&pid.to_string())));
                "stuck"
            }
        };
        assert_eq!(got, expect, "{state:?} {pids:?} after {waited_ms} ms");
    }

    #[test]
    fn an_end_is_told_only_when_no_access_is_left() {
        check(LeaseState::Gone, &[], 0, "ended");
        check(LeaseState::Fenced, &[], 0, "wait");
        check(LeaseState::Fenced, &[], 2_000, "ended");
        check(LeaseState::Fenced, &[7], 2_000, "wait");
        check(LeaseState::Fenced, &[7], 10_000, "stuck");
        check(LeaseState::Active, &[], 2_000, "wait");
        check(LeaseState::Active, &[], 10_000, "stuck");
    }
}
