//! What a request takes for true until the store has said so.

use std::sync::atomic::{AtomicBool, Ordering};

/// Who asks, and where paths lead, as this process read them last. Nothing that was decided on them counts, and nobody hears
/// of it, before a statement of this very request has found the same mark in the store and the token alive.
#[derive(Debug)]
pub struct Guess {
    token_id: i64,
    mark: String,
    proven: AtomicBool,
}

impl Guess {
    /// A guess that this token asks, under the mark of everything else that it rests on.
    pub fn new(token_id: i64, mark: String) -> Self {
        Guess {
            token_id,
            mark,
            proven: AtomicBool::new(false),
        }
    }

    /// The token that must be alive.
    pub fn token_id(&self) -> i64 {
        self.token_id
    }

    /// What the store must find as well.
    pub fn mark(&self) -> &str {
        &self.mark
    }

    /// The store has found it, in a statement that began in this request.
    pub fn prove(&self) {
        self.proven.store(true, Ordering::Relaxed);
    }

    /// Whether what was decided counts.
    pub fn is_proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }
}
