//! The server's own keys, kept in a directory only it can read.
//!
//! Belongs here: creating, reading and adding key files, and deriving one key per purpose.
//! Does not belong here: what the master keys wrap; see [`crate::vault`].
//!
//! `token-0001.key`, `token-0002.key`, … each hold an Ed25519 key that signs access tokens (PKCS#8, base64).
//! The highest number signs, all verify: rotation adds a file and, once the last token signed with it has
//! expired, removes the old one. Every server must know a key before any of them signs with it, so servers
//! that share no directory get the file first and are then restarted. `intake.key` holds 32 random bytes,
//! base64. `master-0001.key`, … wrap the data keys of the vault; see the file `master_keys`. `log-0001.key`, … sign the log's checkpoints, and `log-0001.pub`, … are what they are checked with; see the
//! file `log_keys`.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::{NoRandomness, first, log_keys, random, sha256};
use crate::tlog::{SigningKey, VerifierKey};

/// A key file is a line of base64; what is longer is something else.
const LONGEST_FILE: u64 = 4096;
const INTAKE: &str = "intake.key";
const TOKEN: &str = "token";
/// What the key of entries' seals is derived with.
const ENTRIES: &str = "temwen audit entry v1";

/// Why the keys could not be used. The path is an operator's; no message holds a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file or directory could not be read or written.
    #[error("cannot use {}", path.display())]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The key file can be read by others than its owner.
    #[error("{} is open to others than its owner: run `chmod 600` on it, or replace it", .0.display())]
    Exposed(PathBuf),
    /// The directory can be written to by others than its owner, who could put in a key of their own.
    #[error("{} can be written to by others than its owner: run `chmod 700` on it", .0.display())]
    ExposedDirectory(PathBuf),
    /// The log's key is of another log than the one that was asked for.
    #[error("{} is the key of the log {found}, not of {wanted}: a register keeps its log's name for ever", path.display())]
    OtherLog {
        /// Which file.
        path: PathBuf,
        /// The log it is of.
        found: String,
        /// The log that was asked for (`--log-origin`).
        wanted: String,
    },
    /// The name is none that a log can have.
    #[error(
        "a log cannot be called {0}: its name (--log-origin) has no spaces and no plus sign, such as register.example/v1/log"
    )]
    LogName(String),
    /// The file holds something else than a key.
    #[error("{} does not hold a key of its kind", .0.display())]
    Malformed(PathBuf),
    /// No random bytes to make a key from.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// What a derived secret is for; each purpose has its own key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The access code of a complaint.
    AccessCode,
    /// The signature of a list's cursor.
    Cursor,
    /// The digest under which an idempotency key and its request are remembered.
    IdempotencyKey,
    /// The mark of a challenge that asks for work.
    Challenge,
}

/// Seals audit entries: what has no good seal was not written by this server, whoever may write to its database.
#[derive(Clone)]
pub struct EntrySeal(hmac::Key);

impl EntrySeal {
    /// The seal of an entry's canonical form.
    pub fn of(&self, entry: &[u8]) -> [u8; 32] {
        first(hmac::sign(&self.0, entry).as_ref())
    }

    /// Whether `seal` is the seal of `entry`.
    pub fn fits(&self, entry: &[u8], seal: &[u8]) -> bool {
        hmac::verify(&self.0, entry, seal).is_ok()
    }
}

impl fmt::Debug for EntrySeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EntrySeal")
    }
}

/// The server's keys. Shows nothing of them when printed; memory is wiped when dropped.
pub struct Keys {
    tokens: Vec<TokenKey>,
    log: Vec<SigningKey>,
    known: Vec<VerifierKey>,
    access_codes: hmac::Key,
    cursors: hmac::Key,
    idempotency: hmac::Key,
    challenges: hmac::Key,
    entries: hmac::Key,
}

/// One key that signs access tokens.
pub(super) struct TokenKey {
    /// The first 16 hexadecimal digits of the SHA-256 of the public key.
    pub(super) kid: String,
    /// The private key, PKCS#8 DER.
    pub(super) private: Zeroizing<Vec<u8>>,
    /// The public key, 32 bytes.
    pub(super) public: Vec<u8>,
}

