//! The end of a lease, step by step: fence (no way in), clean (nothing left of it), drop, history.
//!
//! Every function works inside a transaction that its caller commits. Sessions are ended between two of these
//! transactions, which is the caller's work as well: it is a signal and can not be a part of a commit.

mod clean;
mod fence;
mod finish;

pub use clean::{Estate, clean};
pub use fence::{fence, fence_due};
pub use finish::{Finished, Next, finish, finish_one};

/// How many leases one transaction may end. Each dropped role holds a lock until the commit, and the lock table is
/// shared by everyone.
pub const BATCH: usize = 500;
