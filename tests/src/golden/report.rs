//! What a replay came to.

/// Counts, and whatever nobody has decided.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Steps sent.
    pub total: usize,
    /// Steps that agree.
    pub agree: usize,
    /// Steps that differ as listed.
    pub by_decision: usize,
    /// Steps that wait for a later piece, as listed.
    pub later: usize,
    /// What differs without being listed, and what is listed without differing.
    pub failures: Vec<String>,
}

impl Report {
    /// Adds another scenario's.
    pub fn add(&mut self, other: &Report) {
        self.total += other.total;
        self.agree += other.agree;
        self.by_decision += other.by_decision;
        self.later += other.later;
        self.failures.extend(other.failures.iter().cloned());
    }

    /// `N of M steps agree, K differ by decision, L wait for a later piece`
    pub fn line(&self) -> String {
        format!(
            "{} of {} steps agree, {} differ by decision, {} wait for a later piece",
            self.agree, self.total, self.by_decision, self.later
        )
    }
}

/// One replayed scenario.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its file's name without ending.
    pub name: String,
    /// What it is about.
    pub about: String,
    /// What it came to.
    pub report: Report,
}