impl Keys {
    /// Reads the keys in `dir`, first making the directory (mode 0700) and what is missing in it (mode 0600).
    /// Of several processes that start at once, one makes each key and the others read it.
    ///
    /// The log is called `origin`; without one it keeps the name it has, or gets one that is nobody else's.
    pub fn open_or_create(dir: &Path, origin: Option<&str>) -> Result<Self, KeyError> {
        open_directory(dir)?;
        if files(dir, TOKEN)?.is_empty() {
            create(dir, &file_name(TOKEN, 1), &new_token_key()?)?;
        }
        let tokens: Result<Vec<_>, _> =
            files(dir, TOKEN)?.into_iter().map(|(_, path)| TokenKey::read(&path)).collect();
        let log = log_keys::open_or_create(dir, origin)?;
        let known = log_keys::publish(dir, &log)?;
        let intake = dir.join(INTAKE);
        if secret(&intake)?.is_none() {
            create(dir, INTAKE, &Zeroizing::new(random::<32>()?)[..])?;
        }
        let secret = secret(&intake)?.ok_or(KeyError::Malformed(intake))?;
        let root = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        Ok(Self {
            tokens: tokens?,
            log,
            known,
            access_codes: derive(&root, "temwen access code v1"),
            cursors: derive(&root, "temwen cursor v1"),
            idempotency: derive(&root, "temwen idempotency key v1"),
            challenges: derive(&root, "temwen challenge v1"),
            entries: derive(&root, ENTRIES),
        })
    }

    /// Adds a key that signs access tokens from the next start on, and says its `kid`.
    pub fn add_token_key(dir: &Path) -> Result<String, KeyError> {
        open_directory(dir)?;
        let path = add(dir, TOKEN, &new_token_key()?)?;
        Ok(TokenKey::read(&path)?.kid)
    }

    /// Adds a key that signs the log from the next start on, beside those it has, and says its verifier key.
    pub fn add_log_key(dir: &Path) -> Result<String, KeyError> {
        open_directory(dir)?;
        log_keys::add(dir)
    }

    /// What the log is called.
    pub fn log_origin(&self) -> &str {
        self.log.first().map_or("", SigningKey::name)
    }

    /// The keys that sign the log: each signs every checkpoint, so that whoever knows one of them can check it.
    pub fn log_keys(&self) -> &[SigningKey] {
        &self.log
    }

    /// What checkpoints of today are checked with, the newest first.
    pub fn log_verifiers(&self) -> Vec<VerifierKey> {
        self.log.iter().rev().map(SigningKey::verifier).collect()
    }

    /// What checkpoints of any time are checked with: the keys in use, the newest first, and those that were taken away.
    pub fn known_log_verifiers(&self) -> Vec<VerifierKey> {
        let own = self.log_verifiers();
        let retired: Vec<_> = self.known.iter().filter(|key| !own.contains(key)).cloned().collect();
        own.into_iter().chain(retired).collect()
    }

    /// What tells the public keys in use apart: the tokens' key ids and the log's verifier keys.
    pub fn in_use(&self) -> Vec<String> {
        let tokens = self.tokens.iter().map(|key| key.kid.clone());
        tokens.chain(self.log.iter().map(|key| format!("{:08x}", key.verifier().id()))).collect()
    }

    /// The keyed digest (HMAC-SHA-256) of some parts, for one purpose. Each part goes in with its length, so
    /// no two lists of parts are confused.
    pub fn digest(&self, purpose: Purpose, parts: &[&[u8]]) -> [u8; 32] {
        let key = match purpose {
            Purpose::AccessCode => &self.access_codes,
            Purpose::Cursor => &self.cursors,
            Purpose::IdempotencyKey => &self.idempotency,
            Purpose::Challenge => &self.challenges,
        };
        let mut context = hmac::Context::with_key(key);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        first(context.sign().as_ref())
    }

    /// What seals audit entries.
    pub fn entry_seal(&self) -> EntrySeal {
        EntrySeal(self.entries.clone())
    }

    /// Every key that verifies access tokens; the last one signs.
    pub(super) fn tokens(&self) -> &[TokenKey] {
        &self.tokens
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kids: Vec<_> = self.tokens.iter().map(|key| key.kid.as_str()).collect();
        f.debug_struct("Keys").field("kids", &kids).finish_non_exhaustive()
    }
}

/// What seals entries with the secret in `dir`, if there is one: unlike all else here it makes none.
pub(super) fn entry_seal(dir: &Path) -> Result<Option<EntrySeal>, KeyError> {
    let root = secret(&dir.join(INTAKE))?.map(|secret| hmac::Key::new(hmac::HMAC_SHA256, &secret));
    Ok(root.map(|root| EntrySeal(derive(&root, ENTRIES))))
}

