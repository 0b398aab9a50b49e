//! Intents that come at the same moment: written in one transaction, with one commit.

use std::sync::Arc;

use crate::core::Core;
use crate::gather::{Gather, Limits};
use crate::logical::Fault;
use crate::store::growth::Table;
use crate::store::intents;
use crate::store::leases::{self, Intent, Recorded};
use crate::warm::Warm;

/// One at a time: two that hold the same rows `FOR SHARE` at once make PostgreSQL write down who shares them.
const LIMITS: Limits = Limits {
    runners: 1,
    batch: 128,
};

/// Where intents come together.
pub struct Intents(Arc<Gather<Intent, Recorded>>);

impl Default for Intents {
    fn default() -> Self {
        Intents(Gather::new(LIMITS))
    }
}

/// Writes an intent down, with others if there are any. What does not stand at once is looked at alone, where it can wait
/// for whoever changes what it builds on, and say why it does not stand.
pub(super) async fn record(core: &Arc<Core>, intent: Intent) -> Result<Recorded, Fault> {
    core.growth.added(Table::Leases);
    let store = core.warm.clone();
    let run = move |batch: Vec<Intent>| {
        let store = store.clone();
        async move {
            match record_all(&store, &batch).await {
                Ok(recorded) => recorded,
                Err(error) => {
                    tracing::debug!(%error, intents = batch.len(), "intents could not be written together");
                    batch.iter().map(|_| None).collect()
                }
            }
        }
    };
    match core.intents.0.ask(intent.clone(), |_, _| true, run).await {
        Some(recorded) => Ok(recorded),
        None => Ok(leases::record(&core.store, &intent).await?),
    }
}

async fn record_all(store: &Warm, batch: &[Intent]) -> sqlx::Result<Vec<Option<Recorded>>> {
    let mut store = store.acquire().await?;
    let recorded = match batch {
        // One alone costs the server less by a statement for one.
        [alone] => vec![leases::try_record(&mut *store, alone).await?],
        batch => intents::record_all(&mut *store, batch).await?,
    };
    store.keep();
    Ok(recorded)
}
