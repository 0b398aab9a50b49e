//! Do store and target tell the same story? In the ordinary course each hears of the other; but a store that was restored
//! has forgotten leases, ends and renewals, and so has a target. So both are read side by side, a page at a time, for ever.
//!
//! What a target has and the store lost is taken into the index again if its mount and its token are there, and ended
//! otherwise: nobody could end it over HTTP. What the store has and its target does not is no lease any more.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::LeaseError;
use crate::core::Core;
use crate::store::comparison::{self, Indexed};
use crate::store::leases;
use crate::target::{Held, LeaseState, Target};

/// Leases compared at once: cheap enough to be done for ever, and 20,000 leases take 20 s.
const PAGE: i32 = 1_000;
const PAGE_EVERY: Duration = Duration::from_secs(1);
/// Ends may differ by so many seconds: an issue takes a moment, and seconds are whole.
const TOLERANCE_SECONDS: i64 = 2;

/// How far a comparison with one target has come.
pub(super) struct Comparison {
    after: String,
    due_at: Instant,
}

impl Default for Comparison {
    fn default() -> Self {
        Comparison {
            after: String::new(),
            due_at: Instant::now(),
        }
    }
}

/// Compares the next page, when it is time. Where something was wrong, the rest is gone through without a pause.
pub(super) async fn go_on(
    core: &Core,
    target: &Target,
    comparison: &mut Comparison,
) -> Result<(), LeaseError> {
    if Instant::now() < comparison.due_at {
        return Ok(());
    }
    comparison.due_at = Instant::now() + PAGE_EVERY;
    let mut wrong = page(core, target, comparison).await?;
    while wrong && !comparison.after.is_empty() {
        wrong |= page(core, target, comparison).await?;
    }
    Ok(())
}

/// True where the two told different stories.
async fn page(
    core: &Core,
    target: &Target,
    comparison: &mut Comparison,
) -> Result<bool, LeaseError> {
    // The store first: whatever it has confirmed by now the target has had.
    let mut here = comparison::page(&core.store, target.id(), &comparison.after, PAGE).await?;
    let mut there = target.inventory(&comparison.after, PAGE).await?;
    let end = common_end(
        last_of_full(&here, |lease| &lease.lease_id),
        last_of_full(&there, |lease| &lease.lease_id),
    );
    if let Some(end) = &end {
        here.retain(|lease| lease.lease_id <= *end);
        there.retain(|lease| lease.lease_id <= *end);
    }
    let found = differences(&here, &there);
    comparison.after = end.unwrap_or_default();
    let mut wrong = false;
    if !found.moved.is_empty() {
        comparison::correct_ends(&core.store, &found.moved).await?;
    }
    if !found.only_here.is_empty() {
        let gone = states(target, &found.only_here, |state| {
            state != LeaseState::Active
        })
        .await?;
        if !gone.is_empty() {
            wrong = true;
            tracing::warn!(leases = gone.len(), target_id = %target.id(), "the target does not have these leases any more");
            leases::remove(&core.store, &gone).await?;
        }
    }
    if !found.only_there.is_empty() {
        wrong |= take_in(core, target, &there, found.only_there).await?;
    }
    Ok(wrong)
}

/// The store has lost these, unless it has just made or removed them.
async fn take_in(
    core: &Core,
    target: &Target,
    there: &[Held],
    mut lost: Vec<String>,
) -> Result<bool, LeaseError> {
    // An intent is written before a target is asked: what is not there now, after the target was read, is lost or has ended.
    let known = comparison::known(&core.store, &lost).await?;
    lost.retain(|id| !known.contains(id));
    let lost = states(target, &lost, |state| state == LeaseState::Active).await?;
    if lost.is_empty() {
        return Ok(false);
    }
    let held: Vec<&Held> = there
        .iter()
        .filter(|lease| lost.contains(&lease.lease_id))
        .collect();
    let adopted = comparison::adopt(&core.store, target.id(), &held).await?;
    // Another broker may have taken some in at the same moment: those are no strays either.
    let known = comparison::known(&core.store, &lost).await?;
    let strays: Vec<String> = lost.into_iter().filter(|id| !known.contains(id)).collect();
    // All of them taken in by another broker: it has said so.
    if adopted > 0 || !strays.is_empty() {
        tracing::warn!(
            adopted, ended = strays.len(), target_id = %target.id(),
            "the target has leases that the store did not know: has the store been restored?"
        );
    }
    if !strays.is_empty() {
        target.revoke(&strays).await?;
    }
    Ok(true)
}

