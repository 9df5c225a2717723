//! A transparency log as C2SP writes it down: signed notes, checkpoints, tiles, proofs, cosignatures.
//!
//! Nothing here knows of a database, of HTTP or of what the leaves mean. Every format is the one of <https://c2sp.org>,
//! byte for byte; whatever comes from outside is read strictly, and a flaw in it is a [`Fault`], never a panic.

mod checkpoint;
mod edge;
mod fault;
mod keys;
mod note;
mod policy;
mod proof;
mod tiles;
mod witness;

pub use tlog_tiles::{Hash, node_hash, record_hash};

pub use crate::tlog::checkpoint::{
    Checkpoint, Cosigned, Head, body, cosignatures, open, read, sign, with_lines,
};
pub use crate::tlog::edge::Edge;
pub use crate::tlog::fault::Fault;
pub use crate::tlog::keys::{CosignerKey, KeyKind, SigningKey, VerifierKey};
pub use crate::tlog::note::{LONGEST_NOTE, MOST_SIGNATURES, SignedNote};
pub use crate::tlog::policy::{NamedWitness, TrustPolicy};
pub use crate::tlog::proof::{LONGEST_PROOF, LogProof, MOST_HASHES, check_consistency, check_inclusion};
pub use crate::tlog::tiles::{
    Checked, HASH_BYTES, LARGEST_TREE, TILE_WIDTH, TileId, Tiles, needed_for_consistency,
    needed_for_inclusion, needed_for_tile, parse_index, parse_path, partial, path,
};
pub use crate::tlog::witness::{AddCheckpoint, held_size};

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod note_tests;
#[cfg(test)]
mod policy_tests;
#[cfg(test)]
mod proof_tests;
#[cfg(test)]
mod tiles_tests;
