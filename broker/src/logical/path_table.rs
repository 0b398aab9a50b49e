//! One table of paths per engine: everything that must agree about an endpoint is derived from its row.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::{Caller, Guess, Operation, Outcome, Request};
use crate::core::Core;
use crate::fields::{FieldType, FieldValue};
use crate::mount::{Mount, MountTable};

/// What a handler returns while it works.
pub type RunFuture<'a, T = Outcome> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An endpoint's code for one operation.
pub type Handler = for<'a> fn(&'a Call<'a>) -> RunFuture<'a>;

/// Tells whether the object of a write is there already, which makes the write an update (contract 1.2).
pub type Existence = for<'a> fn(&'a Call<'a>) -> RunFuture<'a, Result<bool, super::Fault>>;

/// Who may call an endpoint at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nobody in particular: no token is read.
    Unauthenticated,
    /// Anybody, but who shows a token must show a living one. No capability is asked.
    Optional,
    /// A token whose policies grant the operation.
    Token,
    /// The same. The handler has a [`Guess`] of who asks proved before anything comes of it: one may be tried first.
    ProvenToken,
    /// As `Token`, and `sudo` on the path (contract 2.12).
    Sudo,
}

/// A declared field of an endpoint (contract 1.5).
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Name in the body, the query or the path.
    pub name: &'static str,
    /// How its value is read.
    pub kind: FieldType,
    /// One line for help.
    pub help: &'static str,
}

/// One endpoint of an engine.
pub struct PathSpec {
    /// Below the mount: literal segments, `:name` (one segment matching the generic name rule of contract 1.1),
    /// `*rest` (anything but nothing; literal text may follow it: `mounts/*path/tune`). A pattern that ends in `/` is a list endpoint.
    pub pattern: &'static str,
    /// Heading of its help page, also what metrics and OpenAPI call it.
    pub summary: &'static str,
    /// Declared fields, path captures among them. Undeclared ones are ignored with a warning,
    /// unless the endpoint takes anything (`open`).
    pub fields: &'static [Field],
    /// True where undeclared fields are data (cubbyhole, wrapping, connection details).
    pub open: bool,
    /// Who may.
    pub access: Access,
    /// Present where a write is a create or an update.
    pub existence: Option<Existence>,
    /// Read, List, Delete, Patch, and Update for every write.
    pub operations: &'static [(Operation, Handler)],
}

impl PathSpec {
    /// The handler of an operation; `Create` is served by `Update`'s row.
    pub fn handler(&self, operation: Operation) -> Option<Handler> {
        let wanted = if operation == Operation::Create {
            Operation::Update
        } else {
            operation
        };
        self.operations
            .iter()
            .find(|(served, _)| *served == wanted)
            .map(|(_, handler)| *handler)
    }
}

/// What a pattern's `:name` and `*rest` stood for.
pub type Captures = BTreeMap<&'static str, String>;

/// A row that matched, with its captures.
pub struct Matched<'t> {
    /// The row.
    pub spec: &'t PathSpec,
    /// Its captures.
    pub captures: Captures,
}

/// All endpoints of an engine; the first row that matches serves.
pub struct PathTable {
    /// In order of precedence.
    pub rows: &'static [&'static [PathSpec]],
}

impl PathTable {
    /// The row for a path below the mount.
    pub fn find(&self, path: &str) -> Option<Matched<'_>> {
        self.iter().find_map(|spec| {
            match_pattern(spec.pattern, path).map(|captures| Matched { spec, captures })
        })
    }

    /// All rows.
    pub fn iter(&self) -> impl Iterator<Item = &'static PathSpec> {
        self.rows.iter().flat_map(|rows| rows.iter())
    }
}

/// Contract 1.1: a generic name begins and ends with a word character and holds `.` and `-` in between.
fn is_name(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match (text.chars().next(), text.chars().last()) {
        (Some(first), Some(last)) => {
            word(first) && word(last) && text.chars().all(|c| word(c) || c == '.' || c == '-')
        }
        _ => false,
    }
}

