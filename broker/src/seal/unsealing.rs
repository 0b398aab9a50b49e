//! Shares given so far in this process, until the threshold is reached.

use std::sync::Mutex;

use zeroize::Zeroizing;

/// The shares of one attempt.
#[derive(Default)]
pub struct Unsealing {
    given: Mutex<Attempt>,
}

#[derive(Default)]
struct Attempt {
    shares: Vec<Zeroizing<Vec<u8>>>,
    nonce: String,
}

/// How far an attempt is.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Progress {
    /// Different shares given.
    pub shares: usize,
    /// Names the attempt; empty if there is none.
    pub nonce: String,
}

impl Unsealing {
    /// How far it is.
    pub fn progress(&self) -> Progress {
        let attempt = self.lock();
        Progress {
            shares: attempt.shares.len(),
            nonce: attempt.nonce.clone(),
        }
    }

    /// Starts over.
    pub fn reset(&self) {
        *self.lock() = Attempt::default();
    }

    /// Takes a share (one given before is ignored). With the threshold reached the shares come back and the attempt is over.
    pub fn add(
        &self,
        share: Zeroizing<Vec<u8>>,
        threshold: usize,
        nonce: impl FnOnce() -> String,
    ) -> Option<Vec<Zeroizing<Vec<u8>>>> {
        let mut attempt = self.lock();
        if attempt.shares.contains(&share) {
            return None;
        }
        if attempt.shares.is_empty() {
            attempt.nonce = nonce();
        }
        attempt.shares.push(share);
        if attempt.shares.len() < threshold {
            return None;
        }
        Some(std::mem::take(&mut *attempt).shares)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Attempt> {
        self.given
            .lock()
            .unwrap_or_else(|broken| broken.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_count_once_and_are_handed_over_at_the_threshold() {
        let unsealing = Unsealing::default();
        let share = |byte: u8| Zeroizing::new(vec![byte; 33]);
        assert!(unsealing.add(share(1), 2, || "n".into()).is_none());
        assert!(unsealing.add(share(1), 2, || "m".into()).is_none());
        assert_eq!(
            unsealing.progress(),
            Progress {
                shares: 1,
                nonce: "n".into()
            }
        );
        assert_eq!(
            unsealing
                .add(share(2), 2, || "m".into())
                .expect("complete")
                .len(),
            2
        );
        assert_eq!(unsealing.progress(), Progress::default());
    }
}
