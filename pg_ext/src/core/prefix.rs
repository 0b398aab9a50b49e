//! Prefixes of lease ids, cut at slashes: `a/b` holds `a/b` itself and everything below `a/b/`, never `a/bc`.

/// The ids under a prefix, as what an index on them (bytes in order) can be asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Range {
    /// The one id that is the prefix itself; `None` where every id is meant.
    pub itself: Option<String>,
    /// The lowest text that can lie below it.
    pub from: String,
    /// The first text past it; `None` has no end.
    pub to: Option<String>,
}

/// Reads a prefix; slashes at its end make no difference, and the empty one holds everything.
pub fn range(prefix: &str) -> Range {
    let stem = prefix.trim_end_matches('/');
    if stem.is_empty() {
        return Range {
            itself: None,
            from: String::new(),
            to: None,
        };
    }
    Range {
        itself: Some(stem.to_owned()),
        from: format!("{stem}/"),
        // The character after the slash: nothing that begins with "stem/" is greater or equal.
        to: Some(format!("{stem}0")),
    }
}

#[cfg(test)]
mod tests {
    use super::range;
    use proptest::prelude::proptest;

    fn holds(prefix: &str, id: &str) -> bool {
        let range = range(prefix);
        range.itself.as_deref() == Some(id)
            || id >= range.from.as_str() && range.to.as_deref().is_none_or(|to| id < to)
    }

    #[test]
    fn cut_at_slashes() {
        for (prefix, id, expect) in [
            ("database/creds", "database/creds/readonly/abc", true),
            ("database/creds/", "database/creds/readonly/abc", true),
            ("database/creds/read", "database/creds/readonly/abc", false),
            (
                "database/creds/readonly",
                "database/creds/readonly/abc",
                true,
            ),
            (
                "database/creds/readonly",
                "database/creds/readonly2/abc",
                false,
            ),
            (
                "database/creds/readonly/abc",
                "database/creds/readonly/abc",
                true,
            ),
            (
                "database/creds/readonly/ab",
                "database/creds/readonly/abc",
                false,
            ),
            ("a_b", "axb/c", false),
            ("a%", "ab/c", false),
            ("", "x", true),
            ("/", "x", true),
        ] {
            assert_eq!(holds(prefix, id), expect, "{prefix} {id}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_starts_with(prefix in "[ab/%_]{1,4}", id in "[ab/%_]{1,8}") {
            let stem = prefix.trim_end_matches('/');
            let expect = stem.is_empty() || id == stem || id.starts_with(&format!("{stem}/"));
            assert_eq!(holds(&prefix, &id), expect);
        }
    }
}
