//! The vault: what is sealed, and with which key.
//!
//! A *master key* wraps *data keys*; each matter has a data key of its own, and that seals its fields. A sealed value is bound to
//! the table, column and row it stands in, so that it opens nowhere else. Destroying a data key destroys what it sealed, in every
//! copy that is made from then on.
//!
//! Belongs here: sealing, opening, wrapping, and the keyring. Does not belong here: where keys and sealed values are kept; see
//! [`crate::db::data_keys`]. May touch: well-kept cryptography. Knows no SQL, no HTTP and no feature.

pub mod keyring;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use uuid::Uuid;
use zeroize::{Zeroize as _, Zeroizing};

use self::keyring::{Custodian, Keyring, KeyringError, MasterId};
use crate::auth::credentials::random;
use crate::error::{Error, Kind};

/// The first byte of every sealed value: how the rest is to be read.
const FORMAT: u8 = 1;
/// Format, key id, nonce.
const HEAD: usize = 1 + 16 + NONCE_LEN;
const TAG: usize = 16;
/// The length of a key, in bytes: AES-256.
pub const KEY: usize = 32;

/// Why something could not be sealed or opened. Says nothing of what it holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The data key was destroyed, and with it what it sealed.
    #[error("what was sealed here was erased: its data key {0} is destroyed")]
    Erased(Uuid),
    /// The keyring does not have the master key that wrapped the data key.
    #[error("the keyring lacks the master key {0}")]
    MissingMaster(String),
    /// It was sealed with another data key than the one at hand.
    #[error("this was sealed with the data key {found}, not with {wanted}")]
    OtherKey {
        /// The key it names.
        found: Uuid,
        /// The key at hand.
        wanted: Uuid,
    },
    /// It was changed, cut off, or moved here from another place.
    #[error("what is sealed in {0} was changed, or does not belong there")]
    Broken(&'static str),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    NoRandomness,
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Erased(_) => {
                Self::new(Kind::Erased, "this was erased: its key is destroyed, and with it the words")
                    .because(fault)
            }
            // Another server may have begun to use a newer key; this one has it in a moment, or its operator reads which it lacks.
            Fault::MissingMaster(_) => Self::unavailable(5).because(fault),
            _ => Self::internal(fault),
        }
    }
}

/// Where a sealed value stands. It opens nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The row.
    pub row: Uuid,
}

impl Place {
    /// A column of a row of a table.
    pub fn new(table: &'static str, column: &'static str, row: impl Into<Uuid>) -> Self {
        Self { table, column, row: row.into() }
    }

    /// The associated data of a value that stands here, sealed with `key`.
    fn bound(self, key: Uuid) -> Vec<u8> {
        let mut bound = Vec::with_capacity(128);
        for part in [
            b"temwen sealed v1".as_slice(),
            key.as_bytes(),
            self.table.as_bytes(),
            self.column.as_bytes(),
            self.row.as_bytes(),
        ] {
            bound.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bound.extend_from_slice(part);
        }
        bound
    }
}

/// A data key as it is stored: wrapped by a master key, or destroyed.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// Its id.
    pub id: Uuid,
    /// The master key that wrapped it.
    pub master: String,
    /// `None` once it was destroyed.
    pub wrapped: Option<Vec<u8>>,
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrappedKey")
            .field("id", &self.id)
            .field("master", &self.master)
            .finish_non_exhaustive()
    }
}

/// The key that seals what belongs to one matter. Wiped from memory when the last holder lets go of it; never shown.
#[derive(Clone)]
pub struct DataKey(Arc<Inner>);

struct Inner {
    id: Uuid,
    secret: Zeroizing<[u8; KEY]>,
    sealing: RandomizedNonceKey,
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({})", self.0.id)
    }
}