/// Those of them that are in such a state now.
async fn states(
    target: &Target,
    lease_ids: &[String],
    wanted: impl Fn(LeaseState) -> bool,
) -> Result<Vec<String>, LeaseError> {
    if lease_ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = target.await_ended(lease_ids, Duration::ZERO).await?;
    let such = rows.into_iter().filter(|row| wanted(row.state));
    Ok(such.map(|row| row.lease_id).collect())
}

/// The last id of a page that may not be the last one.
fn last_of_full<T>(page: &[T], id: impl Fn(&T) -> &String) -> Option<String> {
    (page.len() >= PAGE as usize)
        .then(|| page.last().map(|last| id(last).clone()))
        .flatten()
}

/// Up to where two pages are whole; None: to the end.
fn common_end(one: Option<String>, other: Option<String>) -> Option<String> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// What two pages of the same range differ in.
#[derive(Debug, Default)]
struct Differences {
    /// Confirmed leases that the target does not have.
    only_here: Vec<String>,
    /// Leases that the store does not have.
    only_there: Vec<String>,
    /// Leases whose end the target knows better: id, end as the store had it, seconds left.
    moved: Vec<(String, time::OffsetDateTime, i64)>,
}

fn differences(here: &[Indexed], there: &[Held]) -> Differences {
    let mut found = Differences::default();
    let mut left: HashMap<&str, &Held> = there
        .iter()
        .map(|lease| (lease.lease_id.as_str(), lease))
        .collect();
    for lease in here {
        match left.remove(lease.lease_id.as_str()) {
            Some(held) => {
                if (held.ttl_seconds - lease.left_seconds).abs() > TOLERANCE_SECONDS {
                    let id = lease.lease_id.clone();
                    found.moved.push((id, lease.expires_at, held.ttl_seconds));
                }
            }
            None if lease.is_intent => {}
            None => found.only_here.push(lease.lease_id.clone()),
        }
    }
    found.only_there = left.into_keys().map(str::to_owned).collect();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(id: &str, is_intent: bool, left_seconds: i64) -> Indexed {
        Indexed {
            lease_id: id.into(),
            is_intent,
            expires_at: time::OffsetDateTime::UNIX_EPOCH,
            left_seconds,
        }
    }

    fn there(id: &str, ttl_seconds: i64) -> Held {
        Held {
            lease_id: id.into(),
            role: "a/r".into(),
            login: None,
            owner: None,
            age_seconds: 0,
            ttl_seconds,
            max_ttl_seconds: 0,
            cap_seconds: None,
        }
    }

    #[test]
    fn differences_are_found_on_both_sides() {
        let found = differences(
            &[
                here("both", false, 60),
                here("gone", false, 60),
                here("intent", true, 60),
                here("later", false, 60),
                here("rounded", false, 60),
            ],
            &[
                there("both", 60),
                there("later", 3_600),
                there("lost", 60),
                there("rounded", 58),
            ],
        );
        assert_eq!(found.only_here, ["gone"]);
        assert_eq!(found.only_there, ["lost"]);
        let moved: Vec<_> = found
            .moved
            .iter()
            .map(|(id, _, ttl)| (id.as_str(), *ttl))
            .collect();
        assert_eq!(moved, [("later", 3_600)]);
    }

    #[test]
    fn two_pages_are_compared_as_far_as_both_are_whole() {
        let end = |one: Option<&str>, other: Option<&str>| {
            common_end(one.map(str::to_owned), other.map(str::to_owned))
        };
        assert_eq!(end(None, None), None);
        assert_eq!(end(Some("b"), None).as_deref(), Some("b"));
        assert_eq!(end(Some("b"), Some("a")).as_deref(), Some("a"));
    }
}
