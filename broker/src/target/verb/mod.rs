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

use sqlx::postgres::types::PgInterval;

use crate::gather::Limits;

/// Calls that come together: two batches at once, so that one computes while the other's commit reaches the disk.
const TOGETHER: Limits = Limits {
    runners: 1,
    batch: 64,
};

/// A duration that crosses the seam.
fn microseconds(microseconds: i64) -> PgInterval {
    PgInterval {
        months: 0,
        days: 0,
        microseconds,
    }
}

fn seconds(seconds: i64) -> PgInterval {
    microseconds(seconds.saturating_mul(1_000_000))
}
