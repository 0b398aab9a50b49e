//! Which policies a new token gets (contract 5.3). Pure.

use super::policy_names::sanitize;
use super::role::TokenRole;
use crate::policy::{DEFAULT, RESPONSE_WRAPPING, ROOT};

/// What is asked for, and by whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish<'w> {
    /// As given; empty = inherit.
    pub policies: &'w [String],
    pub no_default_policy: bool,
    /// Of the token that asks.
    pub parent: &'w [String],
    /// Whether the caller holds sudo on the very path of the request.
    pub sudo: bool,
    pub batch: bool,
}

/// The policies, sorted; or why not.
pub(super) fn effective(wish: Wish<'_>, role: Option<&TokenRole>) -> Result<Vec<String>, String> {
    let role = role.filter(|role| role.filters_policies());
    let (asked, add_default) = match role {
        Some(role) => (filtered(wish, role)?, false),
        None if wish.policies.is_empty() => (wish.parent.to_vec(), false),
        None if wish.sudo => (wish.policies.to_vec(), !wish.no_default_policy),
        None => {
            let parent = sanitize(wish.parent, false);
            let asked = sanitize(wish.policies, false);
            let parent_is_root = parent.iter().any(|name| name == ROOT);
            if !parent_is_root && !asked.iter().all(|name| parent.contains(name)) {
                return Err("child policies must be subset of parent".into());
            }
            let add_default = !wish.no_default_policy && parent.iter().any(|name| name == DEFAULT);
            (asked, add_default)
        }
    };
    let mut policies = sanitize(&asked, add_default);
    if wish.no_default_policy {
        policies.retain(|name| name != DEFAULT);
    }
    if policies.iter().any(|name| name == RESPONSE_WRAPPING) {
        return Err(format!("cannot assign policy \"{RESPONSE_WRAPPING}\""));
    }
    if policies.iter().any(|name| name == ROOT) {
        if !wish.parent.iter().any(|name| name == ROOT) {
            return Err("root tokens may not be created without parent token being root".into());
        }
        if wish.batch {
            return Err("batch tokens cannot be root tokens".into());
        }
    }
    Ok(policies)
}

/// Through a role's lists: the parent's policies do not bound them.
fn filtered(wish: Wish<'_>, role: &TokenRole) -> Result<Vec<String>, String> {
    let is_disallowed = |name: &str| {
        role.disallowed_policies.iter().any(|other| other == name)
            || matches_any(&role.disallowed_policies_glob, name)
    };
    let add_default =
        !wish.no_default_policy && !role.token_no_default_policy && !is_disallowed(DEFAULT);
    let mut policies = match wish.policies {
        [] => Vec::new(),
        asked => sanitize(asked, add_default),
    };
    if role.allowed_policies.is_empty() && role.allowed_policies_glob.is_empty() {
        if policies.is_empty() {
            policies = sanitize(wish.parent, add_default);
        }
    } else {
        let allowed = sanitize(&role.allowed_policies, add_default);
        if policies.is_empty() {
            policies = allowed;
        } else {
            let globs = sanitize(&role.allowed_policies_glob, false);
            if !policies
                .iter()
                .all(|name| allowed.contains(name) || matches_any(&globs, name))
            {
                return Err(format!(
                    "token policies ({}) must be subset of the role's allowed policies ({}) or glob policies ({})",
                    quoted(&policies),
                    quoted(&allowed),
                    quoted(&globs),
                ));
            }
        }
    }
    match policies.iter().find(|name| is_disallowed(name)) {
        Some(name) => Err(format!("token policy {name:?} is disallowed by this role")),
        None => Ok(policies),
    }
}

/// `*` stands for anything, anywhere.
fn matches_any(globs: &[String], name: &str) -> bool {
    globs.iter().any(|glob| matches_glob(glob, name))
}

