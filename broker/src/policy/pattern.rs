//! Which paths a rule speaks of, and which of two rules speaks with more right (contract 4.2, 4.4).

use std::cmp::{Ordering, Reverse};

/// A path with wildcards: `*` at the very end, `+` as a whole segment. Anything else is literal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// Without the final `*`.
    text: String,
    is_prefix: bool,
    plus_count: usize,
}

/// Why a text is no pattern: `+*` is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlusStar;

impl Pattern {
    /// Reads a pattern. One leading slash is dropped.
    pub fn parse(text: &str) -> Result<Pattern, PlusStar> {
        let text = text.strip_prefix('/').unwrap_or(text);
        if text.contains("+*") {
            return Err(PlusStar);
        }
        let (text, is_prefix) = match text.strip_suffix('*') {
            Some(text) => (text, true),
            None => (text, false),
        };
        let plus_count = text.split('/').filter(|segment| *segment == "+").count();
        Ok(Pattern {
            text: text.to_owned(),
            is_prefix,
            plus_count,
        })
    }

    /// Whether it has no wildcard.
    pub fn is_exact(&self) -> bool {
        !self.is_prefix && self.plus_count == 0
    }

    /// Its text, without a final `*`.
    pub fn stem(&self) -> &str {
        &self.text
    }

    /// Whether it speaks of this path.
    pub fn matches(&self, path: &str) -> bool {
        if self.plus_count == 0 {
            return match self.is_prefix {
                true => path.starts_with(&self.text),
                false => path == self.text,
            };
        }
        let mut segments = self.text.split('/').peekable();
        let mut rest = Some(path);
        while let Some(segment) = segments.next() {
            let Some(here) = rest else { return false };
            if self.is_prefix && segments.peek().is_none() && segment != "+" {
                return here.starts_with(segment);
            }
            let (part, after) = match here.split_once('/') {
                Some((part, after)) => (part, Some(after)),
                None => (here, None),
            };
            if segment != "+" && segment != part {
                return false;
            }
            rest = after;
        }
        rest.is_none()
    }

    /// Whether some path that begins with `prefix` could match. `prefix` ends with a slash.
    pub fn reaches_below(&self, prefix: &str) -> bool {
        if self.plus_count == 0 {
            return self.text.starts_with(prefix)
                || self.is_prefix && prefix.starts_with(&self.text);
        }
        let mut own = self.text.split('/').peekable();
        for part in prefix.trim_end_matches('/').split('/') {
            match own.next() {
                None => return self.is_prefix,
                Some(last) if self.is_prefix && own.peek().is_none() && last != "+" => {
                    return part.starts_with(last);
                }
                Some(segment) if segment == "+" || segment == part => {}
                Some(_) => return false,
            }
        }
        own.peek().is_some()
    }

    /// Of several patterns that match a path the greatest decides.
    pub fn precedence(&self, other: &Pattern) -> Ordering {
        self.rank().cmp(&other.rank())
    }

    /// Later first wildcard; no `*`; fewer `+`; longer; greater text.
    fn rank(&self) -> (usize, bool, Reverse<usize>, usize, &str) {
        let length = self.text.len();
        (
            self.first_wildcard(),
            !self.is_prefix,
            Reverse(self.plus_count),
            length,
            &self.text,
        )
    }

    fn first_wildcard(&self) -> usize {
        let mut at = 0;
        for segment in self.text.split('/') {
            if segment == "+" {
                return at;
            }
            at += segment.len() + 1;
        }
        self.text.len()
    }
}
