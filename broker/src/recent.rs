//! What was found last, by a key. Bounded: emptied when it is full, as what is in use comes back at once.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::RwLock;

/// Keys at most.
const MOST: usize = 4_096;

/// A memory shared by all requests. Whether what it gives still holds is the caller's to know.
pub struct Recent<K, V>(RwLock<HashMap<K, V>>);

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Recent(RwLock::default())
    }
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    /// What was kept under a key last.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let known = self.0.read().unwrap_or_else(|broken| broken.into_inner());
        known.get(key).cloned()
    }

    /// Keeps it, in the place of what was kept under this key before.
    pub fn keep(&self, key: K, value: V) {
        let mut known = self.0.write().unwrap_or_else(|broken| broken.into_inner());
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(key, value);
    }

    /// There is nothing under this key any more.
    pub fn forget(&self, key: &K) {
        let mut known = self.0.write().unwrap_or_else(|broken| broken.into_inner());
        known.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_counts_and_there_are_never_too_many() {
        let recent = Recent::default();
        for n in 0..MOST * 3 {
            recent.keep(n, "first");
            recent.keep(n, "last");
            assert_eq!(recent.get(&n), Some("last"));
            assert!(recent.0.read().unwrap().len() <= MOST);
        }
        recent.forget(&(MOST * 3 - 1));
        assert_eq!(recent.get(&(MOST * 3 - 1)), None);
    }
}
