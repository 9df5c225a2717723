//! What a register is checked with: of its keys, those that seal entries and that verify checkpoints.

use std::path::Path;

use super::keys::{self, EntrySeal, KeyError};
use super::log_keys;
use crate::tlog::VerifierKey;

/// What a register is checked with, as far as it is at hand.
#[derive(Debug, Clone, Default)]
pub struct Checking {
    /// What sealed its entries.
    pub seal: Option<EntrySeal>,
    /// What its checkpoints are checked with: every key of the log that the directory knows.
    pub log: Vec<VerifierKey>,
}

impl Checking {
    /// Reads what there is in `dir`, and makes nothing: with new keys, everything would seem to be forged.
    pub fn read(dir: &Path) -> Result<Self, KeyError> {
        if !dir.is_dir() {
            return Ok(Self::default());
        }
        Ok(Self { seal: keys::entry_seal(dir)?, log: log_keys::known(dir)? })
    }
}
