//! The canonical form of paths: the one that is judged is, byte for byte, the one that is served. Pure.

use percent_encoding::percent_decode_str;

/// Decodes a path once; `%2f` becomes a slash, `+` stays a plus.
pub(super) fn decode(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

/// Doubled slashes are one.
pub(super) fn collapse(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        if c != '/' || !(out.is_empty() || out.ends_with('/')) {
            out.push(c);
        }
    }
    out
}

/// Whether a segment is `.` or `..`.
pub(super) fn has_dot_segment(path: &str) -> bool {
    path.split('/').any(|segment| matches!(segment, "." | ".."))
}

/// Whether all of it can be seen: no control characters, no blanks but the blank, no invisible formatting.
pub(super) fn is_printable(path: &str) -> bool {
    path.chars().all(|c| {
        if c.is_ascii() {
            return matches!(c, ' '..='~');
        }
        // Text's own escaping knows what is printable; behind a letter it leaves combining marks alone.
        let text = format!("a{c}");
        text.escape_debug().count() == 2
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_is_what_can_be_seen() {
        for text in ["a b", "é", "e\u{301}", "日本", "\u{fffd}", "~", "\"\\'"] {
            assert!(is_printable(text), "{text:?}");
        }
        for text in [
            "\n", "\0", "\u{7f}", "\u{a0}", "\u{200b}", "\u{85}", "\u{2028}", "\u{feff}", "\t",
        ] {
            assert!(!is_printable(text), "{text:?}");
        }
    }

    #[test]
    fn slashes_collapse() {
        for (path, expect) in [
            ("a//b", "a/b"),
            ("//a", "a"),
            ("a///", "a/"),
            ("a/b", "a/b"),
            ("", ""),
        ] {
            assert_eq!(collapse(path), expect);
        }
    }

    #[test]
    fn dot_segments_are_found_whole() {
        for path in ["..", "a/..", "./a", "a/./b"] {
            assert!(has_dot_segment(path), "{path}");
        }
        for path in ["...", "a..b", "a/..b", ".a"] {
            assert!(!has_dot_segment(path), "{path}");
        }
    }
}
