//! What a dry run would have stored: it needs some 50 bytes of memory for each new row, a real one needs none.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use uuid::Uuid;

use super::allegation_row::{self, Content};
use super::complaint_row::submission_id;

/// Rows that a dry run has found good.
#[derive(Debug, Default)]
pub(super) struct Seen {
    complaints: HashMap<Uuid, [u8; 32]>,
    allegations: HashMap<(Uuid, i32), u64>,
}

impl Seen {
    /// The digest of a complaint that was found good.
    pub(super) fn complaint(&self, id: Uuid) -> Option<&[u8]> {
        self.complaints.get(&id).map(<[u8; 32]>::as_slice)
    }

    pub(super) fn add_complaint(&mut self, id: Uuid, digest: [u8; 32]) {
        self.complaints.insert(id, digest);
    }

    pub(super) fn has_complaint(&self, key: &str) -> bool {
        self.complaints.contains_key(&submission_id(key))
    }

    /// Remembers an allegation; if one of the same place was there before, says whether it is the same.
    pub(super) fn add_allegation(&mut self, taken: &allegation_row::Taken) -> Option<bool> {
        let content: &Content = &taken.content;
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(content);
        match self.allegations.entry((submission_id(&taken.complaint), content.position)) {
            Entry::Occupied(before) => Some(*before.get() == hash),
            Entry::Vacant(free) => {
                free.insert(hash);
                None
            }
        }
    }
}
