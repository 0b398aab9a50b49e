//! A policy after its text has been read.

use time::OffsetDateTime;

use super::{Parameters, Pattern};
use crate::duration::Span;

/// A named set of rules (contract 4).
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Its name, lower-cased.
    pub name: String,
    /// Its rules, in the order of the text.
    pub rules: Vec<PathRule>,
}

/// What one `path` block says.
#[derive(Clone, Debug, PartialEq)]
pub struct PathRule {
    /// Which paths it speaks of.
    pub pattern: Pattern,
    /// What it grants there.
    pub capabilities: Capabilities,
    /// What it asks of the data.
    pub parameters: Parameters,
    /// What it asks of response wrapping.
    pub wrapping: WrappingBounds,
    /// From when on it counts no more.
    pub expires_at: Option<OffsetDateTime>,
    /// Whether the pattern holds `{{ }}`: without identities it speaks of no path at all.
    pub templated: bool,
}

/// Bounds on the TTL of a wrapped response. If one is set, the response must be wrapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WrappingBounds {
    /// The least TTL.
    pub min: Option<Span>,
    /// The greatest TTL.
    pub max: Option<Span>,
}

impl WrappingBounds {
    /// The lower of each bound that is set.
    pub fn merge(&mut self, other: WrappingBounds) {
        let lower = |a: Option<Span>, b: Option<Span>| a.into_iter().chain(b).min();
        self.min = lower(self.min, other.min);
        self.max = lower(self.max, other.max);
    }

    /// Whether a request that asks for wrapping with this TTL, or for none, is within them.
    pub fn allow(self, wrap_ttl: Option<Span>) -> bool {
        if self.min.is_none() && self.max.is_none() {
            return true;
        }
        // A header of 0 asks for no wrapping: it must not pass a bound.
        wrap_ttl.filter(|ttl| !ttl.is_zero()).is_some_and(|ttl| {
            self.min.is_none_or(|min| ttl >= min) && self.max.is_none_or(|max| ttl <= max)
        })
    }
}

/// One thing a rule can grant (contract 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Write what is not there.
    Create,
    /// Write what is there.
    Update,
    /// GET.
    Read,
    /// LIST.
    List,
    /// DELETE.
    Delete,
    /// PATCH.
    Patch,
    /// Use root-protected paths; grants nothing alone.
    Sudo,
    /// Recursive list.
    Scan,
    /// Nothing at all, whatever else is said of the pattern.
    Deny,
}

/// All of them, in the order of their words.
const ALL: [(Capability, &str); 9] = [
    (Capability::Create, "create"),
    (Capability::Delete, "delete"),
    (Capability::Deny, "deny"),
    (Capability::List, "list"),
    (Capability::Patch, "patch"),
    (Capability::Read, "read"),
    (Capability::Scan, "scan"),
    (Capability::Sudo, "sudo"),
    (Capability::Update, "update"),
];

impl Capability {
    /// The capability of that word, which is case-sensitive.
    pub fn from_word(word: &str) -> Option<Capability> {
        ALL.iter()
            .find(|(_, name)| *name == word)
            .map(|(capability, _)| *capability)
    }

    fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A set of capabilities. One that holds deny holds nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    bits: u16,
}

impl Capabilities {
    /// Nothing granted.
    pub const NONE: Capabilities = Capabilities { bits: 0 };

    /// Adds one; deny takes the place of all others.
    pub fn insert(&mut self, capability: Capability) {
        self.merge(Capabilities {
            bits: capability.bit(),
        });
    }

    /// The union; deny on either side makes it deny only.
    pub fn merge(&mut self, other: Capabilities) {
        self.bits |= other.bits;
        if self.has(Capability::Deny) {
            self.bits = Capability::Deny.bit();
        }
    }

    /// Whether it holds this one.
    pub fn has(self, capability: Capability) -> bool {
        self.bits & capability.bit() != 0
    }

    /// Whether anything at all is granted.
    pub fn grant_any(self) -> bool {
        self.bits != 0 && !self.has(Capability::Deny)
    }

    /// Their words, sorted; `deny` alone where nothing is granted.
    pub fn words(self) -> Vec<&'static str> {
        if !self.grant_any() {
            return vec!["deny"];
        }
        ALL.iter()
            .filter(|(capability, _)| self.has(*capability))
            .map(|(_, word)| *word)
            .collect()
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        let mut set = Capabilities::NONE;
        capabilities
            .into_iter()
            .for_each(|capability| set.insert(capability));
        set
    }
}
