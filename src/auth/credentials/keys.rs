//! The server's own keys, kept in a directory only it can read.
//!
//! Belongs here: creating, reading and adding key files, and deriving one key per purpose.
//! Does not belong here: the master keys that seal complaints and identities.
//!
//! `token-0001.key`, `token-0002.key`, … each hold an Ed25519 key that signs access tokens (PKCS#8, base64).
//! The highest number signs, all verify: rotation adds a file and, once the last token signed with it has
//! expired, removes the old one. Every server must know a key before any of them signs with it, so servers
//! that share no directory get the file first and are then restarted. `intake.key` holds 32 random bytes,
//! base64.

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

use super::{NoRandomness, first, random, sha256};

/// A key file is a line of base64; what is longer is something else.
const LONGEST_FILE: u64 = 4096;
const INTAKE: &str = "intake.key";

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
}

/// The server's keys. Shows nothing of them when printed; memory is wiped when dropped.
pub struct Keys {
    tokens: Vec<TokenKey>,
    access_codes: hmac::Key,
    cursors: hmac::Key,
    idempotency: hmac::Key,
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
    pub fn open_or_create(dir: &Path) -> Result<Self, KeyError> {
        open_directory(dir)?;
        if token_files(dir)?.is_empty() {
            create(dir, &token_file(1), &new_token_key()?)?;
        }
        let tokens: Result<Vec<_>, _> =
            token_files(dir)?.into_iter().map(|(_, path)| TokenKey::read(&path)).collect();
        let intake = dir.join(INTAKE);
        let secret = match read(&intake) {
            Err(KeyError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                create(dir, INTAKE, &Zeroizing::new(random::<32>()?)[..])?;
                read(&intake)?
            }
            other => other?,
        };
        if secret.len() != 32 {
            return Err(KeyError::Malformed(intake));
        }
        let root = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        Ok(Self {
            tokens: tokens?,
            access_codes: derive(&root, "temwen access code v1"),
            cursors: derive(&root, "temwen cursor v1"),
            idempotency: derive(&root, "temwen idempotency key v1"),
        })
    }

    /// Adds a key that signs access tokens from the next start on, and says its `kid`.
    pub fn add_token_key(dir: &Path) -> Result<String, KeyError> {
        open_directory(dir)?;
        let key = new_token_key()?;
        loop {
            let number = token_files(dir)?.last().map_or(1, |(number, _)| number.saturating_add(1));
            let name = token_file(number);
            if create(dir, &name, &key)? {
                return Ok(TokenKey::read(&dir.join(name))?.kid);
            }
        }
    }

    /// The keyed digest (HMAC-SHA-256) of some parts, for one purpose. Each part goes in with its length, so
    /// no two lists of parts are confused.
    pub fn digest(&self, purpose: Purpose, parts: &[&[u8]]) -> [u8; 32] {
        let key = match purpose {
            Purpose::AccessCode => &self.access_codes,
            Purpose::Cursor => &self.cursors,
            Purpose::IdempotencyKey => &self.idempotency,
        };
        let mut context = hmac::Context::with_key(key);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        first(context.sign().as_ref())
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

fn token_file(number: u32) -> String {
    format!("token-{number:04}.key")
}

/// The files with token keys and their numbers, oldest first.
fn token_files(dir: &Path) -> Result<Vec<(u32, PathBuf)>, KeyError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(at(dir))? {
        let entry = entry.map_err(at(dir))?;
        let name = entry.file_name();
        let number =
            name.to_str().and_then(|name| name.strip_prefix("token-")?.strip_suffix(".key")?.parse().ok());
        if let Some(number) = number {
            files.push((number, entry.path()));
        }
    }
    files.sort();
    Ok(files)
}

fn open_directory(dir: &Path) -> Result<(), KeyError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(at(dir))?;
    match fs::metadata(dir).map_err(at(dir))?.mode() & 0o022 {
        0 => Ok(()),
        _ => Err(KeyError::ExposedDirectory(dir.to_owned())),
    }
}

/// The bytes in a key file, unless others may read it. The handle is asked, not the name, so the file cannot
/// be exchanged between the question and the reading.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let file = File::open(path).map_err(at(path))?;
    let metadata = file.metadata().map_err(at(path))?;
    if metadata.mode() & 0o077 != 0 {
        return Err(KeyError::Exposed(path.to_owned()));
    }
    // Room for all of it at once: a buffer that grows leaves copies of the key behind.
    let mut text = Zeroizing::new(Vec::with_capacity(8192));
    file.take(LONGEST_FILE).read_to_end(&mut text).map_err(at(path))?;
    STANDARD.decode(text.trim_ascii()).map(Zeroizing::new).map_err(|_| KeyError::Malformed(path.to_owned()))
}

