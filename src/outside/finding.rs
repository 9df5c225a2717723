//! What was found to be wrong with a log, each in one sentence that names it.

use std::fmt;

use crate::tlog::Fault;

/// Something that is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A checkpoint is not signed as it must be, or cannot be one.
    Checkpoint {
        /// Which.
        which: Which,
        /// What is wrong with it.
        fault: Fault,
    },
    /// The two checkpoints are of two logs.
    OtherLog {
        /// The name in the old one.
        old: String,
        /// The name in the new one.
        new: String,
    },
    /// The log has fewer entries than it once signed.
    Rollback {
        /// How many it once had.
        old: u64,
        /// How many it has.
        new: u64,
    },
    /// The log signed two trees of which neither continues the other.
    Fork {
        /// How many entries the old one has.
        old: u64,
        /// How many the new one has.
        new: u64,
    },
    /// Too few of the trusted witnesses signed.
    FewWitnesses {
        /// How many did.
        count: usize,
        /// How many must.
        needed: usize,
    },
    /// Something that must be served is not.
    Missing {
        /// Its path.
        path: String,
    },
    /// Something has another length than it must have.
    Length {
        /// Its path.
        path: String,
    },
    /// The tiles on the right border do not give the root that was signed.
    Root {
        /// How many entries the tree has.
        size: u64,
        /// The tiles' paths; none of an empty tree.
        paths: Vec<String>,
    },
    /// A tile is not the one that its tree was signed with.
    Tile {
        /// Its path.
        path: String,
        /// The path of the tile above, whose hash it does not fit.
        above: String,
        /// The first entry below it.
        first: u64,
        /// The last entry below it.
        last: u64,
    },
    /// An entry is not the one that was signed.
    Entry {
        /// Its place.
        number: u64,
    },
    /// A bundle of entries cannot be taken apart, or has too few or too many.
    Bundle {
        /// Its path.
        path: String,
    },
}

/// Which checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The one that the log serves.
    Served,
    /// The one that the caller kept.
    Old,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint { which: Which::Served, fault } => write!(f, "the log's checkpoint: {fault}"),
            Self::Checkpoint { which: Which::Old, fault } => write!(f, "the old checkpoint: {fault}"),
            Self::OtherLog { old, new } => {
                write!(f, "the old checkpoint is of the log \"{old}\", this is the log \"{new}\"")
            }
            Self::Rollback { old, new } => {
                write!(f, "ROLLBACK: the log signed {old} entries and now has {new}; entries were taken away")
            }
            Self::Fork { old, new } if old == new => {
                write!(f, "FORK: the log signed two different trees of {new} entries")
            }
            Self::Fork { old, new } => write!(
                f,
                "FORK: the first {old} of the {new} entries are not those that the log once signed; some were changed, \
                 taken away or put in"
            ),
            Self::FewWitnesses { count, needed } => {
                write!(
                    f,
                    "the checkpoint is signed by {count} of the witnesses whom you trust, and {needed} must"
                )
            }
            Self::Missing { path } => write!(f, "{path} is missing"),
            Self::Length { path } => write!(f, "{path} does not have the length that it must have"),
            Self::Root { size, paths } if paths.is_empty() => {
                write!(f, "the root that was signed is not that of a tree of {size} entries")
            }
            Self::Root { size, paths } => write!(
                f,
                "the right border of the tree of {size} entries does not give the root that was signed; it is {}",
                paths.join(", ")
            ),
            Self::Tile { path, above, first, last } => {
                write!(f, "{path} (entries {first} to {last}) is not the one that {above} was made of")
            }
            Self::Entry { number } => write!(f, "entry {number} is not the one that was signed"),
            Self::Bundle { path } => write!(f, "{path} does not hold the entries that it must hold"),
        }
    }
}
