//! `owner_ends`, `revoke_owner`: tokens, as targets know them.

use tokio::time::Instant;

use super::{left, microseconds};
use crate::target::call::DEADLINE;
use crate::target::{Target, TargetError};

/// A token on a target: by its accessor, never by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The token's accessor.
    pub accessor: String,
    /// What is left of it, in microseconds; None = never ends.
    pub ttl_microseconds: Option<i64>,
    /// The token's revision in the store.
    pub revision: i64,
}

/// The least that is left of a token whose end is moved. What a target has heard of as ended is ended for ever, and a later
/// message may have been written meanwhile; a token that has ended has a message of its own.
const MOMENT_US: i64 = 1_000_000;

impl Owner {
    /// What is left of it now, a moment at least. It may be told long after that was read, and more than once.
    fn left_since(&self, read_at: Instant) -> Option<i64> {
        self.ttl_microseconds
            .map(|ttl| left(ttl, read_at.elapsed()).max(MOMENT_US))
    }
}

impl Target {
    /// Tells when an owner ends, by what was left of it at `read_at`, and whose child it is. Nothing happens if something newer is
    /// known there.
    pub async fn owner_ends(
        &self,
        owner: &Owner,
        parent: Option<&str>,
        read_at: Instant,
    ) -> Result<(), TargetError> {
        let _news: (bool,) = self
            .row(Instant::now() + DEADLINE, &|| {
                sqlx::query_as("select leasehold.owner_ends($1, $2, $3, $4, $5)")
                    .bind(&owner.accessor)
                    .bind(parent)
                    .bind(owner.left_since(read_at).map(microseconds))
                    .bind(owner.revision)
                    .bind(self.0.scope.name())
            })
            .await
            .map_err(|failure| failure.error)?;
        Ok(())
    }

    /// Ends an owner for ever, and with it its children and the leases of them all.
    pub async fn revoke_owner(&self, accessor: &str) -> Result<(), TargetError> {
        let _done: (bool,) = self
            .row(Instant::now() + DEADLINE, &|| {
                sqlx::query_as("select true from (select leasehold.revoke_owner($1, $2)) as done")
                    .bind(accessor)
                    .bind(self.0.scope.name())
            })
            .await
            .map_err(|failure| failure.error)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_time_it_takes_to_tell_is_not_given_to_the_owner() {
        let check = |ttl: Option<i64>, expect: std::ops::RangeInclusive<i64>| {
            let owner = Owner {
                accessor: "a".into(),
                ttl_microseconds: ttl,
                revision: 1,
            };
            let left = owner.left_since(Instant::now() - Duration::from_secs(3));
            assert_eq!(left.is_some(), ttl.is_some());
            assert!(left.is_none_or(|left| expect.contains(&left)), "{left:?}");
        };
        check(Some(10_000_000), 6_000_000..=7_000_000);
        check(Some(2_000_000), MOMENT_US..=MOMENT_US);
        check(None, 0..=0);
    }
}
