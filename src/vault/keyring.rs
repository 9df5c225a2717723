//! The master keys, and who keeps them.
//!
//! A master key's id follows from the key itself, so that a wrong key can never stand under a right id. One key is active: it wraps
//! what is new. The others unwrap what they wrapped, until `temwen keys rotate` has rewrapped it.

use std::fmt;
use std::path::PathBuf;

use aws_lc_rs::aead::{AES_256_GCM, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::KEY;
use crate::auth::credentials::{KeyError, master_keys};

/// Why the master keys could not be used. No message holds a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The key directory could not be used.
    #[error(transparent)]
    Directory(#[from] KeyError),
    /// A key that was given in a setting is none.
    #[error("key {place} of TEMWEN_MASTER_KEYS is not 32 bytes in base64")]
    Malformed {
        /// Which one, from 1.
        place: usize,
    },
    /// No key was given at all.
    #[error("TEMWEN_MASTER_KEYS holds no key")]
    Empty,
    /// Keys that are given in a setting are added and removed there.
    #[error("the master keys are given in TEMWEN_MASTER_KEYS: {0} there, and start the servers again")]
    Given(&'static str),
    /// There is no such key.
    #[error("the keyring has no master key {0}")]
    Unknown(String),
    /// The active key cannot be taken away.
    #[error("the master key {0} is the active one; `temwen keys rotate` first")]
    Active(String),
}

/// What a master key is called: the first 16 hexadecimal digits of a digest of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterId(String);

impl MasterId {
    fn of(key: &[u8]) -> Self {
        let digest = digest(&SHA256, &Zeroizing::new([b"temwen master key v1".as_slice(), key].concat()));
        let head = digest.as_ref().first_chunk::<8>().copied().unwrap_or_default();
        Self(format!("{:016x}", u64::from_be_bytes(head)))
    }

    /// As a word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MasterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A master key. Its memory is wiped when it is dropped; it is never shown.
pub struct MasterKey {
    id: MasterId,
    key: RandomizedNonceKey,
}

impl MasterKey {
    /// The key that these bytes are, if there are as many as a key has.
    pub fn new(secret: &[u8]) -> Option<Self> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, secret).ok().filter(|_| secret.len() == KEY)?;
        Some(Self { id: MasterId::of(secret), key })
    }

    /// What it is called.
    pub fn id(&self) -> &MasterId {
        &self.id
    }

    pub(super) fn key(&self) -> &RandomizedNonceKey {
        &self.key
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

/// The master keys; one of them wraps what is new.
#[derive(Debug)]
pub struct Keyring {
    active: MasterKey,
    others: Vec<MasterKey>,
}

impl Keyring {
    /// These keys, of which `active` wraps.
    pub fn new(active: MasterKey, others: Vec<MasterKey>) -> Self {
        Self { active, others }
    }

    /// The key that wraps what is new.
    pub fn active(&self) -> &MasterKey {
        &self.active
    }

    /// The key of this id, if it is here.
    pub fn find(&self, id: &str) -> Option<&MasterKey> {
        self.all().find(|key| key.id.as_str() == id)
    }

    fn all(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&self.active).chain(&self.others)
    }

    /// The ids of all keys, the active one first.
    pub fn ids(&self) -> Vec<&str> {
        self.all().map(|key| key.id.as_str()).collect()
    }
}

/// Who keeps the master keys: a directory, the environment, or a key management service that hands them over at start.
///
/// A service that unwraps in its own hardware is asked for the master keys once, at start and on [`super::Vault::look`]: never
/// inside a transaction.
pub trait Custodian: Send + Sync {
    /// The keys of this moment. May wait for files or for the network.
    fn keyring(&self) -> Result<Keyring, KeyringError>;
    /// Makes another key, active from then on.
    fn add(&self) -> Result<MasterId, KeyringError>;
    /// Takes a key away for ever.
    fn remove(&self, id: &str) -> Result<(), KeyringError>;
}

/// Keys in a directory: `master-0001.key`, `master-0002.key`, … (mode 0600). The highest number is the active one; the first is
/// made when there is none.
#[derive(Debug, Clone)]
pub struct Directory(pub PathBuf);

impl Directory {
    fn keys(&self) -> Result<Vec<(PathBuf, MasterKey)>, KeyringError> {
        let read = |(path, secret): (PathBuf, Zeroizing<Vec<u8>>)| match MasterKey::new(&secret) {
            Some(key) => Ok((path, key)),
            None => Err(KeyError::Malformed(path).into()),
        };
        master_keys::open_or_create(&self.0)?.into_iter().map(read).collect()
    }
}

impl Custodian for Directory {
    fn keyring(&self) -> Result<Keyring, KeyringError> {
        let mut keys: Vec<MasterKey> = self.keys()?.into_iter().map(|(_, key)| key).collect();
        let active = keys.pop().ok_or(KeyringError::Empty)?;
        keys.reverse();
        Ok(Keyring::new(active, keys))
    }

    fn add(&self) -> Result<MasterId, KeyringError> {
        let secret = master_keys::add(&self.0)?;
        Ok(MasterId::of(&secret))
    }

    fn remove(&self, id: &str) -> Result<(), KeyringError> {
        let keys = self.keys()?;
        if keys.last().is_some_and(|(_, key)| key.id.as_str() == id) {
            return Err(KeyringError::Active(id.to_owned()));
        }
        match keys.iter().find(|(_, key)| key.id.as_str() == id) {
            Some((path, _)) => Ok(master_keys::remove(path)?),
            None => Err(KeyringError::Unknown(id.to_owned())),
        }
    }
}

/// Keys from a setting: each 32 bytes in base64, with commas between; the first is the active one.
pub struct Given(pub SecretString);

impl Custodian for Given {
    fn keyring(&self) -> Result<Keyring, KeyringError> {
        let mut keys = Vec::new();
        for (place, text) in
            self.0.expose_secret().split(',').map(str::trim).filter(|text| !text.is_empty()).enumerate()
        {
            let malformed = || KeyringError::Malformed { place: place + 1 };
            let secret = STANDARD.decode(text).map(Zeroizing::new).map_err(|_| malformed())?;
            keys.push(MasterKey::new(&secret).ok_or_else(malformed)?);
        }
        if keys.is_empty() {
            return Err(KeyringError::Empty);
        }
        let active = keys.remove(0);
        Ok(Keyring::new(active, keys))
    }

    fn add(&self) -> Result<MasterId, KeyringError> {
        Err(KeyringError::Given("put a new key first"))
    }

    fn remove(&self, _: &str) -> Result<(), KeyringError> {
        Err(KeyringError::Given("take the key away"))
    }
}
