//! Safeties of the broker.

use super::Mutant;

pub(super) const MUTANTS: &[Mutant] = &[];
