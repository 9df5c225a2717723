//! What this node signed last, in a file beside its keys.
//!
//! The file holds the signed checkpoint itself, so that a person can read it and any tool can check it. It is replaced as a
//! whole and is durable before the checkpoint is shown to anybody.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::tlog::{self, Head, VerifierKey};

const FILE: &str = "log.checkpoint";

/// Remembers what was signed last.
#[derive(Debug, Clone)]
pub struct Guard {
    dir: Option<PathBuf>,
    last: Option<Head>,
}

/// Why what was signed last is not known.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The file could not be read.
    #[error("cannot use {}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds no checkpoint that these keys signed.
    #[error(
        "{} holds no checkpoint signed with the log's keys: put the right keys or the right file back; without the file, the \
         server cannot know what it signed before",
        .0.display()
    )]
    Foreign(PathBuf),
}

impl Guard {
    /// What was signed last by whoever keeps its keys in `dir`.
    pub fn open(dir: &Path, keys: &[VerifierKey]) -> Result<Self, GuardError> {
        let last = Self::read(dir, keys)?;
        // Better said at the start than when the first checkpoint is to be signed.
        let draft = dir.join(format!(".{FILE}.{}.try", std::process::id()));
        let tried = File::create(&draft).and_then(|_| fs::remove_file(&draft));
        tried.map_err(|source| GuardError::Io { path: draft, source })?;
        Ok(Self { dir: Some(dir.to_owned()), last })
    }

    /// What was signed last, according to the file in `dir`; `keys` are all that the log ever had. Writes nothing.
    pub fn read(dir: &Path, keys: &[VerifierKey]) -> Result<Option<Head>, GuardError> {
        let path = dir.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => match tlog::open(&text, keys) {
                Ok(checkpoint) => Ok(Some(checkpoint.head)),
                Err(_) => Err(GuardError::Foreign(path)),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(GuardError::Io { path, source }),
        }
    }

    /// Remembers only as long as it lives.
    pub fn in_memory() -> Self {
        Self { dir: None, last: None }
    }

    /// What was signed last.
    pub fn last(&self) -> Option<Head> {
        self.last
    }

    /// Remembers that `head` is signed as `note`.
    pub async fn remember(&mut self, head: Head, note: &str) -> Result<()> {
        if let Some(dir) = self.dir.clone() {
            let note = note.to_owned();
            tokio::task::spawn_blocking(move || replace(&dir, &note))
                .await
                .map_err(Error::internal)?
                .map_err(Error::internal)?;
        }
        self.last = Some(head);
        Ok(())
    }
}

fn replace(dir: &Path, note: &str) -> io::Result<()> {
    let draft = dir.join(format!(".{FILE}.{}.new", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(note.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, dir.join(FILE))?;
    File::open(dir)?.sync_all()
}
