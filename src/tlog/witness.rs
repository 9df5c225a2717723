//! What a log asks of a witness: <https://c2sp.org/tlog-witness>.

use std::fmt::Write;

use tlog_tiles::Hash;

use crate::tlog::fault::Fault;
use crate::tlog::note::LONGEST_NOTE;
use crate::tlog::proof::hashes;
use crate::tlog::tiles::decimal;

/// Reads what a witness answers that last cosigned another tree: its size, in the one way that is allowed.
pub fn held_size(body: &[u8]) -> Result<u64, Fault> {
    let line = std::str::from_utf8(body).ok().and_then(|text| text.strip_suffix('\n')).and_then(decimal);
    line.ok_or(Fault::Request("what the witness holds should be a plain number and a newline"))
}

/// An `add-checkpoint` request.
#[derive(Clone, Debug, PartialEq)]
pub struct AddCheckpoint {
    /// Size of the tree that the log believes the witness to have seen last.
    pub old: u64,
    /// The hashes that show that the checkpoint continues that tree.
    pub proof: Vec<Hash>,
    /// The checkpoint, a whole signed note. Nobody has looked at it yet.
    pub checkpoint: String,
}

impl AddCheckpoint {
    /// The body of the request.
    pub fn to_text(&self) -> String {
        let mut text = format!("old {}\n", self.old);
        for hash in &self.proof {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{hash}");
        }
        text + "\n" + &self.checkpoint
    }

    /// Reads the body of a request.
    pub fn parse(body: &[u8]) -> Result<Self, Fault> {
        if body.len() > LONGEST_NOTE {
            return Err(Fault::TooLong { what: "the request", limit: LONGEST_NOTE });
        }
        let text = std::str::from_utf8(body).map_err(|_| Fault::Request("it is not UTF-8"))?;
        let (lines, checkpoint) =
            text.split_once("\n\n").ok_or(Fault::Request("no empty line before the checkpoint"))?;
        let mut lines = lines.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(decimal);
        let old = old.ok_or(Fault::Request("its first line is not \"old\" and a plain number"))?;
        let proof = hashes(lines).map_err(Fault::Request)?;
        Ok(Self { old, proof, checkpoint: checkpoint.to_owned() })
    }
}
