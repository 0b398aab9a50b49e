//! Paths: the one way from a URL to the path that is judged and served, and what is below what
//! (contract 1.1). What is judged is byte for byte what is served, since there is only this one.

use percent_encoding::percent_decode_str;
use thiserror::Error;

/// Why the path of a URL is refused. The variants are in the order in which refusals win
/// (contract 1.8); the last one waits until the request's body has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PathError {
    /// `%` without two hexadecimal digits: 400, plain text.
    #[error("400 Bad Request")]
    BadEscape,
    /// A character nobody could see, decoded or not: 400 without a body.
    #[error("the path holds a character that can not be printed")]
    NotPrintable,
    /// Not below `/v1/`: 404 without errors.
    #[error("not below /v1/")]
    Outside,
    /// A `.` or `..` segment: 400.
    #[error("relative paths not supported")]
    Relative,
}

/// Turns the path of a URL, still encoded, into the path below `/v1/`: decoded once, doubled
/// slashes collapsed, without a leading slash. A trailing slash stays. What is not UTF-8 is read
/// as U+FFFD.
pub fn canonicalize(url_path: &str) -> Result<String, PathError> {
    if !escapes_are_whole(url_path) {
        return Err(PathError::BadEscape);
    }
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    if !decoded(url_path).chars().all(is_printable) {
        return Err(PathError::NotPrintable);
    }
    // The first slashes are literal ones: `/v1%2fsys` is not below `/v1/`.
    let (version, rest) = url_path
        .strip_prefix('/')
        .and_then(|path| path.split_once('/'))
        .ok_or(PathError::Outside)?;
    if decoded(version) != "v1" {
        return Err(PathError::Outside);
    }
    let path = collapse(&decoded(rest));
    check(&path).map(|()| path)
}

/// Whether a URL can lead to a path below `/v1/`, which is decoded and canonical but for that.
pub fn check(path: &str) -> Result<(), PathError> {
    if !path.chars().all(is_printable) {
        return Err(PathError::NotPrintable);
    }
    match segments(path).any(|segment| segment == "." || segment == "..") {
        true => Err(PathError::Relative),
        false => Ok(()),
    }
}

/// The segments of a canonical path; a trailing slash adds none.
pub fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// A mount's path as it is kept: no leading slash, one trailing slash (contract 3.3). The empty
/// path stays empty.
pub fn mount_path(given: &str) -> String {
    let path = collapse(given);
    match path.strip_suffix('/').unwrap_or(&path) {
        "" => String::new(),
        path => format!("{path}/"),
    }
}

/// Whether two mount paths can not stand side by side: they are equal, or one is above the other.
pub fn mounts_collide(one: &str, other: &str) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// One level of a list (contract 6.1): of ids below `folder` the names directly below it, folders
/// with a slash, sorted and each once. `folder` is empty or ends with a slash.
pub fn fold_level<'i>(folder: &str, ids: impl IntoIterator<Item = &'i str>) -> Vec<String> {
    let below = ids
        .into_iter()
        .filter_map(|id| id.strip_prefix(folder))
        .filter(|rest| !rest.is_empty());
    let mut level: Vec<String> = below
        .map(|rest| match rest.split_once('/') {
            Some((name, _)) => format!("{name}/"),
            None => rest.to_owned(),
        })
        .collect();
    level.sort_unstable();
    level.dedup();
    level
}

/// A prefix as the folder it names: cut at slashes, so that `a/b` never means `a/bc`. Empty for
/// everything.
pub fn folder(prefix: &str) -> String {
    match prefix {
        "" => String::new(),
        prefix if prefix.ends_with('/') => prefix.to_owned(),
        prefix => format!("{prefix}/"),
    }
}

/// The ids below a folder as a range of byte-wise sorted texts: from the first, inclusive, to the
/// second, exclusive. None for the empty folder, which holds everything.
pub fn folder_range(folder: &str) -> Option<(String, String)> {
    let stem = folder.strip_suffix('/')?;
    // '0' follows '/'.
    Some((folder.to_owned(), format!("{stem}0")))
}

fn escapes_are_whole(text: &str) -> bool {
    let is_hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let bytes = text.as_bytes();
    bytes
        .iter()
        .enumerate()
        .all(|(at, byte)| *byte != b'%' || is_hex(bytes.get(at + 1)) && is_hex(bytes.get(at + 2)))
}

fn collapse(path: &str) -> String {
    let mut collapsed: String = segments(path).collect::<Vec<_>>().join("/");
    if path.ends_with('/') && !collapsed.is_empty() {
        collapsed.push('/');
    }
    collapsed
}

