//! Lists of policy names, as tokens and token roles keep them.

use crate::policy::{DEFAULT, ROOT};

/// Lower-cased, trimmed, sorted, each once and none empty; root stands alone.
pub(super) fn sanitize(policies: &[String], add_default: bool) -> Vec<String> {
    let mut clean: Vec<String> = policies
        .iter()
        .map(|name| name.trim().to_lowercase())
        .filter(|name| !name.is_empty())
        .collect();
    if clean.iter().any(|name| name == ROOT) {
        return vec![ROOT.to_owned()];
    }
    if add_default {
        clean.push(DEFAULT.to_owned());
    }
    clean.sort();
    clean.dedup();
    clean
}