fn match_pattern(pattern: &'static str, path: &str) -> Option<Captures> {
    let mut captures = Captures::new();
    let mut rest = Some(path);
    for part in pattern.split('/') {
        let here = rest?;
        if let Some(name) = part.strip_prefix('*') {
            let after = &pattern[pattern.find(part)? + part.len()..];
            let taken = here.strip_suffix(after).filter(|taken| !taken.is_empty())?;
            captures.insert(name, taken.to_owned());
            return Some(captures);
        }
        let (segment, after) = match here.split_once('/') {
            Some((segment, after)) => (segment, Some(after)),
            None => (here, None),
        };
        match part.strip_prefix(':') {
            Some(name) if is_name(segment) => {
                captures.insert(name, segment.to_owned());
            }
            None if part == segment => {}
            _ => return None,
        }
        rest = after;
    }
    rest.is_none().then_some(captures)
}

/// Everything a handler may use.
pub struct Call<'a> {
    /// Store, keys, settings; an `Arc`, so that work may go on after the answer (`core.tasks.spawn`).
    pub core: &'a Arc<Core>,
    /// The request.
    pub request: &'a Request,
    /// The mount it came through.
    pub mount: &'a Mount,
    /// All there are, as read in this request.
    pub mounts: &'a MountTable,
    /// What the pattern captured; a capture overrides a body field of the same name.
    pub captures: Captures,
    /// Declared fields that were given, coerced. A field that is absent is not there; one given as null
    /// is there with its null meaning (contract 1.5).
    pub fields: BTreeMap<&'static str, FieldValue>,
    /// Who calls; None on unauthenticated endpoints.
    pub caller: Option<&'a Caller>,
    /// Caller and mounts are this guess.
    pub guess: Option<&'a Guess>,
}

impl Call<'_> {
    /// A capture that the pattern guarantees.
    pub fn capture(&self, name: &str) -> &str {
        self.captures
            .get(name)
            .map(String::as_str)
            .unwrap_or_default()
    }

    /// The guess that all of this rests on, as long as the store has not proved it: then nothing may come of it.
    pub fn unproven(&self) -> Option<&Guess> {
        self.guess.filter(|guess| !guess.is_proven())
    }

    /// The caller of an endpoint that is not open to nobody.
    pub fn caller(&self) -> &Caller {
        self.caller
            .expect("the pipeline lets nobody through to an endpoint that asks for a token")
    }
}

#[cfg(test)]
mod tests {
    use super::match_pattern;

    fn check(pattern: &'static str, path: &str, expect: Option<&[(&str, &str)]>) {
        let got = match_pattern(pattern, path).map(|c| c.into_iter().collect::<Vec<_>>());
        let want = expect.map(|pairs| {
            pairs
                .iter()
                .map(|(k, v)| (*k, (*v).to_owned()))
                .collect::<Vec<_>>()
        });
        assert_eq!(got, want, "{pattern} against {path}");
    }

    #[test]
    fn patterns_match_whole_paths() {
        check("config/:name", "config/pg", Some(&[("name", "pg")]));
        check("config/:name", "config/pg/", None);
        check("config/:name", "config/", None);
        check("config/:name", "config/a@b", None);
        check("config/:name", "config/a.b-c", Some(&[("name", "a.b-c")]));
        check("config/:name", "config/-c", None);
        check("config/", "config/", Some(&[]));
        check("config/", "config", None);
        check("mounts/*path", "mounts/a/b", Some(&[("path", "a/b")]));
        check("mounts/*path", "mounts/", None);
        check(
            "mounts/*path/tune",
            "mounts/a/b/tune",
            Some(&[("path", "a/b")]),
        );
        check("mounts/*path/tune", "mounts/tune", None);
        check("mounts/*path/tune", "mounts/a", None);
        check(
            "policies/acl/*name",
            "policies/acl/a b",
            Some(&[("name", "a b")]),
        );
    }
}
