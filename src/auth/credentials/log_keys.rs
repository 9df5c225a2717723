//! The keys that sign the log: `log-0001.key`, `log-0002.key`, … (the text of a note signer key, as Go's `sumdb/note` reads
//! it; base64, as in the other key files).
//!
//! All of them sign every checkpoint. To replace a key, one is added; once everybody who checks the log knows it, the old file
//! may be taken away. What the old key signed stays good for whoever knows it.

use std::path::Path;

use zeroize::Zeroizing;

use super::keys::{KeyError, add as add_file, create, file_name, files, read};
use super::random;
use crate::tlog::SigningKey;

const LOG: &str = "log";

/// Reads the log's keys, first making one if there is none.
pub(super) fn open_or_create(dir: &Path, origin: Option<&str>) -> Result<Vec<SigningKey>, KeyError> {
    if files(dir, LOG)?.is_empty() {
        let name = match origin {
            Some(name) => name.to_owned(),
            None => format!("temwen-{:016x}.invalid/v1/log", u64::from_be_bytes(random()?)),
        };
        create(dir, &file_name(LOG, 1), made(&name)?.to_text().as_bytes())?;
    }
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

/// Adds a key of the same log; its verifier key.
pub(super) fn add(dir: &Path) -> Result<String, KeyError> {
    let keys = open_or_create(dir, None)?;
    let name = keys.first().map(SigningKey::name).unwrap_or_default();
    let key = made(name)?;
    let text: Zeroizing<String> = key.to_text();
    add_file(dir, LOG, text.as_bytes())?;
    Ok(key.verifier().to_string())
}

fn made(name: &str) -> Result<SigningKey, KeyError> {
    SigningKey::generate(name).map_err(|_| KeyError::LogName(name.to_owned()))
}
