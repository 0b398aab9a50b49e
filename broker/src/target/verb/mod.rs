//! One file a group of verbs. Each function is one call of the seam, with its arguments typed and its answer read.

mod changes;
mod ending;
mod inventory;
mod issue;
mod owner;
mod recipe;
mod renew;
mod together;

pub use changes::{Change, ChangeKind};
pub use ending::{Ended, LeaseState};
pub use inventory::Held;
pub use issue::{Issue, Outcome, Settled};
pub use owner::Owner;
pub use recipe::Recipe;
pub(in crate::target) use renew::{Renewals, renewals};
pub(super) use together::{Together, together};

use std::time::Duration;

use sqlx::postgres::types::PgInterval;

/// So many of a target's calls go together at most: they are one transaction there.
const TOGETHER: usize = 64;

/// Answers the question that a batch has under this ordinal, from 1 on.
fn answer<A>(answers: &mut [Option<A>], ordinal: i32, answer: A) {
    let place = usize::try_from(ordinal - 1).unwrap_or(usize::MAX);
    if let Some(place) = answers.get_mut(place) {
        *place = Some(answer);
    }
}

/// A duration that crosses the seam.
fn microseconds(microseconds: i64) -> PgInterval {
    PgInterval {
        months: 0,
        days: 0,
        microseconds,
    }
}

/// What is left of so many microseconds when this has passed since they were read: calls may be sent long after, and more than
/// once.
fn left(microseconds: i64, passed: Duration) -> i64 {
    microseconds.saturating_sub(i64::try_from(passed.as_micros()).unwrap_or(i64::MAX))
}

fn seconds(seconds: i64) -> PgInterval {
    microseconds(seconds.saturating_mul(1_000_000))
}
