//! Lease ids as folders (contract 6.1): one level at a time, leases of mounts and leases of tokens alike.

use std::collections::BTreeSet;

use crate::core::Core;
use crate::logical::Fault;
use crate::store::{leases, tokens_by_path};

/// Leaves read at once.
const BATCH: i64 = 5_000;

/// Names directly in a folder (`""`, or with a trailing slash), sorted; those of sub-folders end with a slash.
pub async fn list(core: &Core, folder: &str) -> Result<Vec<String>, Fault> {
    let mut names = BTreeSet::new();
    let end = end_of(folder);
    let mut from = folder.to_owned();
    // One at a time through sub-folders, each skipped as a whole; many at a time through leaves.
    let mut limit = 1;
    loop {
        let page = leases::seen(&core.store, &from, &end, limit).await?;
        let Some(last) = page.last() else { break };
        from = format!("{last}\u{1}");
        limit = BATCH;
        for id in &page {
            let below = &id[folder.len()..];
            match below.split_once('/') {
                None => names.insert(below.to_owned()),
                Some((sub, _)) => {
                    from = end_of(&format!("{folder}{sub}/"));
                    limit = 1;
                    names.insert(format!("{sub}/"));
                    break;
                }
            };
        }
    }
    for path in tokens_by_path::paths(&core.store).await? {
        let lease_folder = format!("{path}/");
        if lease_folder == folder {
            let hashes = tokens_by_path::hashes(&core.store, &path).await?;
            names.extend(hashes.iter().map(|hash| format!("h{}", hex::encode(hash))));
        } else if let Some(below) = lease_folder.strip_prefix(folder) {
            let (sub, _) = below.split_once('/').unwrap_or((below, ""));
            names.insert(format!("{sub}/"));
        }
    }
    Ok(names.into_iter().collect())
}

/// The first text behind everything in a folder.
fn end_of(folder: &str) -> String {
    match folder.strip_suffix('/') {
        // '0' is the character behind '/'.
        Some(name) => format!("{name}0"),
        None => char::MAX.to_string(),
    }
}
