//! The policy that a request needs.

use super::{Method, Request};

/// Paths that need `sudo` besides; a `*` at the end stands for anything (contract 2.12).
const SUDO: &[&str] = &[
    "auth/token/accessors",
    "auth/token/revoke-orphan",
    "sys/audit",
    "sys/audit/*",
    "sys/auth/*",
    "sys/config/auditing/*",
    "sys/config/cors",
    "sys/internal/inspect/*",
    "sys/leases",
    "sys/leases/lookup/*",
    "sys/leases/revoke-force/*",
    "sys/leases/revoke-prefix/*",
    "sys/raw",
    "sys/raw/*",
    "sys/remount",
    "sys/revoke-force/*",
    "sys/revoke-prefix/*",
    "sys/rotate",
    "sys/rotate/keyring",
    "sys/rotate/root",
    "sys/seal",
    "sys/step-down",
];

/// As HCL, with a newline.
pub(super) fn needed(request: &Request) -> String {
    let path = request.path.trim_matches('/');
    let lists = request
        .query
        .iter()
        .any(|(key, value)| key == "list" && value == "true");
    let mut words = match request.method {
        Method::Get if lists => vec!["list"],
        Method::Get => vec!["read"],
        Method::Put | Method::Post => vec!["create", "update"],
        Method::Patch => vec!["patch"],
        Method::Delete => vec!["delete"],
    };
    let needs_sudo = SUDO.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix),
        None => path == *pattern,
    });
    words.extend(needs_sudo.then_some("sudo"));
    let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    let words = words.join(", ");
    // A list is asked of the path with a slash.
    let path = if lists {
        format!("{path}/")
    } else {
        path.to_owned()
    };
    format!("path {path:?} {{\n  capabilities = [{words}]\n}}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_needed() {
        let check = |request: Request, expect: &str| assert_eq!(needed(&request), expect);
        check(
            Request::get("database/creds/x"),
            "path \"database/creds/x\" {\n  capabilities = [\"read\"]\n}\n",
        );
        check(
            Request::put("sys/leases/revoke-prefix/database"),
            "path \"sys/leases/revoke-prefix/database\" {\n  capabilities = [\"create\", \"update\", \"sudo\"]\n}\n",
        );
        check(
            Request::list("database/roles"),
            "path \"database/roles/\" {\n  capabilities = [\"list\"]\n}\n",
        );
    }
}
