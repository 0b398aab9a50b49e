//! What whoever calls the tests tells them by the environment.

use anyhow::{Context, Result};

/// The number in the variable `name`; `None` if it is not set.
pub fn told(name: &str) -> Result<Option<u64>> {
    match std::env::var(name) {
        Ok(text) => Ok(Some(
            text.parse().with_context(|| format!("{name}={text}"))?,
        )),
        Err(_) => Ok(None),
    }
}