/// Seals with a key of AES-256-GCM under a nonce of its own: head, ciphertext, tag.
fn seal_with(key: &RandomizedNonceKey, id: Uuid, place: Place, plain: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut text = Zeroizing::new(Vec::with_capacity(plain.len() + TAG));
    text.extend_from_slice(plain);
    let nonce = key
        .seal_in_place_append_tag(Aad::from(place.bound(id)), &mut *text)
        .map_err(|_| Fault::NoRandomness)?;
    let mut sealed = Vec::with_capacity(HEAD + text.len());
    sealed.push(FORMAT);
    sealed.extend_from_slice(id.as_bytes());
    sealed.extend_from_slice(nonce.as_ref());
    sealed.extend_from_slice(&text);
    Ok(sealed)
}

fn open_with(
    key: &RandomizedNonceKey,
    id: Uuid,
    place: Place,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let broken = || Fault::Broken(place.table);
    let found = key_id(sealed).ok_or_else(broken)?;
    if found != id {
        return Err(Fault::OtherKey { found, wanted: id });
    }
    let (head, text) = sealed.split_at_checked(HEAD).ok_or_else(broken)?;
    let nonce = head.last_chunk::<NONCE_LEN>().ok_or_else(broken)?;
    let mut text = Zeroizing::new(text.to_vec());
    let length = key
        .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(place.bound(id)), &mut text)
        .map_err(|_| broken())?
        .len();
    text.truncate(length);
    Ok(text)
}

/// The data key that a sealed value was sealed with, if it is one at all.
pub fn key_id(sealed: &[u8]) -> Option<Uuid> {
    match sealed.split_first()? {
        (&FORMAT, rest) => rest.first_chunk::<16>().map(|id| Uuid::from_bytes(*id)),
        _ => None,
    }
}

impl DataKey {
    fn of(id: Uuid, secret: Zeroizing<[u8; KEY]>) -> Result<Self, Fault> {
        let sealing =
            RandomizedNonceKey::new(&AES_256_GCM, &secret[..]).map_err(|_| Fault::Broken("data_keys"))?;
        Ok(Self(Arc::new(Inner { id, secret, sealing })))
    }

    /// Its id.
    pub fn id(&self) -> Uuid {
        self.0.id
    }

    /// Seals `plain` for one place.
    pub fn seal(&self, place: Place, plain: &[u8]) -> Result<Vec<u8>, Fault> {
        seal_with(&self.0.sealing, self.0.id, place, plain)
    }

    /// Opens what stands in a place.
    pub fn open(&self, place: Place, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        open_with(&self.0.sealing, self.0.id, place, sealed)
    }

    /// Opens the text that stands in a place.
    pub fn open_text(&self, place: Place, sealed: &[u8]) -> Result<String, Fault> {
        let mut plain = self.open(place, sealed)?;
        String::from_utf8(std::mem::take(&mut *plain)).map_err(|error| {
            error.into_bytes().zeroize();
            Fault::Broken(place.table)
        })
    }

    /// A keyed digest (HMAC-SHA-256) of some parts, under a key of its own for each purpose.
    pub fn mark(&self, purpose: &'static str, parts: &[&[u8]]) -> [u8; 32] {
        self.marker(purpose).mark(parts)
    }

    /// What makes keyed digests for one purpose, where many are made.
    pub fn marker(&self, purpose: &'static str) -> Marker {
        let root = hmac::Key::new(hmac::HMAC_SHA256, &self.0.secret[..]);
        let mut context = hmac::Context::with_key(&root);
        context.update(b"temwen mark v1 ");
        context.update(purpose.as_bytes());
        Marker(hmac::Key::new(hmac::HMAC_SHA256, context.sign().as_ref()))
    }
}

/// Makes keyed digests for one purpose.
pub struct Marker(hmac::Key);

impl Marker {
    /// The digest of some parts; each goes in with its length, so that no two lists of parts are confused.
    pub fn mark(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        context.sign().as_ref().first_chunk().copied().unwrap_or_default()
    }
}

impl fmt::Debug for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Marker")
    }
}

