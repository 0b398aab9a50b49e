//! How much memory a process holds for itself, for tests that want it flat.

use anyhow::{Context, Result};

/// Private memory of a process in KiB, without what it shares with others (`RssAnon`).
pub fn anonymous_kib(pid: u32) -> Result<u64> {
    let file = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(&file).with_context(|| file.clone())?;
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let value = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
    value
        .and_then(|value| value.parse().ok())
        .with_context(|| format!("no RssAnon in {file}"))
}
