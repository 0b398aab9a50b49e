//! What a broker does beside its requests: it confirms, settles, hears and tells, ends tokens whose time is up, takes up
//! mounts that were left half-way, and sweeps up after itself. One task a target, so that a stuck one delays no other; several brokers may do all of it at once.

use std::collections::HashMap;
use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::comparison::{self, Comparison};
use super::{LeaseError, changes, end_owners, mount, outbox, settle};
use crate::core::Core;
use crate::logical::Fault;
use crate::store::{configs, leases, owners, sweep, targets};

/// How often targets are looked for, and token expiry is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often a target is asked for changes when nothing calls for it.
const TEND_EVERY: Duration = Duration::from_secs(1);
/// After a nudge it is asked more often, for a while: what was told to it has its effects now.
const HOT_EVERY: Duration = Duration::from_millis(60);
const HOT_FOR: Duration = Duration::from_secs(2);
/// Nudged or not, there is so much time from one look to the next: what many requests leave is then dealt with together.
const REST: Duration = Duration::from_millis(20);
/// Failures in a row before the log hears of it.
const FAILURES_TOLD: u32 = 2;
/// Pause after a failure, at most.
const BACK_OFF_MAX: Duration = Duration::from_secs(5);
/// How often answers of targets are written down.
const CONFIRM_EVERY: Duration = Duration::from_millis(200);
/// How often old rows are swept up.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// A round of work with the store takes no longer, whatever there is to do.
const STORE_PATIENCE: Duration = Duration::from_secs(120);
/// As long a round with a target may take: there may be very much to tell. But neither target nor store is waited for for ever.
const ROUND_PATIENCE: Duration = Duration::from_secs(600);
/// Tokens ended in one go.
const EXPIRED_BATCH: i64 = 200;

/// Runs until the process goes down.
pub async fn work(core: Arc<Core>) {
    let confirming = core.clone();
    core.tasks.spawn(async move {
        let mut stop = confirming.tasks.stop_signal();
        while stop.sleep(CONFIRM_EVERY).await {
            settle::confirm(&confirming, &confirming.errands).await;
        }
        settle::confirm(&confirming, &confirming.errands).await;
    });
    let mut tended: HashMap<Uuid, Arc<AtomicBool>> = HashMap::new();
    let mut swept_at: Option<Instant> = None;
    let mut stop = core.tasks.stop_signal();
    loop {
        if !core.keys.is_sealed() {
            in_time("look for targets to tend", look(&core, &mut tended)).await;
            in_time("end tokens whose time is up", end_expired_tokens(&core)).await;
            // Ends of mounts take as long as they take, and say that they are at it.
            if let Err(error) = mount::take_up(&core).await {
                tracing::warn!(%error, "could not look for mounts that were left half-way");
            }
            if swept_at.is_none_or(|at| at.elapsed() > SWEEP_EVERY) {
                swept_at = Some(Instant::now());
                in_time("sweep up old rows", sweep::sweep(&core.store)).await;
                in_time("let go of connections that are gone", let_go(&core)).await;
            }
        }
        if !stop.sleep(LOOK_EVERY).await {
            return;
        }
    }
}

/// Waits for work with the store, but not for a store that has fallen silent: nobody else would do the rest.
async fn in_time<E: Display>(what: &str, work: impl Future<Output = Result<(), E>>) {
    match tokio::time::timeout(STORE_PATIENCE, work).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "could not {what}"),
        Err(_) => tracing::warn!("could not {what}: the store does not answer"),
    }
}

/// Pools of connections that another broker has deleted, or that are retired and swept up.
async fn let_go(core: &Core) -> Result<(), sqlx::Error> {
    let there = configs::ids(&core.store).await?;
    core.targets.keep_only(&there.into_iter().collect());
    Ok(())
}

/// Starts a task for every target that has none, and lets those go that nothing leads to any more.
async fn look(
    core: &Arc<Core>,
    tended: &mut HashMap<Uuid, Arc<AtomicBool>>,
) -> Result<(), sqlx::Error> {
    let wanted = leases::targets_to_tend(&core.store).await?;
    tended.retain(|target_id, keep| {
        let kept = wanted.contains(target_id);
        keep.store(kept, Ordering::Relaxed);
        kept
    });
    for target_id in wanted {
        tended.entry(target_id).or_insert_with(|| {
            let keep = Arc::new(AtomicBool::new(true));
            core.tasks
                .spawn(tend(core.clone(), target_id, keep.clone()));
            keep
        });
    }
    Ok(())
}

/// Tends to one target until nothing leads to it any more.
async fn tend(core: Arc<Core>, target_id: Uuid, keep: Arc<AtomicBool>) {
    let nudged = core.errands.of(target_id);
    let mut stop = core.tasks.stop_signal();
    let mut comparison = Comparison::default();
    let mut hot_until = Instant::now();
    let mut pause = TEND_EVERY;
    let mut failures = 0_u32;
    while keep.load(Ordering::Relaxed) && !stop.is_stopping() {
        let round = round(&core, target_id, &mut comparison);
        let round = tokio::time::timeout(ROUND_PATIENCE, round).await;
        let round = round.unwrap_or_else(|_| Err(Fault::internal("it took too long").into()));
        match round {
            Ok(()) => {
                if failures >= FAILURES_TOLD {
                    tracing::info!(%target_id, "the target answers again");
                }
                failures = 0;
                pause = TEND_EVERY;
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                // Once, not once a round; and not when a configuration has just been taken away.
                if failures == FAILURES_TOLD {
                    tracing::warn!(%target_id, %error, "can not tend to the target; will go on trying");
                }
                pause = (pause * 2).min(BACK_OFF_MAX);
            }
        }
        let hot = Instant::now() < hot_until && failures == 0;
        let wait = if hot { HOT_EVERY } else { pause };
        if !stop.sleep(REST).await {
            return;
        }
        tokio::select! {
            () = nudged.notified() => hot_until = Instant::now() + HOT_FOR,
            going_on = stop.sleep(wait) => if !going_on { return },
        }
    }
}

/// Tells what is due, settles what is old, hears what is new, and sees whether both tell the same story.
async fn round(
    core: &Arc<Core>,
    target_id: Uuid,
    comparison: &mut Comparison,
) -> Result<(), LeaseError> {
    if core.keys.is_sealed() || !targets::has_way(&core.store, target_id).await? {
        return Ok(());
    }
    while outbox::deliver(core, target_id).await? {}
    let target = outbox::any(core, target_id).await?;
    settle::settle_old(core, &target).await?;
    while changes::consume(core, &target).await? {}
    comparison::go_on(core, &target, comparison).await
}

async fn end_expired_tokens(core: &Arc<Core>) -> Result<(), Fault> {
    let expired = owners::expired(&core.store, EXPIRED_BATCH).await?;
    let notice = end_owners(core, &expired).await?;
    // Nobody waits for it, and targets that are away least of all.
    let telling = core.clone();
    core.tasks
        .spawn(async move { notice.deliver(&telling).await });
    Ok(())
}
