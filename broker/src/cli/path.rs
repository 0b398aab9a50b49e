//! Paths as users write them, and as they go into a URL.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stays as it is in the path of a URL; everything else is percent-encoded.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b',')
    .remove(b'/')
    .remove(b':')
    .remove(b';')
    .remove(b'=')
    .remove(b'@');
/// The same for names and values of a query.
const KEPT_IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Without blanks and slashes at both ends.
pub fn trim(path: &str) -> &str {
    path.trim().trim_matches('/')
}

/// The same, with exactly one slash at the end: how mounts are called.
pub fn mount(path: &str) -> String {
    format!("{}/", trim(path))
}

/// A path below `/v1/`, encoded; doubled slashes become one.
pub fn encode(path: &str) -> String {
    let segments: Vec<String> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| utf8_percent_encode(segment, KEPT).to_string())
        .collect();
    segments.join("/")
}

/// A query, encoded, without the question mark.
pub fn encode_query(pairs: &[(String, String)]) -> String {
    let encode = |text: &str| utf8_percent_encode(text, KEPT_IN_QUERY).to_string();
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(key, value)| format!("{}={}", encode(key), encode(value)))
        .collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_paths() {
        let check = |path: &str, expect: &str| assert_eq!(encode(path), expect);
        check("database/creds/readonly", "database/creds/readonly");
        check("/a//b/", "a/b");
        check("a b/ä", "a%20b/%C3%A4");
        check("a%2fb?c=d#e", "a%252fb%3Fc=d%23e");
        check("sys/policies/acl/x*", "sys/policies/acl/x%2A");
    }

    #[test]
    fn trims_mounts() {
        assert_eq!(mount(" /team-a/db "), "team-a/db/");
        assert_eq!(trim("team-a/db/"), "team-a/db");
    }
}