/// Writes a key file that appears whole or not at all, and only if there is none of that name: a link, unlike
/// a renaming, never replaces. Says whether this call made it.
fn create(dir: &Path, name: &str, key: &[u8]) -> Result<bool, KeyError> {
    let path = dir.join(name);
    let suffix = u64::from_be_bytes(random()?);
    let draft = dir.join(format!(".{name}.{suffix:016x}.new"));
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(at(&draft))?;
    let mut text = Zeroizing::new(String::with_capacity(2 * key.len() + 8));
    STANDARD.encode_string(key, &mut text);
    text.push('\n');
    let linked = file
        .write_all(text.as_bytes())
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
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Barrier;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    fn kids(keys: &Keys) -> Vec<String> {
        keys.tokens().iter().map(|key| key.kid.clone()).collect()
    }

    #[test]
    fn keys_are_made_once_for_the_owner_alone_and_read_ever_after() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("a/keys");
        let first = Keys::open_or_create(&dir).unwrap();
        let second = Keys::open_or_create(&dir).unwrap();
        assert_eq!(kids(&first), kids(&second));
        assert_eq!(first.digest(Purpose::Cursor, &[b"x"]), second.digest(Purpose::Cursor, &[b"x"]));
        assert_eq!(mode(&dir), 0o700);
        let mut names: Vec<_> = fs::read_dir(&dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["intake.key", "token-0001.key"]);
        assert!(names.iter().all(|name| mode(&dir.join(name)) == 0o600));
    }

    #[test]
    fn a_key_others_can_read_is_refused_and_the_sentence_says_what_to_do() {
        for name in ["intake.key", "token-0001.key"] {
            for exposed in [0o644, 0o640, 0o604, 0o620] {
                let dir = tempfile::tempdir().unwrap();
                Keys::open_or_create(dir.path()).unwrap();
                fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(exposed)).unwrap();
                let error = Keys::open_or_create(dir.path()).unwrap_err();
                assert!(matches!(error, KeyError::Exposed(_)));
                assert!(error.to_string().contains("chmod 600"), "{error}");
            }
        }
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o770)).unwrap();
        assert!(matches!(Keys::open_or_create(dir.path()), Err(KeyError::ExposedDirectory(_))));
    }

    #[test]
    fn what_is_no_key_is_refused_rather_than_replaced() {
        for (name, text) in [
            ("intake.key", ""),
            ("intake.key", "c2hvcnQ="),
            ("token-0001.key", "c2hvcnQ="),
            ("token-0001.key", "é"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            Keys::open_or_create(dir.path()).unwrap();
            fs::write(dir.path().join(name), text).unwrap();
            assert!(
                matches!(Keys::open_or_create(dir.path()), Err(KeyError::Malformed(_))),
                "{name}: {text}"
            );
            assert_eq!(fs::read_to_string(dir.path().join(name)).unwrap(), text);
        }
    }

    #[test]
    fn of_many_that_start_at_once_all_end_with_the_same_keys() {
        for _ in 0..10 {
            let dir = tempfile::tempdir().unwrap();
            let start = Barrier::new(8);
            let ends: Vec<_> = std::thread::scope(|scope| {
                let one = || {
                    start.wait();
                    let keys = Keys::open_or_create(dir.path()).unwrap();
                    (kids(&keys), keys.digest(Purpose::AccessCode, &[]))
                };
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert!(ends.iter().all(|end| *end == ends[0] && end.0.len() == 1));
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "no drafts are left behind");
        }
    }

    #[test]
    fn an_added_key_signs_and_the_old_one_still_verifies() {
        let dir = tempfile::tempdir().unwrap();
        let old = kids(&Keys::open_or_create(dir.path()).unwrap());
        let new = Keys::add_token_key(dir.path()).unwrap();
        assert_eq!(kids(&Keys::open_or_create(dir.path()).unwrap()), [old[0].clone(), new]);
    }

    #[test]
    fn purposes_and_parts_are_kept_apart() {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::open_or_create(dir.path()).unwrap();
        let digests = [
            keys.digest(Purpose::AccessCode, &[b"ab"]),
            keys.digest(Purpose::Cursor, &[b"ab"]),
            keys.digest(Purpose::IdempotencyKey, &[b"ab"]),
            keys.digest(Purpose::Cursor, &[b"a", b"b"]),
            keys.digest(Purpose::Cursor, &[b"", b"ab"]),
        ];
        for (i, one) in digests.iter().enumerate() {
            assert!(digests.iter().skip(i + 1).all(|other| other != one));
        }
        assert!(!format!("{keys:?}").contains("private"));
    }
}