/// The master keys, ready to wrap and unwrap.
#[derive(Clone)]
pub struct Vault(Arc<Shared>);

struct Shared {
    custodian: Box<dyn Custodian>,
    ring: RwLock<Arc<Keyring>>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Vault").field(&self.ring().ids()).finish()
    }
}

/// Where a wrapped data key stands, for its associated data.
fn wrapped_at(id: Uuid) -> Place {
    Place::new("data_keys", "wrapped", id)
}

impl Vault {
    /// The vault whose master keys `custodian` keeps.
    ///
    /// # Errors
    /// When the custodian does not hand over its keys.
    pub fn open(custodian: impl Custodian + 'static) -> Result<Self, KeyringError> {
        let ring = custodian.keyring()?;
        Ok(Self(Arc::new(Shared { custodian: Box::new(custodian), ring: RwLock::new(Arc::new(ring)) })))
    }

    /// The master keys of this moment.
    pub fn ring(&self) -> Arc<Keyring> {
        Arc::clone(&self.0.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks the custodian for its keys of this moment. May wait for files or for a key management service.
    pub fn look(&self) -> Result<Keyring, KeyringError> {
        self.0.custodian.keyring()
    }

    /// Uses these keys from now on.
    pub fn take(&self, ring: Keyring) {
        *self.0.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
    }

    /// Has the custodian make another master key, which is the active one from then on; its id.
    pub fn add(&self) -> Result<MasterId, KeyringError> {
        let id = self.0.custodian.add()?;
        self.take(self.look()?);
        Ok(id)
    }

    /// Has the custodian take a master key away for ever. Whoever asks has seen to it that nothing uses it.
    pub fn remove(&self, id: &str) -> Result<(), KeyringError> {
        self.0.custodian.remove(id)?;
        self.take(self.look()?);
        Ok(())
    }

    /// A fresh data key called `id`, wrapped by the active master key.
    pub fn make_key(&self, id: Uuid) -> Result<(DataKey, WrappedKey), Fault> {
        let secret = Zeroizing::new(random::<KEY>().map_err(|_| Fault::NoRandomness)?);
        let wrapped = self.wrap(id, &secret)?;
        Ok((DataKey::of(id, secret)?, wrapped))
    }

    fn wrap(&self, id: Uuid, secret: &[u8; KEY]) -> Result<WrappedKey, Fault> {
        let ring = self.ring();
        let active = ring.active();
        let wrapped = seal_with(active.key(), id, wrapped_at(id), secret)?;
        Ok(WrappedKey { id, master: active.id().to_string(), wrapped: Some(wrapped) })
    }

    /// The data key that is wrapped in `wrapped`.
    ///
    /// # Errors
    /// [`Fault::Erased`] when it was destroyed, [`Fault::MissingMaster`] when the keyring cannot unwrap it, [`Fault::Broken`] when
    /// what is stored was changed.
    pub fn unwrap(&self, wrapped: &WrappedKey) -> Result<DataKey, Fault> {
        DataKey::of(wrapped.id, self.secret(wrapped)?)
    }

    fn secret(&self, wrapped: &WrappedKey) -> Result<Zeroizing<[u8; KEY]>, Fault> {
        let sealed = wrapped.wrapped.as_ref().ok_or(Fault::Erased(wrapped.id))?;
        let ring = self.ring();
        let master =
            ring.find(&wrapped.master).ok_or_else(|| Fault::MissingMaster(wrapped.master.clone()))?;
        let opened = open_with(master.key(), wrapped.id, wrapped_at(wrapped.id), sealed)?;
        let secret: [u8; KEY] = opened.as_slice().try_into().map_err(|_| Fault::Broken("data_keys"))?;
        Ok(Zeroizing::new(secret))
    }

    /// The same data key, wrapped by the active master key.
    pub fn rewrap(&self, wrapped: &WrappedKey) -> Result<WrappedKey, Fault> {
        self.wrap(wrapped.id, &*self.secret(wrapped)?)
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
