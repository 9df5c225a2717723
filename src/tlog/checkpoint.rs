//! Checkpoints: <https://c2sp.org/tlog-checkpoint>, and their cosignatures: <https://c2sp.org/tlog-cosignature>.

use tlog_tiles::Hash;

use crate::tlog::fault::Fault;
use crate::tlog::keys::{KeyKind, SigningKey, VerifierKey};
use crate::tlog::note::{LONGEST_NOTE, SignedNote, signature};

/// The state of a tree: how many entries, and the hash over all of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Head {
    /// Number of entries.
    pub size: u64,
    /// Root hash of the tree of that size (RFC 6962).
    pub root: Hash,
}

impl Head {
    /// The head of the tree without entries.
    pub const EMPTY: Self = Self { size: 0, root: tlog_tiles::EMPTY_HASH };
}

/// A checkpoint: the head that a log stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Name of the log.
    pub origin: String,
    /// What it says its tree is.
    pub head: Head,
    /// The whole signed note.
    pub text: String,
}

impl Checkpoint {
    /// The text that is signed, with its last newline.
    pub fn body(&self) -> &str {
        self.text.rsplit_once("\n\n").and_then(|(body, _)| self.text.get(..=body.len())).unwrap_or_default()
    }
}

/// A witness's verified cosignature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// Name of the witness.
    pub name: String,
    /// Number of its key.
    pub id: u32,
    /// Second since 1970 at which it saw the checkpoint.
    pub at_unix: u64,
    /// The signature line, without its newline.
    pub line: String,
}

/// The text of a checkpoint, before any signature.
pub fn body(origin: &str, head: Head) -> String {
    format!("{origin}\n{}\n{}\n", head.size, head.root)
}

/// A checkpoint signed with each key.
pub fn sign(origin: &str, head: Head, keys: &[SigningKey]) -> Result<String, Fault> {
    let body = body(origin, head);
    let lines = keys.iter().map(|key| key.sign(&body)).collect::<Result<String, Fault>>()?;
    let note = format!("{body}\n{lines}");
    read(&note)?;
    Ok(note)
}

/// Reads a checkpoint without verifying any signature: nothing it says may be believed.
pub fn read(text: &str) -> Result<Checkpoint, Fault> {
    let note = SignedNote::parse(text)?;
    head_of(note.body()).map(|(origin, head)| Checkpoint { origin, head, text: text.to_owned() })
}

/// Reads a checkpoint that a known key of its log has signed. A log's key bears the name of the log.
///
/// A false signature of any known key spoils it, signatures of unknown keys do not matter.
pub fn open(text: &str, log_keys: &[VerifierKey]) -> Result<Checkpoint, Fault> {
    let note = SignedNote::parse(text)?;
    let (origin, head) = head_of(note.body())?;
    let of_log = |key: &VerifierKey| key.kind() == KeyKind::Log && key.name() == origin;
    if !log_keys.iter().any(of_log) {
        return Err(Fault::UnknownOrigin(origin));
    }
    if note.verified(log_keys)?.iter().any(|signature| of_log(signature.key)) {
        Ok(Checkpoint { origin, head, text: text.to_owned() })
    } else {
        Err(Fault::Unsigned)
    }
}

/// The cosignatures of known witnesses, one of each key: its latest. A false one of a known key is a fault.
pub fn cosignatures(text: &str, witnesses: &[VerifierKey]) -> Result<Vec<Cosigned>, Fault> {
    let note = SignedNote::parse(text)?;
    head_of(note.body())?;
    let mut latest: Vec<Cosigned> = Vec::new();
    for signature in note.verified(witnesses)? {
        let Some(at_unix) = signature.at else { continue };
        let (name, id) = (signature.key.name().to_owned(), signature.key.id());
        let next = Cosigned { name, id, at_unix, line: signature.line.to_owned() };
        match latest.iter_mut().find(|had| had.name == next.name && had.id == next.id) {
            Some(had) if had.at_unix < next.at_unix => *had = next,
            Some(_) => {}
            None => latest.push(next),
        }
    }
    Ok(latest)
}

/// The note with further signature lines (with or without their newline), each of them once.
pub fn with_lines(text: &str, lines: &[String]) -> Result<String, Fault> {
    SignedNote::parse(text)?;
    let mut note = text.to_owned();
    for line in lines {
        let line = line.strip_suffix('\n').unwrap_or(line);
        signature(line)?;
        if !SignedNote::parse(&note)?.has_line(line) {
            note.push_str(line);
            note.push('\n');
        }
        if note.len() > LONGEST_NOTE {
            return Err(Fault::TooLong { what: "the note", limit: LONGEST_NOTE });
        }
    }
    SignedNote::parse(&note)?;
    Ok(note)
}

/// Origin and head of a checkpoint's text. Extension lines may follow and mean nothing.
fn head_of(body: &str) -> Result<(String, Head), Fault> {
    let read = tlog_tiles::Checkpoint::from_bytes(body.as_bytes())
        .map_err(|_| Fault::Checkpoint("it needs a name, a size and a root hash, each on its line"))?;
    // One head has one spelling: whatever the parser lets through beyond that is refused here.
    if read.to_bytes() != body.as_bytes() {
        return Err(Fault::Checkpoint("it is not spelt in the one way that is allowed"));
    }
    Ok((read.origin().to_owned(), Head { size: read.size(), root: *read.hash() }))
}
