//! The rules a token has, and the verdicts they give (contract 4.4).

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::{Capabilities, Capability, Parameters, Pattern, Policy, ROOT, WrappingBounds};
use crate::duration::Span;
use crate::logical::Operation;

/// What is asked of an [`Acl`].
#[derive(Clone, Copy, Debug)]
pub struct Query<'q> {
    /// The canonical path; that of a list ends with a slash.
    pub path: &'q str,
    /// What is to be done there.
    pub operation: Operation,
    /// The body of a write or the query of a read, without what the path captures.
    pub data: Option<&'q Map<String, Value>>,
    /// The TTL that the wrapping header asks for.
    pub wrap_ttl: Option<Span>,
}

/// What an [`Acl`] says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the operation may be done, root-protection apart.
    pub allowed: bool,
    /// Whether that is by the policy root, which no check binds.
    pub root: bool,
    /// Whether root-protected paths and privileged options are open here.
    pub sudo: bool,
}

/// What `sys/internal/ui/resultant-acl` shows (contract 2.7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResultantAcl {
    /// Whether all is allowed; then there are no paths.
    pub root: bool,
    /// Patterns without wildcards.
    pub exact_paths: BTreeMap<String, Vec<&'static str>>,
    /// Patterns with them, without a final `*`.
    pub glob_paths: BTreeMap<String, Vec<&'static str>>,
}

/// The merged rules of several policies.
#[derive(Clone, Debug, Default)]
pub struct Acl {
    root: bool,
    exact: HashMap<String, Grant>,
    /// Greatest precedence first: the first that matches decides.
    wild: Vec<(Pattern, Grant)>,
}

/// What all rules for one pattern say together.
#[derive(Clone, Debug, Default)]
struct Grant {
    capabilities: Capabilities,
    parameters: Parameters,
    wrapping: WrappingBounds,
}

impl Acl {
    /// Merges policies. Rules that have expired, and rules with templates (nobody has an identity),
    /// are left out.
    pub fn new<'p>(policies: impl IntoIterator<Item = &'p Policy>, now: OffsetDateTime) -> Acl {
        let mut acl = Acl::default();
        let mut wild: HashMap<&Pattern, Grant> = HashMap::new();
        for policy in policies {
            if policy.name == ROOT {
                return Acl {
                    root: true,
                    ..Acl::default()
                };
            }
            for rule in &policy.rules {
                if rule.templated || rule.expires_at.is_some_and(|end| end <= now) {
                    continue;
                }
                let grant = if rule.pattern.is_exact() {
                    acl.exact.entry(rule.pattern.stem().to_owned()).or_default()
                } else {
                    wild.entry(&rule.pattern).or_default()
                };
                grant.capabilities.merge(rule.capabilities);
                grant.parameters.merge(&rule.parameters);
                grant.wrapping.merge(rule.wrapping);
            }
        }
        let mut wild: Vec<(Pattern, Grant)> = wild
            .into_iter()
            .map(|(pattern, grant)| (pattern.clone(), grant))
            .collect();
        // No two patterns are of the same precedence.
        wild.sort_unstable_by(|(a, _), (b, _)| b.precedence(a));
        Acl { wild, ..acl }
    }

    /// Whether an operation may be done.
    pub fn decide(&self, query: &Query<'_>) -> Verdict {
        if self.root {
            return Verdict {
                allowed: true,
                root: true,
                sudo: true,
            };
        }
        if query.operation == Operation::Help {
            return Verdict {
                allowed: true,
                ..Verdict::default()
            };
        }
        let Some(grant) = self.choose(query.path, query.operation == Operation::List) else {
            return Verdict::default();
        };
        let needed = match query.operation {
            Operation::Create => Some(Capability::Create),
            Operation::Update => Some(Capability::Update),
            Operation::Read => Some(Capability::Read),
            Operation::List => Some(Capability::List),
            Operation::Delete => Some(Capability::Delete),
            Operation::Patch => Some(Capability::Patch),
            Operation::Head | Operation::Help => None,
        };
        let allowed = needed.is_some_and(|capability| grant.capabilities.has(capability))
            && grant.wrapping.allow(query.wrap_ttl)
            && (matches!(query.operation, Operation::List | Operation::Delete)
                || grant.parameters.allow(query.data));
        Verdict {
            allowed,
            root: false,
            sudo: grant.capabilities.has(Capability::Sudo),
        }
    }

    /// The words of `sys/capabilities` (contract 2.8): sorted, `root` or `deny` alone. The rule is
    /// chosen as for a list.
    pub fn capabilities(&self, path: &str) -> Vec<&'static str> {
        if self.root {
            return vec!["root"];
        }
        let path = path.strip_prefix('/').unwrap_or(path);
        self.choose(path, true)
            .map_or(Capabilities::NONE, |grant| grant.capabilities)
            .words()
    }

    /// Whether the token may do anything below a mount's path, which ends with a slash: then it
    /// may know that the mount is there (contract 2.7).
    pub fn has_access_below(&self, mount: &str) -> bool {
        let grants = |grant: &Grant| grant.capabilities.grant_any();
        self.root
            || self.choose(mount, true).is_some_and(grants)
            || self
                .exact
                .iter()
                .any(|(path, grant)| path.starts_with(mount) && grants(grant))
            || self.wild.iter().any(|(pattern, grant)| {
                // A shorter prefix speaks of the whole mount only if it is the rule chosen above.
                pattern.stem().len() >= mount.len() && pattern.reaches_below(mount) && grants(grant)
                    || pattern.stem().contains('+') && pattern.reaches_below(mount) && grants(grant)
            })
    }

    /// All that is granted, by pattern.
    pub fn resultant(&self) -> ResultantAcl {
        let words = |grant: &Grant| grant.capabilities.words();
        let exact = self
            .exact
            .iter()
            .map(|(path, grant)| (path.clone(), words(grant)));
        let glob = self
            .wild
            .iter()
            .map(|(pattern, grant)| (pattern.stem().to_owned(), words(grant)));
        ResultantAcl {
            root: self.root,
            exact_paths: exact.collect(),
            glob_paths: glob.collect(),
        }
    }

    /// The one rule that decides. A list looks for its path with the slash and then without.
    fn choose(&self, path: &str, is_list: bool) -> Option<&Grant> {
        let without_slash = path.strip_suffix('/').filter(|_| is_list);
        let exact = |path: &str| self.exact.get(path);
        let wild = |path: &str| {
            self.wild
                .iter()
                .find(|(pattern, _)| pattern.matches(path))
                .map(|(_, grant)| grant)
        };
        exact(path)
            .or_else(|| without_slash.and_then(exact))
            .or_else(|| wild(path))
            .or_else(|| without_slash.and_then(wild))
    }
}

#[cfg(test)]
mod tests;
