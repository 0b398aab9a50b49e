//! What happened on a target: ends and renewals made in SQL, by the sweeper, or by other brokers. The store hears of it
//! here, and only then is it acknowledged there.

use super::LeaseError;
use crate::core::Core;
use crate::store::leases;
use crate::target::{ChangeKind, Target};

/// Changes read at once.
const BATCH: i32 = 500;

/// Writes down what a target has to say. True: there may be more.
pub(super) async fn consume(core: &Core, target: &Target) -> Result<bool, LeaseError> {
    let changes = target.changes(BATCH).await?;
    if changes.is_empty() {
        return Ok(false);
    }
    let more = changes.len() == BATCH as usize;
    let mut ended = Vec::new();
    // Of several renewals the last counts.
    let mut renewed = std::collections::BTreeMap::new();
    for change in &changes {
        match change.kind {
            ChangeKind::Ended => ended.push(change.lease_id.clone()),
            ChangeKind::Renewed { ttl_seconds } => {
                renewed.insert(change.lease_id.clone(), ttl_seconds);
            }
        }
    }
    let (lease_ids, ttls): (Vec<String>, Vec<i64>) = renewed.into_iter().unzip();
    // One after the other: each locks its rows in their order, and both together would not.
    leases::heard_renewed(&core.store, &lease_ids, &ttls).await?;
    leases::remove(&core.store, &ended).await?;
    let ids: Vec<i64> = changes.iter().map(|change| change.id).collect();
    target.ack_changes(&ids).await?;
    Ok(more)
}
