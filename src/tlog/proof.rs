//! Proofs that stand on their own: <https://c2sp.org/tlog-proof>, and the checks of RFC 6962, section 2.1.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tlog_tiles::{Hash, check_record, check_tree, record_hash};

use crate::tlog::checkpoint::{self, Checkpoint, Head};
use crate::tlog::fault::Fault;
use crate::tlog::keys::VerifierKey;
use crate::tlog::tiles::decimal;

/// The most hashes of one proof; a tree of 2^63 entries needs no more.
pub const MOST_HASHES: usize = 63;
/// The longest proof that is read, in bytes: the extra data of an entry, the hashes and the note.
pub const LONGEST_PROOF: usize = 256 * 1024;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// Checks that the hashes lead from the leaf at that place to the root.
pub fn check_inclusion(hashes: &[Hash], head: Head, index: u64, leaf: Hash) -> Result<(), Fault> {
    if index >= head.size {
        return Err(Fault::NotInTree { index, size: head.size });
    }
    if hashes.len() > MOST_HASHES {
        return Err(Fault::NotIncluded);
    }
    check_record(&hashes.to_vec(), head.size, head.root, index, leaf).map_err(|_| Fault::NotIncluded)
}

/// Checks that the newer tree continues the older one. The empty tree is continued by every tree, without hashes.
pub fn check_consistency(hashes: &[Hash], old: Head, new: Head) -> Result<(), Fault> {
    let fault = Fault::NotConsistent { old: old.size, new: new.size };
    let sound = |head: Head| head.size > 0 || head == Head::EMPTY;
    if hashes.len() > MOST_HASHES || !sound(old) || !sound(new) {
        return Err(fault);
    }
    if old.size == 0 {
        return if hashes.is_empty() { Ok(()) } else { Err(fault) };
    }
    check_tree(&hashes.to_vec(), new.size, new.root, old.size, old.root).map_err(|_| fault)
}

/// A `.tlog-proof`: that an entry is in a log, for whoever holds the log's key and the entry.
#[derive(Clone, Debug, PartialEq)]
pub struct LogProof {
    /// What goes with it for the application. Nothing vouches for it.
    pub extra: Option<Vec<u8>>,
    /// Place of the entry in the log, from zero.
    pub index: u64,
    /// The hashes from the leaf's sibling up to the root's child.
    pub hashes: Vec<Hash>,
    /// The checkpoint, a whole signed note.
    pub checkpoint: String,
}

impl LogProof {
    /// The proof as a file.
    pub fn to_text(&self) -> String {
        let mut text = format!("{FIRST_LINE}\n");
        if let Some(extra) = &self.extra {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "extra {}", STANDARD.encode(extra));
        }
        let _ = writeln!(text, "index {}", self.index);
        for hash in &self.hashes {
            let _ = writeln!(text, "{hash}");
        }
        text + "\n" + &self.checkpoint
    }

    /// Reads a proof. Its form is checked, not what it says.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if text.len() > LONGEST_PROOF {
            return Err(Fault::TooLong { what: "the proof", limit: LONGEST_PROOF });
        }
        let (lines, checkpoint) =
            text.split_once("\n\n").ok_or(Fault::Proof("no empty line before its checkpoint"))?;
        let mut lines = lines.split('\n');
        if lines.next() != Some(FIRST_LINE) {
            return Err(Fault::Proof("it does not begin with c2sp.org/tlog-proof@v1"));
        }
        let mut line = lines.next();
        let mut extra = None;
        if let Some(data) = line.and_then(|line| line.strip_prefix("extra ")) {
            extra = Some(STANDARD.decode(data).map_err(|_| Fault::Proof("its extra line is not base64"))?);
            line = lines.next();
        }
        let index = line.and_then(|line| line.strip_prefix("index ")).and_then(decimal);
        let index = index.ok_or(Fault::Proof("its index line is not a plain number"))?;
        let hashes = hashes(lines).map_err(Fault::Proof)?;
        checkpoint::read(checkpoint)?;
        Ok(Self { extra, index, hashes, checkpoint: checkpoint.to_owned() })
    }

    /// Verifies that the entry is in the log: its bytes, the proof, the checkpoint and the log's signature.
    ///
    /// Keys of witnesses may be among the keys: a false cosignature of one of them spoils the proof. How many
    /// witnesses are enough is for the caller to say, from [`checkpoint::cosignatures`].
    pub fn verify(&self, leaf: &[u8], keys: &[VerifierKey]) -> Result<Checkpoint, Fault> {
        let checkpoint = checkpoint::open(&self.checkpoint, keys)?;
        check_inclusion(&self.hashes, checkpoint.head, self.index, record_hash(leaf))?;
        Ok(checkpoint)
    }
}

/// Hashes in base64, one on each line, 63 at the most.
pub(crate) fn hashes<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Vec<Hash>, &'static str> {
    let mut hashes = Vec::new();
    for line in lines {
        if hashes.len() == MOST_HASHES {
            return Err("it has more than 63 hashes");
        }
        hashes.push(
            Hash::parse_hash(line).map_err(|_| "one of its lines is not a hash of 32 bytes in base64")?,
        );
    }
    Ok(hashes)
}
