//! Policies: patterns match as a matcher without cleverness says, deny wins, and nothing is granted that no rule grants.

use leasehold_broker::logical::Operation;
use leasehold_broker::policy::{
    Acl, Capability, PathRule, Pattern, Policy, Query, decode_submitted,
};
use time::OffsetDateTime;

/// Rules and paths are tried each with each.
const RULES_MAX: usize = 32;

const ASKED: [(Operation, Capability); 5] = [
    (Operation::Read, Capability::Read),
    (Operation::Update, Capability::Update),
    (Operation::Create, Capability::Create),
    (Operation::Delete, Capability::Delete),
    (Operation::List, Capability::List),
];

pub(crate) fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(text) = decode_submitted(text) else {
        return;
    };
    let policy = match Policy::parse("fuzzed", &text) {
        Ok(policy) => policy,
        Err(error) => {
            let _ = error.to_string();
            return;
        }
    };
    assert_eq!(
        Policy::parse("fuzzed", &text).as_ref(),
        Ok(&policy),
        "another policy from the same text"
    );
    if policy.rules.len() > RULES_MAX {
        return;
    }
    let now = OffsetDateTime::UNIX_EPOCH;
    let acl = Acl::new([&policy], now);
    let live: Vec<&PathRule> = policy
        .rules
        .iter()
        .filter(|rule| !rule.templated && rule.expires_at.is_none_or(|end| end > now))
        .collect();
    for path in paths(&policy) {
        for rule in &policy.rules {
            let expect = naive(&rule.pattern, &path);
            assert_eq!(
                rule.pattern.matches(&path),
                expect,
                "{:?} and {path:?}",
                rule.pattern
            );
        }
        decide(&acl, &live, &path);
    }
}

fn decide(acl: &Acl, live: &[&PathRule], path: &str) {
    for (operation, capability) in ASKED {
        let query = Query {
            path,
            operation,
            data: None,
            wrap_ttl: None,
        };
        let verdict = acl.decide(&query);
        assert!(!verdict.root, "no policy but root gives root");
        let without_slash = path
            .strip_suffix('/')
            .filter(|_| operation == Operation::List);
        let speaks = |rule: &&&PathRule| {
            naive(&rule.pattern, path)
                || without_slash.is_some_and(|path| naive(&rule.pattern, path))
        };
        let grants = live
            .iter()
            .filter(speaks)
            .any(|rule| rule.capabilities.has(capability));
        assert!(
            !verdict.allowed || grants,
            "{operation:?} of {path:?} is allowed, and no rule grants it"
        );
        let denied = live.iter().any(|rule| {
            rule.pattern.is_exact()
                && rule.pattern.stem() == path
                && rule.capabilities.has(Capability::Deny)
        });
        assert!(
            !verdict.allowed || !denied,
            "{path:?} is denied by its own rule"
        );
    }
    let words = acl.capabilities(path);
    assert!(!words.is_empty(), "no words for {path:?}");
}

/// Paths near the patterns: as they stand, with something in the place of each wildcard, below, and cut.
fn paths(policy: &Policy) -> Vec<String> {
    let mut paths = vec![String::new(), "a".into(), "a/".into()];
    for rule in &policy.rules {
        let stem = rule.pattern.stem();
        let filled: Vec<&str> = stem
            .split('/')
            .map(|s| if s == "+" { "some" } else { s })
            .collect();
        let filled = filled.join("/");
        paths.extend([
            stem.to_owned(),
            format!("{filled}x"),
            format!("{filled}/"),
            format!("{filled}/x/y"),
        ]);
        let cut = filled.char_indices().last().map_or(0, |(at, _)| at);
        paths.push(filled[..cut].to_owned());
        paths.push(filled);
    }
    paths
}

/// Whether a pattern speaks of a path, segment by segment and letter by letter.
fn naive(pattern: &Pattern, path: &str) -> bool {
    let own: Vec<&str> = pattern.stem().split('/').collect();
    let given: Vec<&str> = path.split('/').collect();
    let prefix = !pattern.is_exact() && own.last() != Some(&"+") && {
        // Its text does not show a final star (which never follows a plus); a stem that can be continued shows it.
        let filled: Vec<&str> = own
            .iter()
            .map(|s| if *s == "+" { "p" } else { s })
            .collect();
        pattern.matches(&format!("{}\u{1}", filled.join("/")))
    };
    if !own.contains(&"+") {
        return if prefix {
            path.starts_with(pattern.stem())
        } else {
            path == pattern.stem()
        };
    }
    let fits = |own: &str, given: &str| own == "+" || own == given;
    if !prefix {
        return own.len() == given.len()
            && own.iter().zip(&given).all(|(own, given)| fits(own, given));
    }
    let (last, before) = own.split_last().expect("a split gives something");
    let Some(rest) = given.get(before.len()..).filter(|rest| !rest.is_empty()) else {
        return false;
    };
    before
        .iter()
        .zip(&given)
        .all(|(own, given)| fits(own, given))
        && rest.join("/").starts_with(last)
}
