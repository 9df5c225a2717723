//! A witness of transparency logs: it cosigns what continues what it has seen, and keeps the proof of what does not.
//!
//! Belongs here: the rules of <https://c2sp.org/tlog-witness>. It is small and knows nothing of the register, so that
//! anybody can run one: a human-rights organisation, a university, a newspaper. Does not belong here: how it is reached
//! ([`http`]), what it remembers ([`state`]), what it holds against a log ([`evidence`]).

pub mod command;
pub mod evidence;
pub mod http;
pub mod state;

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use self::evidence::{Evidence, Finding, Kind};
use self::state::State;
use crate::tlog::{
    AddCheckpoint, Checkpoint, CosignerKey, Fault, Head, SignedNote, VerifierKey, check_consistency, open,
    read,
};

/// Why a checkpoint is not cosigned.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The request is not one, or its old size is larger than its checkpoint's.
    #[error("{0}")]
    Malformed(Fault),
    /// Nobody has configured a key of that log.
    #[error("{0}")]
    UnknownLog(Fault),
    /// No trusted key of the log has signed, or a signature in its name is false.
    #[error("{0}")]
    Untrusted(Fault),
    /// The witness has last cosigned a tree of that size, another than the one the log starts from.
    #[error("the last cosigned tree has {0} entries")]
    Elsewhere(u64),
    /// The checkpoint does not continue what was cosigned.
    #[error("{0}")]
    Inconsistent(Fault),
    /// What was to be cosigned could not be remembered, so it was not.
    #[error("the witness cannot write down what it sees, so it does not cosign")]
    Unsaved(#[source] io::Error),
}

/// A witness at work. One lock spans looking up what was cosigned and writing down what is: of two requests at once the
/// second finds what the first has left.
pub struct Witness {
    key: CosignerKey,
    logs: Vec<VerifierKey>,
    memory: Mutex<Memory>,
}

struct Memory {
    state: State,
    evidence: Evidence,
}

impl Witness {
    /// A witness of the logs whose keys are given.
    pub fn new(key: CosignerKey, logs: Vec<VerifierKey>, state: State, evidence: Evidence) -> Self {
        Self { key, logs, memory: Mutex::new(Memory { state, evidence }) }
    }

    /// What verifies its cosignatures.
    pub fn verifier(&self) -> VerifierKey {
        self.key.verifier()
    }

    /// The last checkpoint it has cosigned of the log whose origin has that SHA-256, in lower-case hexadecimal digits.
    pub fn latest(&self, origin_hash: &str) -> Option<String> {
        self.memory().state.by_hash(origin_hash)
    }

    /// What it holds against logs: JSON objects, one on each line.
    pub fn evidence(&self) -> io::Result<String> {
        let path = self.memory().evidence.path().to_owned();
        evidence::read(&path)
    }

    /// Takes an `add-checkpoint` request at that second since 1970: the cosignature line, or why there is none. Whatever
    /// it returns has been written to disk.
    pub fn add_checkpoint(&self, body: &[u8], unix_seconds: u64) -> Result<String, Refusal> {
        let request = AddCheckpoint::parse(body).map_err(Refusal::Malformed)?;
        let origin = read(&request.checkpoint).map_err(Refusal::Malformed)?.origin;
        let keys: Vec<VerifierKey> = self.logs.iter().filter(|key| key.name() == origin).cloned().collect();
        if keys.is_empty() {
            return Err(Refusal::UnknownLog(Fault::UnknownOrigin(origin)));
        }
        let next = open(&request.checkpoint, &keys).map_err(Refusal::Untrusted)?;
        // Only what was verified is kept and shown.
        let next =
            Checkpoint { text: without_strangers(&next.text, &keys).map_err(Refusal::Untrusted)?, ..next };
        if request.old > next.head.size {
            return Err(Refusal::Malformed(Fault::NotConsistent { old: request.old, new: next.head.size }));
        }

        let mut memory = self.memory();
        let memory = &mut *memory;
        let last = memory.state.latest(&next.origin).cloned();
        let finding = |kind, cosigned: &Checkpoint| Finding {
            kind,
            at: unix_seconds,
            origin: next.origin.clone(),
            cosigned: cosigned.text.clone(),
            submitted: next.text.clone(),
            old: request.old,
            proof: request.proof.iter().map(ToString::to_string).collect(),
        };
        // A log that signs two trees of one size has been caught, wherever the request says it starts from.
        if let Some(other) = memory.state.of_size(&next.origin, next.head.size)
            && other.head != next.head
        {
            memory.evidence.keep(&finding(Kind::Fork, other));
        }
        let before = last.as_ref().map_or(Head::EMPTY, |last| last.head);
        if request.old != before.size {
            return Err(Refusal::Elsewhere(before.size));
        }
        if let Err(fault) = check_consistency(&request.proof, before, next.head) {
            if let Some(last) = last.filter(|last| last.head.size < next.head.size && last.head.size > 0) {
                memory.evidence.keep(&finding(Kind::Unproven, &last));
            }
            return Err(Refusal::Inconsistent(fault));
        }
        let line = self.key.cosign(next.body(), unix_seconds).map_err(Refusal::Inconsistent)?;
        let cosigned = Checkpoint { text: format!("{}{line}", next.text), ..next };
        memory.state.keep(cosigned).map_err(|error| {
            tracing::error!(%error, "the witness's state cannot be written: nothing is cosigned");
            Refusal::Unsaved(error)
        })?;
        Ok(line)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Whoever panicked has changed nothing: the state is changed after it is on disk, in one assignment.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The note with the verified signatures alone, each once.
fn without_strangers(note: &str, keys: &[VerifierKey]) -> Result<String, Fault> {
    let note = SignedNote::parse(note)?;
    let mut lines: Vec<&str> = Vec::new();
    for signature in note.verified(keys)? {
        if !lines.contains(&signature.line) {
            lines.push(signature.line);
        }
    }
    Ok(format!("{}\n{}\n", note.body(), lines.join("\n")))
}

#[cfg(test)]
mod tests;
