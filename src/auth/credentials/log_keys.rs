//! The keys that sign the log: `log-0001.key`, `log-0002.key`, … (the text of a note signer key, as Go's `sumdb/note` reads
//! it; base64, as in the other key files).
//!
//! All of them sign every checkpoint. To replace a key, one is added; once everybody who checks the log knows it, the old file
//! may be taken away. What the old key signed stays good for whoever knows it: so that the server does, `log-0001.pub`, …
//! keep the verifier key of each, a line of text, and stay when the key itself is taken away.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::keys::{
    KeyError, add as add_file, create, create_text, file_name, files, next, numbered, read, text,
};
use super::random;
use crate::tlog::{SigningKey, VerifierKey};

const LOG: &str = "log";

/// Reads the log's keys, first making one if there is none.
pub(super) fn open_or_create(dir: &Path, origin: Option<&str>) -> Result<Vec<SigningKey>, KeyError> {
    // Asked for first: of several that begin a log at once, all mean the same number.
    let number = next(dir, LOG)?;
    if files(dir, LOG)?.is_empty() {
        let name = match origin {
            Some(name) => name.to_owned(),
            None => format!("temwen-{:016x}.invalid/v1/log", u64::from_be_bytes(random()?)),
        };
        create(dir, &file_name(LOG, number), made(&name)?.to_text().as_bytes())?;
    }
    signing(dir, origin)
}

/// The keys that sign, all of one log.
fn signing(dir: &Path, origin: Option<&str>) -> Result<Vec<SigningKey>, KeyError> {
    let mut keys: Vec<SigningKey> = Vec::new();
    for (_, path) in files(dir, LOG)? {
        let text = read(&path)?;
        let text = std::str::from_utf8(&text).map_err(|_| KeyError::Malformed(path.clone()))?;
        let key = SigningKey::parse(text).map_err(|_| KeyError::Malformed(path.clone()))?;
        let wanted = origin.or(keys.first().map(SigningKey::name)).unwrap_or(key.name());
        if key.name() != wanted {
            return Err(KeyError::OtherLog { path, found: key.name().to_owned(), wanted: wanted.to_owned() });
        }
        keys.push(key);
    }
    Ok(keys)
}

/// Writes down what each of these keys is checked with, and says what all are that ever were: of this log or of one before.
pub(super) fn publish(dir: &Path, keys: &[SigningKey]) -> Result<Vec<VerifierKey>, KeyError> {
    let mut known = published(dir)?;
    for ((number, _), key) in files(dir, LOG)?.iter().zip(keys) {
        let key = key.verifier();
        if known.contains(&key) {
            continue;
        }
        let line = key.to_string();
        let mut number = *number;
        // What another key has left there stays; of several that write at once, one does.
        while !create_text(dir, &format!("{LOG}-{number:04}.pub"), &line)? {
            known = published(dir)?;
            if known.contains(&key) {
                break;
            }
            number = next(dir, LOG)?;
        }
        if !known.contains(&key) {
            known.push(key);
        }
    }
    Ok(known)
}

/// Every key of a log that the directory knows, without making or writing anything.
pub(super) fn known(dir: &Path) -> Result<Vec<VerifierKey>, KeyError> {
    let mut known: Vec<VerifierKey> = signing(dir, None)?.iter().map(SigningKey::verifier).collect();
    for key in published(dir)? {
        if !known.contains(&key) {
            known.push(key);
        }
    }
    Ok(known)
}

fn published(dir: &Path) -> Result<Vec<VerifierKey>, KeyError> {
    let one = |(_, path): (u32, PathBuf)| {
        let text = text(&path, 0o022)?;
        let key = std::str::from_utf8(&text).ok().and_then(|text| VerifierKey::parse(text).ok());
        key.ok_or(KeyError::Malformed(path))
    };
    numbered(dir, LOG, ".pub")?.into_iter().map(one).collect()
}

/// Adds a key of the same log; its verifier key.
pub(super) fn add(dir: &Path) -> Result<String, KeyError> {
    let keys = open_or_create(dir, None)?;
    let name = keys.first().map(SigningKey::name).unwrap_or_default();
    let key = made(name)?;
    let text: Zeroizing<String> = key.to_text();
    // So that the new one gets a number that no key had.
    publish(dir, &keys)?;
    add_file(dir, LOG, text.as_bytes())?;
    publish(dir, &open_or_create(dir, None)?)?;
    Ok(key.verifier().to_string())
}

fn made(name: &str) -> Result<SigningKey, KeyError> {
    SigningKey::generate(name).map_err(|_| KeyError::LogName(name.to_owned()))
}
