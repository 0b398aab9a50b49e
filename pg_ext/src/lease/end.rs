//! The end of a lease, step by step: fence (no way in), clean (nothing left of it), drop, history.
//!
//! Every function works inside a transaction that its caller commits. Sessions are ended between two of these
//! transactions, which is the caller's work as well: it is a signal and can not be a part of a commit.

mod clean;
mod drop_extension;
mod fence;
mod finish;
mod sessions;
mod statements;
mod sweep;
mod wait;

pub use clean::{Estate, clean};
pub use drop_extension::refuse_if_live;
pub use fence::{Fenced, Revoked, fence_due, fence_now, fence_owned};
pub use finish::{Finished, Next, finish, finish_one};
pub use sessions::{end_those_of, end_those_without_user};
pub use statements::run_statements;
pub use sweep::sweep;
pub use wait::{Ended, await_ended};

/// How many leases one transaction may end. Each dropped role holds a lock until the commit, and the lock table is
/// shared by everyone.
pub const BATCH: usize = 500;

/// How many of a batch are seen to in one go, and written to the disk before the next.
const FEW: usize = 100;