pub(super) fn matches_glob(glob: &str, text: &str) -> bool {
    let Some((head, rest)) = glob.split_once('*') else {
        return glob == text;
    };
    let Some(mut text) = text.strip_prefix(head) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let tail = parts.pop().unwrap_or_default();
    for part in parts {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(tail)
}

fn quoted(names: &[String]) -> String {
    let words: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    format!("[{}]", words.join(" "))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    struct Case<'c> {
        asked: &'c str,
        parent: &'c str,
        sudo: bool,
        no_default: bool,
    }

    fn run(case: &Case<'_>, role: Option<&TokenRole>) -> Result<String, String> {
        let (policies, parent) = (list(case.asked), list(case.parent));
        let wish = Wish {
            policies: &policies,
            no_default_policy: case.no_default,
            parent: &parent,
            sudo: case.sudo,
            batch: false,
        };
        effective(wish, role).map(|policies| policies.join(" "))
    }

    #[test]
    fn without_a_role() {
        let check = |asked, parent, sudo, no_default, expect: Result<&str, &str>| {
            let case = Case {
                asked,
                parent,
                sudo,
                no_default,
            };
            let expect = expect.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(run(&case, None), expect, "{asked} under {parent}");
        };
        check("", "default a", false, false, Ok("a default"));
        check("", "a", true, false, Ok("a"));
        check("", "root", true, false, Ok("root"));
        check("", "default a", false, true, Ok("a"));
        check("a", "default a b", false, false, Ok("a default"));
        check("a", "a b", false, false, Ok("a"));
        check("a default", "default a", false, true, Ok("a"));
        check(
            "c",
            "default a",
            false,
            false,
            Err("child policies must be subset of parent"),
        );
        check(
            "default",
            "a",
            false,
            false,
            Err("child policies must be subset of parent"),
        );
        check("c", "root", false, false, Ok("c"));
        check("c", "default a", true, false, Ok("c default"));
        check("B A a", "root", true, true, Ok("a b"));
        check("root a", "root", true, false, Ok("root"));
        check(
            "root",
            "a",
            true,
            false,
            Err("root tokens may not be created without parent token being root"),
        );
        check(
            "response-wrapping",
            "root",
            true,
            false,
            Err("cannot assign policy \"response-wrapping\""),
        );
    }

    #[test]
    fn with_a_role() {
        let check = |lists: [&str; 4], asked, expect: Result<&str, &str>| {
            let [allowed, globs, disallowed, disallowed_globs] = lists.map(list);
            let role = TokenRole {
                allowed_policies: allowed,
                allowed_policies_glob: globs,
                disallowed_policies: disallowed,
                disallowed_policies_glob: disallowed_globs,
                ..TokenRole::default()
            };
            let case = Case {
                asked,
                parent: "default p",
                sudo: false,
                no_default: false,
            };
            let expect = expect.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(run(&case, Some(&role)), expect, "{lists:?} {asked}");
        };
        check(["a b", "", "", ""], "", Ok("a b default"));
        check(["a b", "", "", ""], "a", Ok("a default"));
        check(
            ["b", "", "", ""],
            "a",
            Err(
                "token policies ([\"a\" \"default\"]) must be subset of the role's allowed policies ([\"b\" \"default\"]) or glob policies ([])",
            ),
        );
        check(["", "a*", "", ""], "", Ok("default"));
        check(["", "a*", "", ""], "ab", Ok("ab default"));
        check(["", "", "x", ""], "", Ok("default p"));
        check(
            ["", "", "x", ""],
            "x",
            Err("token policy \"x\" is disallowed by this role"),
        );
        check(
            ["", "", "", "x*"],
            "xy",
            Err("token policy \"xy\" is disallowed by this role"),
        );
        check(["", "", "default", ""], "a", Ok("a"));
        check(
            ["", "", "default", ""],
            "",
            Err("token policy \"default\" is disallowed by this role"),
        );
        check(["a", "", "default", ""], "", Ok("a"));
        check(["", "", "", ""], "", Ok("default p"));
    }

    proptest! {
        /// Without sudo and without a role nothing is gained.
        #[test]
        fn never_more_than_the_parent(
            asked in prop::collection::vec("[a-d]", 0..4),
            parent in prop::collection::vec("[a-d]|default", 0..4),
            no_default_policy in any::<bool>(),
        ) {
            let wish = Wish { policies: &asked, no_default_policy, parent: &parent, sudo: false, batch: false };
            if let Ok(policies) = effective(wish, None) {
                prop_assert!(policies.iter().all(|name| parent.contains(name)));
            }
        }

        /// No wish and no role make a root token under a parent that is none.
        #[test]
        fn root_comes_from_root_only(
            asked in prop::collection::vec("a|root|Root| root ", 0..4),
            sudo in any::<bool>(),
            allowed in prop::collection::vec("a|root|r*", 0..3),
        ) {
            let role = TokenRole { allowed_policies: allowed.clone(), allowed_policies_glob: allowed, ..TokenRole::default() };
            let parent = ["a".to_owned()];
            for role in [None, Some(&role)] {
                let wish = Wish { policies: &asked, no_default_policy: false, parent: &parent, sudo, batch: false };
                if let Ok(policies) = effective(wish, role) {
                    prop_assert!(!policies.contains(&ROOT.to_owned()));
                }
            }
        }
    }
}
