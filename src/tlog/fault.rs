//! What may be wrong with something a log has said.

use crate::tlog::tiles::TileId;

/// A flaw in a key, a note, a checkpoint, a tile or a proof.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The text of a key is not one.
    #[error("this is not a key in the note format: {0}")]
    Key(&'static str),
    /// More bytes than anybody needs.
    #[error("{what} is longer than the {limit} bytes that are read")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// How many bytes it may have.
        limit: usize,
    },
    /// More signature lines than are read.
    #[error("the note has more than {0} signatures")]
    TooManySignatures(usize),
    /// Not a signed note.
    #[error("this is not a signed note: {0}")]
    Note(&'static str),
    /// The body of a note is not a checkpoint.
    #[error("this is not a checkpoint: {0}")]
    Checkpoint(&'static str),
    /// None of the known keys speaks for this log.
    #[error("the checkpoint is of the log \"{0}\", of which no key is known")]
    UnknownOrigin(String),
    /// No known key of the log has signed.
    #[error("the checkpoint carries no signature of a known key of its log")]
    Unsigned,
    /// A known key's signature does not fit.
    #[error("the signature in the name of \"{0}\" is false")]
    FalseSignature(String),
    /// Two different known keys have one name and one number.
    #[error("two known keys are both called \"{0}\" and have the same number")]
    AmbiguousKey(String),
    /// A moment that cannot stand in a cosignature.
    #[error("a cosignature cannot be of second {0}")]
    Moment(u64),
    /// Not a proof in the C2SP form.
    #[error("this is not a proof of the log: {0}")]
    Proof(&'static str),
    /// A leaf that the tree does not have.
    #[error("entry {index} is not in a tree of {size} entries")]
    NotInTree {
        /// Place of the entry, from zero.
        index: u64,
        /// Number of entries of the tree.
        size: u64,
    },
    /// The hashes do not lead from the entry to the root.
    #[error("the proof does not show that the entry is in the log")]
    NotIncluded,
    /// The newer tree does not continue the older one.
    #[error("the proof does not show that the tree of {new} entries continues the tree of {old}")]
    NotConsistent {
        /// Number of entries of the older tree.
        old: u64,
        /// Number of entries of the newer tree.
        new: u64,
    },
    /// Not a path of a tile.
    #[error("this is not the path of a tile: {0}")]
    TilePath(&'static str),
    /// A tile is missing.
    #[error("tile {index} of level {level} is missing", level = .0.level, index = .0.index)]
    MissingTile(TileId),
    /// A tile has too few, too many or broken hashes.
    #[error("tile {index} of level {level} does not have the length that the tree asks for", level = .0.level, index = .0.index)]
    TileLength(TileId),
    /// The tiles do not lead to the root.
    #[error("the tiles do not lead to the root of the tree of {0} entries")]
    TilesDiffer(u64),
    /// More entries than tiles are kept for.
    #[error("a tree of {0} entries is larger than any that is kept")]
    TooLarge(u64),
    /// Not an add-checkpoint request.
    #[error("this is not an add-checkpoint request: {0}")]
    Request(&'static str),
    /// A flaw in a policy of witnesses.
    #[error("line {line}: {flaw}")]
    Policy {
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        flaw: &'static str,
    },
}
