//! A map that keeps what was touched last and forgets the rest: its size is bounded whatever comes in.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// At most so many entries; past that, the one untouched for longest goes.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    most: usize,
    touches: u64,
    entries: HashMap<K, (u64, V)>,
    order: BTreeMap<u64, K>,
}

impl<K: Copy + Eq + Hash, V: Default> Recent<K, V> {
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), touches: 0, entries: HashMap::new(), order: BTreeMap::new() }
    }

    /// The entry, if there is one; looking does not touch it.
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    /// The entry, made if there is none, and touched.
    pub(super) fn touch(&mut self, key: K) -> &mut V {
        self.touches += 1;
        if let Some((last, _)) = self.entries.get(&key) {
            self.order.remove(last);
        } else if self.entries.len() >= self.most
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.entries.remove(&oldest);
        }
        self.order.insert(self.touches, key);
        let entry = self.entries.entry(key).or_default();
        entry.0 = self.touches;
        &mut entry.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_untouched_for_longest_goes_first() {
        let mut recent = Recent::new(2);
        *recent.touch('a') = 1;
        *recent.touch('b') = 2;
        recent.touch('a');
        *recent.touch('c') = 3;
        assert_eq!((recent.get(&'a'), recent.get(&'b'), recent.get(&'c')), (Some(&1), None, Some(&3)));
        for key in ('a'..='z').cycle().take(1000) {
            recent.touch(key);
            assert!(recent.entries.len() <= 2 && recent.order.len() == recent.entries.len());
        }
    }
}
