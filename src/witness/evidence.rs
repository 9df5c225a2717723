//! What a witness holds against logs: pairs of checkpoints that cannot both be true, each signed by the log.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::state::{hex, sync_directory_of};

/// How many forks are kept, and how many bytes they may take with all else.
const MOST_FORKS: usize = 1000;
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// The same for what is only unproven: anybody can send a log's checkpoint with a wrong proof.
const MOST_UNPROVEN: usize = 100;
const MOST_UNPROVEN_BYTES: usize = 4 * 1024 * 1024;

/// How much a finding says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Two different trees of one size, both signed: the log has lied to somebody.
    Fork,
    /// A larger tree that was not shown to continue the cosigned one. The log may have lied, or whoever sent it was wrong.
    Unproven,
}

/// Two checkpoints, each signed by the log.
#[derive(Debug, Serialize, Deserialize)]
pub struct Finding {
    /// How much it says.
    pub kind: Kind,
    /// Second since 1970 at which it was found.
    pub at: u64,
    /// Name of the log.
    pub origin: String,
    /// The checkpoint that was cosigned, a signed note.
    pub cosigned: String,
    /// The checkpoint that was refused, a signed note.
    pub submitted: String,
    /// The size that the request started from.
    pub old: u64,
    /// The hashes that came with it, in base64.
    pub proof: Vec<String>,
}

impl Finding {
    /// The same trees are one finding, whoever signed them when.
    fn id(&self) -> String {
        let body =
            |note: &str| note.rsplit_once("\n\n").map_or_else(String::new, |(body, _)| body.to_owned());
        hex(format!("{:?}\n{}\n\n{}", self.kind, body(&self.cosigned), body(&self.submitted)).as_bytes())
    }
}

/// The file of findings, which only grows, up to a limit.
#[derive(Debug)]
pub struct Evidence {
    path: PathBuf,
    known: HashSet<String>,
    forks: usize,
    unproven: usize,
    bytes: usize,
    /// Whether the last line was cut off, by a fault of the machine say.
    torn: bool,
}

impl Evidence {
    /// The findings of before, if there are any.
    pub fn open(path: &Path) -> io::Result<Self> {
        let text = read(path)?;
        let mut evidence = Self {
            path: path.to_owned(),
            known: HashSet::new(),
            forks: 0,
            unproven: 0,
            bytes: text.len(),
            torn: !text.is_empty() && !text.ends_with('\n'),
        };
        for finding in text.lines().filter_map(|line| serde_json::from_str(line).ok()) {
            evidence.count(&finding);
        }
        Ok(evidence)
    }

    /// Where it is kept.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps a finding, unless it is known or there are too many, and says so in the log of the program.
    pub(super) fn keep(&mut self, finding: &Finding) {
        if self.known.contains(&finding.id()) {
            return;
        }
        let kept = match self.append(finding) {
            Ok(kept) => kept,
            Err(error) => {
                tracing::error!(%error, "evidence against a log cannot be written down");
                false
            }
        };
        match finding.kind {
            Kind::Fork => tracing::error!(
                log = finding.origin,
                kept,
                "a log has signed two different trees of one size: it has forked, and everybody who relies on it should know"
            ),
            Kind::Unproven => tracing::warn!(
                log = finding.origin,
                kept,
                "a log's larger tree was not shown to continue the one that was cosigned"
            ),
        }
    }

    fn append(&mut self, finding: &Finding) -> io::Result<bool> {
        let mut line = serde_json::to_string(finding)?;
        line.push('\n');
        let room = match finding.kind {
            Kind::Fork => self.forks < MOST_FORKS && self.bytes + line.len() <= MOST_BYTES,
            Kind::Unproven => self.unproven < MOST_UNPROVEN && self.bytes + line.len() <= MOST_UNPROVEN_BYTES,
        };
        if !room {
            return Ok(false);
        }
        if self.torn {
            line.insert(0, '\n');
        }
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
        // What is half written is torn until a whole line follows it.
        self.torn = true;
        file.write_all(line.as_bytes())?;
        self.torn = false;
        file.sync_all()?;
        sync_directory_of(&self.path)?;
        self.bytes += line.len();
        self.count(finding);
        Ok(true)
    }

    fn count(&mut self, finding: &Finding) {
        if self.known.insert(finding.id()) {
            match finding.kind {
                Kind::Fork => self.forks += 1,
                Kind::Unproven => self.unproven += 1,
            }
        }
    }
}

/// The whole file; nothing where there is none.
pub(super) fn read(path: &Path) -> io::Result<String> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error),
    }
}
