//! What a witness remembers, in one file that is always whole: the last checkpoints it has cosigned of each log.
//!
//! The first line says what the file is and the SHA-256 of the rest, which is JSON. It is written beside itself, synced and
//! renamed; so after a fault of the machine it is as it was before or as it is after.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::tlog::{Checkpoint, VerifierKey, cosignatures, read};

/// What the file begins with.
const FIRST_WORDS: &str = "temwen witness state 1 ";
/// How many checkpoints before the last are remembered of each log, to know a fork of a smaller tree.
const EARLIER: usize = 16;

/// Why a state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The system does not give or take it.
    #[error("cannot use {}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not what a witness has written.
    #[error(
        "{} is damaged: put back the last whole copy of it, or begin anew with a new key and tell the logs; a witness that has \
         forgotten what it cosigned would help a log to rewrite its past",
        .0.display()
    )]
    Damaged(PathBuf),
    /// It is another witness's.
    #[error("{} belongs to another key, \"{key}\"", path.display())]
    OfAnother {
        /// Which file.
        path: PathBuf,
        /// Whose it is.
        key: String,
    },
}

/// The last checkpoints of each log, newest first. None of these lists is empty.
type Logs = BTreeMap<String, Vec<Checkpoint>>;

/// What a witness remembers.
#[derive(Debug)]
pub struct State {
    path: PathBuf,
    witness: VerifierKey,
    logs: Logs,
}

/// The file's second part.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// The witness's public key.
    witness: String,
    /// The notes, newest first, by origin.
    logs: BTreeMap<String, Vec<String>>,
}

impl State {
    /// A state that remembers nothing, on disk.
    pub fn create(path: &Path, witness: VerifierKey) -> Result<Self, StateError> {
        let state = Self { path: path.to_owned(), witness, logs: Logs::new() };
        state.write(&state.logs).map_err(|source| StateError::Io { path: path.to_owned(), source })?;
        Ok(state)
    }

    /// The state that is on disk. Every checkpoint in it must bear the witness's own cosignature.
    pub fn open(path: &Path, witness: VerifierKey) -> Result<Self, StateError> {
        let bytes = fs::read(path).map_err(|source| StateError::Io { path: path.to_owned(), source })?;
        let damaged = || StateError::Damaged(path.to_owned());
        let written = parse(&bytes).ok_or_else(damaged)?;
        if written.witness != witness.to_string() {
            return Err(StateError::OfAnother { path: path.to_owned(), key: written.witness });
        }
        let mut logs = Logs::new();
        for (origin, notes) in written.logs {
            let notes = notes.iter().map(|note| own(note, &origin, &witness)).collect::<Option<Vec<_>>>();
            let notes = notes.filter(|notes| falling(notes)).ok_or_else(damaged)?;
            logs.insert(origin, notes);
        }
        Ok(Self { path: path.to_owned(), witness, logs })
    }

    /// The last checkpoint cosigned of that log.
    pub fn latest(&self, origin: &str) -> Option<&Checkpoint> {
        self.logs.get(origin)?.first()
    }

    /// A checkpoint cosigned of that log, of that size, if it is still remembered.
    pub(super) fn of_size(&self, origin: &str, size: u64) -> Option<&Checkpoint> {
        self.logs.get(origin)?.iter().find(|had| had.head.size == size)
    }

    /// The last checkpoint cosigned of the log whose origin has that SHA-256.
    pub(super) fn by_hash(&self, origin_hash: &str) -> Option<String> {
        let found = self.logs.iter().find(|(origin, _)| hex(origin.as_bytes()) == origin_hash);
        found.and_then(|(_, notes)| notes.first()).map(|note| note.text.clone())
    }

    /// Remembers a cosigned checkpoint: first on disk, then here.
    pub(super) fn keep(&mut self, cosigned: Checkpoint) -> io::Result<()> {
        let mut logs = self.logs.clone();
        let notes = logs.entry(cosigned.origin.clone()).or_default();
        // The same tree seen once more takes its own place.
        notes.retain(|had| had.head.size != cosigned.head.size);
        notes.insert(0, cosigned);
        notes.truncate(1 + EARLIER);
        self.write(&logs)?;
        self.logs = logs;
        Ok(())
    }

    fn write(&self, logs: &Logs) -> io::Result<()> {
        let texts = |notes: &Vec<Checkpoint>| notes.iter().map(|note| note.text.clone()).collect();
        let logs = logs.iter().map(|(origin, notes)| (origin.clone(), texts(notes))).collect();
        let written = Written { witness: self.witness.to_string(), logs };
        let json = serde_json::to_string_pretty(&written)?;
        let mut beside = self.path.clone().into_os_string();
        beside.push(".new");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(format!("{FIRST_WORDS}{}\n{json}", hex(json.as_bytes())).as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)?;
        sync_directory_of(&self.path)
    }
}

fn parse(bytes: &[u8]) -> Option<Written> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (first, json) = text.split_once('\n')?;
    let sum = first.strip_prefix(FIRST_WORDS)?;
    if sum == hex(json.as_bytes()) { serde_json::from_str(json).ok() } else { None }
}

/// A checkpoint of that log with a cosignature of that witness.
fn own(note: &str, origin: &str, witness: &VerifierKey) -> Option<Checkpoint> {
    let cosigned = cosignatures(note, std::slice::from_ref(witness)).is_ok_and(|found| !found.is_empty());
    read(note).ok().filter(|checkpoint| cosigned && checkpoint.origin == origin)
}

/// Whether there are any, each of a smaller tree than the one before.
fn falling(notes: &[Checkpoint]) -> bool {
    !notes.is_empty() && notes.is_sorted_by(|newer, older| newer.head.size > older.head.size)
}

/// Makes a file's name last.
pub(super) fn sync_directory_of(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

/// SHA-256 in lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let sum = digest(&SHA256, bytes);
    sum.as_ref().iter().fold(String::with_capacity(64), |text, byte| text + &format!("{byte:02x}"))
}
