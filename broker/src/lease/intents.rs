//! Intents that come at the same moment: written in one transaction, with one commit.

use std::sync::Arc;

use crate::core::Core;
use crate::gather::{self, Gather};
use crate::logical::Fault;
use crate::store::growth::Table;
use crate::store::intents::{self, Intent, Recorded};
use crate::store::together::together;
use crate::warm::Lent;

/// Where intents come together. One batch at a time: two that hold the same rows `FOR SHARE` at once make PostgreSQL write
/// down who shares them.
pub struct Intents(Arc<Gather<Intent, Recorded>>);

impl Default for Intents {
    fn default() -> Self {
        Intents(Gather::of_halves(gather::AT_MOST))
    }
}

/// Writes an intent down, with others if there are any. What does not stand at once is looked at alone, where it can wait
/// for whoever changes what it builds on, and say why it does not stand.
pub(super) async fn record(core: &Arc<Core>, intent: Intent) -> Result<Recorded, Fault> {
    core.growth.added(Table::Leases);
    match together(&core.intents.0, &core.warm, intent.clone(), record_all).await {
        Some(recorded) => Ok(recorded),
        None => Ok(intents::record(&core.store, &intent).await?),
    }
}

async fn record_all(mut store: Lent, batch: Vec<Intent>) -> sqlx::Result<Vec<Option<Recorded>>> {
    let recorded = match batch.as_slice() {
        // One alone costs the server less by a statement for one.
        [alone] => vec![intents::try_record(&mut *store, alone).await?],
        batch => intents::record_all(&mut *store, batch).await?,
    };
    store.keep();
    Ok(recorded)
}
