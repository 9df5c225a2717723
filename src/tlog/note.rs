//! Signed notes: <https://c2sp.org/signed-note>.

use signed_note::{Note, Signature};

use crate::tlog::fault::Fault;
use crate::tlog::keys::VerifierKey;

/// The longest note that is read, in bytes.
pub const LONGEST_NOTE: usize = 64 * 1024;
/// The most signature lines that are read in one note.
pub const MOST_SIGNATURES: usize = 64;

/// A note in the right form. Its text means nothing until a known key has been found to have signed it.
#[derive(Debug)]
pub struct SignedNote<'a> {
    body: &'a str,
    signatures: Vec<(Signature, &'a str)>,
}

impl<'a> SignedNote<'a> {
    /// Reads a whole note.
    pub fn parse(note: &'a str) -> Result<Self, Fault> {
        if note.len() > LONGEST_NOTE {
            return Err(Fault::TooLong { what: "the note", limit: LONGEST_NOTE });
        }
        let (text, lines) =
            note.rsplit_once("\n\n").ok_or(Fault::Note("no empty line before its signatures"))?;
        let lines = lines.strip_suffix('\n').ok_or(Fault::Note("its last line does not end"))?;
        if lines.split('\n').nth(MOST_SIGNATURES).is_some() {
            return Err(Fault::TooManySignatures(MOST_SIGNATURES));
        }
        Note::from_bytes(note.as_bytes())
            .map_err(|_| Fault::Note("a control character, or a line that is not a signature"))?;
        let body = note.get(..=text.len()).ok_or(Fault::Note("its text does not end"))?;
        let signatures =
            lines.split('\n').map(|line| Ok((signature(line)?, line))).collect::<Result<_, Fault>>()?;
        Ok(Self { body, signatures })
    }

    /// The text that is signed, with its last newline.
    pub fn body(&self) -> &'a str {
        self.body
    }

    /// Whether one of the signature lines is exactly that one.
    pub(crate) fn has_line(&self, line: &str) -> bool {
        self.signatures.iter().any(|(_, own)| *own == line)
    }

    /// Every signature of a known key, verified: the key, the second of a cosignature, the line without its newline.
    ///
    /// Signatures of unknown keys are passed over; a false one of a known key spoils the note.
    pub fn verified<'k>(&self, known: &'k [VerifierKey]) -> Result<Vec<Verified<'k, 'a>>, Fault> {
        let mut verified = Vec::new();
        for (signature, line) in &self.signatures {
            let Some(key) = known.iter().find(|key| key.claims(signature)) else { continue };
            if known.iter().any(|other| other.claims(signature) && other != key) {
                return Err(Fault::AmbiguousKey(key.name().to_owned()));
            }
            let at = key.verify(self.body, signature.signature())?;
            verified.push(Verified { key, at, line });
        }
        Ok(verified)
    }
}

/// A signature that holds.
#[derive(Clone, Copy, Debug)]
pub struct Verified<'k, 'a> {
    /// Whose it is.
    pub key: &'k VerifierKey,
    /// The second since 1970 that a cosignature tells.
    pub at: Option<u64>,
    /// The line, without its newline.
    pub line: &'a str,
}

/// Reads one signature line, which has no newline.
pub(crate) fn signature(line: &str) -> Result<Signature, Fault> {
    if line.chars().any(|c| c < ' ') {
        return Err(Fault::Note("a control character in a signature line"));
    }
    Signature::from_bytes(line.as_bytes()).map_err(|_| Fault::Note("a line that is not a signature"))
}
