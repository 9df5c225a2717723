//! What verification can find, in ids and words only.

use std::fmt;

use uuid::Uuid;

use crate::values::text_enum;

text_enum! {
    /// What is wrong.
    Flaw {
        /// An entry is not what its leaf in the log says.
        EntryDiffers = "entry_differs",
        /// The entry of a place is gone.
        EntryMissing = "entry_missing",
        /// An entry has no place in the log and does not wait for one.
        EntryOrphaned = "entry_orphaned",
        /// An entry has its place in the log and waits for another.
        EntryTwice = "entry_twice",
        /// An entry that no server wrote: without a seal, or with one that does not fit.
        EntryUnsealed = "entry_unsealed",
        /// An entry is older than entries before it, by more than clocks differ.
        EntryBackdated = "entry_backdated",
        /// An entry waits for its place longer than it may.
        EntryWaits = "entry_waits",
        /// What waits for a place is no entry.
        QueueOfNothing = "queue_of_nothing",
        /// Places are missing between others.
        PlaceGap = "place_gap",
        /// The last place and the last head do not agree: one of them was cut.
        TailDiffers = "tail_differs",
        /// A tile of the tree is missing, or shorter than it has to be.
        TileMissing = "tile_missing",
        /// A tile is longer than the tree, or is none of its tiles.
        TileSurplus = "tile_surplus",
        /// A tile does not make the hash that stands for it further up.
        TileDiffers = "tile_differs",
        /// The tiles do not make a head's root.
        HeadDiffers = "head_differs",
        /// A head waits for its signature longer than it may.
        HeadUnsigned = "head_unsigned",
        /// A head's checkpoint is not a good one of this head, signed with the log's key.
        HeadForged = "head_forged",
        /// A witness's cosignature does not fit its head.
        CosignatureFalse = "cosignature_false",
        /// A checkpoint that is known from elsewhere is of a larger log: the register was put back to an earlier state.
        CheckpointLarger = "checkpoint_larger",
        /// A checkpoint that is known from elsewhere is of another log: this one was written anew.
        CheckpointDiffers = "checkpoint_differs",
        /// A row is not what the last entry about it says.
        RowDiffers = "row_differs",
        /// A row is gone.
        RowMissing = "row_missing",
        /// There is a row that no entry tells of.
        RowUnknown = "row_unknown",
        /// The index of states says of a row what the entry at that place does not.
        StateUnfounded = "state_unfounded",
        /// The index of states does not know, or not any more, what an entry says of a row.
        StateBehind = "state_behind",
        /// A row was not, before a change, what the change before had left: it was changed behind the server's back.
        RowRewritten = "row_rewritten",
        /// A trigger that keeps the record is gone.
        TriggerMissing = "trigger_missing",
        /// A trigger that keeps the record is switched off.
        TriggerDisabled = "trigger_disabled",
        /// A trigger that keeps the record does something else than it should.
        TriggerDiffers = "trigger_differs",
        /// A table of the record has a trigger that is not ours.
        TriggerUnknown = "trigger_unknown",
        /// A function that keeps the record is gone, was changed, or has another before it.
        FunctionDiffers = "function_differs",
        /// A table is remembered that is not checked.
        TableUnlisted = "table_unlisted",
    }
}

/// Something that should not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub flaw: Flaw,
    /// In which table.
    pub table: String,
    /// Where in it: the row's key.
    pub key: String,
    /// The entry that it shows in.
    pub entry: Option<Uuid>,
    /// That entry's place in the log.
    pub place: Option<i64>,
    /// What differs, in a few words.
    pub differs: String,
}

impl Finding {
    /// Something is wrong with the row `key` of `table`.
    pub fn new(flaw: Flaw, table: &str, key: impl fmt::Display, differs: impl Into<String>) -> Self {
        Self {
            flaw,
            table: table.to_owned(),
            key: key.to_string(),
            entry: None,
            place: None,
            differs: differs.into(),
        }
    }

    /// The same, shown by the entry at this place.
    #[must_use]
    pub fn at(self, entry: Option<Uuid>, place: Option<i64>) -> Self {
        Self { entry, place, ..self }
    }

    /// What tells it from other findings.
    pub fn name(&self) -> String {
        format!("{} {} {}", self.flaw.as_str(), self.table, self.key)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.flaw.as_str(), self.table, self.key)?;
        if let Some(entry) = self.entry.filter(|entry| self.key != entry.to_string()) {
            write!(f, ", entry {entry}")?;
        }
        if let Some(place) = self.place.filter(|place| self.key != place.to_string()) {
            write!(f, ", place {place}")?;
        }
        write!(f, ": {}", self.differs)
    }
}
