//! Unsealing by itself, where the root key has a source of its own.

use std::sync::Arc;
use std::time::Duration;

use super::StartError;
use crate::core::Core;
use crate::engine::system::unseal;
use crate::seal::KeySource;

/// How often a sealed server looks whether its store has been initialised.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Waits until the store has been initialised, through whatever broker, and unseals. Ends when this process has had its
/// keys, from here or from elsewhere: sealed on request, it stays so. A key that is not there yet, or not the right one, is
/// looked for again, as it may come later than the store.
pub(super) async fn when_initialised(core: Arc<Core>) {
    if core.key_source == KeySource::Shares {
        return;
    }
    let mut stop = core.tasks.stop_signal();
    let mut told = String::new();
    while core.keys.is_new() {
        if let Err(error) = look(&core).await {
            // Once, not once a second.
            let why = error.to_string();
            if why != told {
                tracing::warn!(error = why, "can not unseal yet; will go on trying");
                told = why;
            }
        }
        if !stop.sleep(LOOK_EVERY).await {
            return;
        }
    }
}

async fn look(core: &Core) -> Result<(), StartError> {
    let read = core.reads.installation().await;
    let installation = read.map_err(|error| StartError::Store(error.into()))?;
    if !installation.is_initialised() {
        return Ok(());
    }
    let Some(root_key) = core.key_source.fetch()? else {
        return Ok(());
    };
    unseal::open_first(core, &installation, &root_key).map_err(StartError::Unseal)
}