/// The secret that others are derived from, if there is a file with it.
fn secret(intake: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
    match read(intake) {
        Err(KeyError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        Ok(secret) if secret.len() != 32 => Err(KeyError::Malformed(intake.to_owned())),
        other => other.map(Some),
    }
}

impl TokenKey {
    fn read(path: &Path) -> Result<Self, KeyError> {
        let private = read(path)?;
        let pair = Ed25519KeyPair::from_pkcs8(&private).map_err(|_| KeyError::Malformed(path.to_owned()))?;
        let public = pair.public_key().as_ref().to_vec();
        let kid = format!("{:016x}", u64::from_be_bytes(first(&sha256(&public))));
        Ok(Self { kid, private, public })
    }

    /// The public key as other systems read it: base64url, no padding.
    pub(super) fn public_base64url(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.public)
    }
}

fn derive(root: &hmac::Key, label: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(root, label.as_bytes()).as_ref())
}

fn new_token_key() -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let document = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).map_err(|_| NoRandomness)?;
    Ok(Zeroizing::new(document.as_ref().to_vec()))
}

pub(super) fn file_name(kind: &str, number: u32) -> String {
    format!("{kind}-{number:04}.key")
}

/// The numbered files with keys of a kind, oldest first.
pub(super) fn files(dir: &Path, kind: &str) -> Result<Vec<(u32, PathBuf)>, KeyError> {
    numbered(dir, kind, ".key")
}

/// The numbered files of a kind with this ending, oldest first.
pub(super) fn numbered(dir: &Path, kind: &str, ending: &str) -> Result<Vec<(u32, PathBuf)>, KeyError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(at(dir))? {
        let entry = entry.map_err(at(dir))?;
        let name = entry.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix(kind)?.strip_prefix('-')?.strip_suffix(ending)?.parse().ok());
        if let Some(number) = number {
            files.push((number, entry.path()));
        }
    }
    files.sort();
    Ok(files)
}

/// The number after all that the files of a kind have, or ever had.
pub(super) fn next(dir: &Path, kind: &str) -> Result<u32, KeyError> {
    let mut files = numbered(dir, kind, ".pub")?;
    files.extend(numbered(dir, kind, ".key")?);
    Ok(files.iter().map(|(number, _)| *number).max().unwrap_or(0).saturating_add(1))
}

/// Writes `key` under the next free number; its path.
pub(super) fn add(dir: &Path, kind: &str, key: &[u8]) -> Result<PathBuf, KeyError> {
    loop {
        let number = next(dir, kind)?;
        let name = file_name(kind, number);
        if create(dir, &name, key)? {
            return Ok(dir.join(name));
        }
    }
}

pub(super) fn open_directory(dir: &Path) -> Result<(), KeyError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(at(dir))?;
    match fs::metadata(dir).map_err(at(dir))?.mode() & 0o022 {
        0 => Ok(()),
        _ => Err(KeyError::ExposedDirectory(dir.to_owned())),
    }
}

/// The bytes in a key file, unless others may read it.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let text = text(path, 0o077)?;
    STANDARD.decode(text.trim_ascii()).map(Zeroizing::new).map_err(|_| KeyError::Malformed(path.to_owned()))
}

/// What is in a file, unless others may do with it what `forbidden` says. The handle is asked, not the name, so the file
/// cannot be exchanged between the question and the reading.
pub(super) fn text(path: &Path, forbidden: u32) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let file = File::open(path).map_err(at(path))?;
    let metadata = file.metadata().map_err(at(path))?;
    if metadata.mode() & forbidden != 0 {
        return Err(KeyError::Exposed(path.to_owned()));
    }
    // Room for all of it at once: a buffer that grows leaves copies of the key behind.
    let mut text = Zeroizing::new(Vec::with_capacity(8192));
    file.take(LONGEST_FILE).read_to_end(&mut text).map_err(at(path))?;
    Ok(text)
}

/// Writes a key file, as [`create_text`] does.
pub(super) fn create(dir: &Path, name: &str, key: &[u8]) -> Result<bool, KeyError> {
    let mut text = Zeroizing::new(String::with_capacity(2 * key.len() + 8));
    STANDARD.encode_string(key, &mut text);
    create_text(dir, name, &text)
}

/// Writes a file with a line that appears whole or not at all, and only if there is none of that name: a link, unlike
/// a renaming, never replaces. Says whether this call made it.
pub(super) fn create_text(dir: &Path, name: &str, line: &str) -> Result<bool, KeyError> {
    let path = dir.join(name);
    let suffix = u64::from_be_bytes(random()?);
    let draft = dir.join(format!(".{name}.{suffix:016x}.new"));
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(at(&draft))?;
    let linked = file
        .write_all(line.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&draft, &path));
    let removed = fs::remove_file(&draft);
    let created = match linked {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
        Err(error) => return Err(at(&path)(error)),
    };
    removed.map_err(at(&draft))?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(at(dir))?;
    Ok(created)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    let path = path.to_owned();
    move |source| KeyError::Io { path, source }
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
