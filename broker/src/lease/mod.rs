//! Leases, as far as a broker has a hand in them: the order of issuing, who is told of an end, and the tending of targets.
//!
//! Not here: how a login is made or ended (the extension's), HTTP forms (the engines'), and any fact kept in memory that
//! another broker could have changed. The store's rows are an index; a row leaves only on its target's word.

mod changes;
mod comparison;
mod digest;
mod end;
mod errands;
mod folder;
mod hold;
mod intents;
mod issue;
mod mount;
mod outbox;
mod owner;
mod reach;
mod recipe;
mod renew;
mod settle;
mod terms;
mod worker;

pub use digest::digest;
pub use end::{End, Mode, end_lease, end_prefix};
pub use errands::Errands;
pub use folder::list;
pub use intents::Intents;
pub use issue::{Made, Order, issue, undo};
pub use mount::{end_mount, move_mount, path_in_use, role_written};
pub use owner::{Notice, end_orphaning, end_owner, end_owners, end_tree, move_owner};
pub use reach::{open_details, reach_config, scope};
pub use recipe::{recipe, recipe_name};
pub use renew::{Renewal, Renewals, renew};
pub use terms::{mount_ttl, wish};
pub use worker::work;

use crate::logical::Fault;
use crate::target::TargetError;

/// Why a lease could not be dealt with.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The target said no, or nothing.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The store, the seal, or a rule of ours.
    #[error("{0}")]
    Fault(Fault),
}

impl From<Fault> for LeaseError {
    fn from(fault: Fault) -> Self {
        LeaseError::Fault(fault)
    }
}

impl From<sqlx::Error> for LeaseError {
    fn from(error: sqlx::Error) -> Self {
        LeaseError::Fault(error.into())
    }
}

impl LeaseError {
    /// True where an end is left to the outbox: nobody could be asked, or whoever was is not fit, and that can be mended.
    pub fn leaves_it_to_later(&self) -> bool {
        self.is_absence() || matches!(self, LeaseError::Target(TargetError::Unfit(_)))
    }

    /// True where the target could not be asked, or did not answer.
    pub fn is_absence(&self) -> bool {
        matches!(self, LeaseError::Target(error) if error.is_absence())
    }
}