/// Letters, marks, numbers, punctuation, symbols and the blank; no other spaces, no format
/// characters, nothing private or unassigned.
fn is_printable(c: char) -> bool {
    // The standard library escapes exactly what can not be printed, and marks that come first.
    let after_a_letter = |c: char| String::from_iter(['a', c]).escape_debug().nth(2).is_none();
    matches!(c, ' '..='~') || !c.is_ascii() && after_a_letter(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn canonical_paths() {
        let check = |url: &str, expect: Result<&str, PathError>| {
            assert_eq!(canonicalize(url), expect.map(str::to_owned), "{url}");
        };
        check("/v1/sys/health", Ok("sys/health"));
        check("/v1/", Ok(""));
        check("/v1//sys///mounts", Ok("sys/mounts"));
        check("/v1/sys/health//", Ok("sys/health/"));
        check("/v1///", Ok(""));
        check("/v1/sys%2fmounts", Ok("sys/mounts"));
        check("/v1/%2fsys", Ok("sys"));
        check("/%76%31/sys/health", Ok("sys/health"));
        check("/v1/a%20b", Ok("a b"));
        check("/v1/a+b", Ok("a+b"));
        check("/v1/%25", Ok("%"));
        check("/v1/%2525", Ok("%25"));
        check("/v1/%C3%A9%e2%82%ac", Ok("é€"));
        check("/v1/é", Ok("é"));
        check("/v1/%ff", Ok("\u{fffd}"));
        check("/v1/e%CC%81", Ok("e\u{301}"));
        check("/v1/...", Ok("..."));
        check("/v1/a..b", Ok("a..b"));
        check("/v1/q%3fx", Ok("q?x"));
        for url in [
            "/",
            "",
            "/v1",
            "/V1/sys",
            "/v2/sys",
            "//v1/sys",
            "/v1%2fsys",
            "/nothing",
            "/../v1/x",
        ] {
            check(url, Err(PathError::Outside));
        }
        for url in ["/v1/a%zz", "/v1/a%", "/v1/a%4", "/%"] {
            check(url, Err(PathError::BadEscape));
        }
        for url in [
            "/v1/%00",
            "/v1/a%0ab",
            "/v1/a%7f",
            "/v1/%E2%80%8B",
            "/v1/%C2%A0",
            "/v1/%EE%80%80",
            "/v1/%C2%85",
            "/x/%00",
            "/v1/%00/..",
        ] {
            check(url, Err(PathError::NotPrintable));
        }
        for url in [
            "/v1/..",
            "/v1/a/../b",
            "/v1/%2e%2e/x",
            "/v1/./x",
            "/v1/a/.",
            "/v1/..%2fx",
            "/v1/a//..//",
        ] {
            check(url, Err(PathError::Relative));
        }
    }

    #[test]
    fn mount_paths() {
        let check = |given: &str, expect: &str| assert_eq!(mount_path(given), expect);
        check("db", "db/");
        check("/db/", "db/");
        check("//team-a//db//", "team-a/db/");
        check("", "");
        check("/", "");
        assert!(
            mounts_collide("a/", "a/b/")
                && mounts_collide("a/b/", "a/")
                && mounts_collide("a/", "a/")
        );
        assert!(!mounts_collide("a/", "ab/"));
    }

    #[test]
    fn levels_and_ranges() {
        let ids = [
            "db/creds/r/1",
            "db/creds/r/2",
            "db/creds/rw/3",
            "db/x",
            "dbx/y",
        ];
        assert_eq!(fold_level("", ids), ["db/", "dbx/"]);
        assert_eq!(fold_level("db/", ids), ["creds/", "x"]);
        assert_eq!(fold_level("db/creds/r/", ids), ["1", "2"]);
        assert!(fold_level("db/x/", ids).is_empty());
        assert_eq!(folder("db/creds/r"), "db/creds/r/");
        assert_eq!(folder_range("a/b/"), Some(("a/b/".into(), "a/b0".into())));
        assert_eq!(folder_range(""), None);
    }

    proptest! {
        #[test]
        fn canonical_is_idempotent(url in "/v1/([a-c./%2eEfF ]|é){0,16}") {
            if let Ok(path) = canonicalize(&url) {
                let again: String = percent_encoding::utf8_percent_encode(&path, percent_encoding::NON_ALPHANUMERIC).collect();
                prop_assert_eq!(canonicalize(&format!("/v1/{again}")), Ok(path.clone()));
                prop_assert!(!path.contains("//") && !path.starts_with('/'));
                prop_assert!(segments(&path).all(|segment| segment != "." && segment != ".."));
            }
        }

        #[test]
        fn never_panics(url in "\\PC{0,30}|/v1/[%0-9a-fA-F/.]{0,20}") {
            let _ = canonicalize(&url);
        }

        /// Whatever is below a folder is in its range, and nothing else is.
        #[test]
        fn ranges_hold_what_is_below(folder in "[a-c]{1,2}(/[a-c]{1,2}){0,2}/", id in "[a-c0./]{1,10}") {
            let (from, to) = folder_range(&folder).unwrap();
            let in_range = from.as_str() <= id.as_str() && id.as_str() < to.as_str();
            prop_assert_eq!(in_range, id.starts_with(&folder), "{}", id);
        }

        /// Every id shows up in its folder's level, under its own first segment.
        #[test]
        fn levels_lose_nothing(ids in prop::collection::vec("[ab]{1,2}(/[ab]{1,2}){0,2}", 0..8)) {
            let level = fold_level("", ids.iter().map(String::as_str));
            for id in &ids {
                let name = id.split_once('/').map_or(id.clone(), |(name, _)| format!("{name}/"));
                prop_assert!(level.contains(&name));
            }
            prop_assert!(level.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
