//! The files of the master keys: `master-0001.key`, `master-0002.key`, …, each 32 random bytes in base64, mode 0600.
//!
//! What they are for is the concern of [`crate::vault`].

use std::fs;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::keys::{KeyError, add as add_file, create, file_name, files, open_directory, read};
use super::random;

const MASTER: &str = "master";
/// The length of a master key, in bytes.
const LENGTH: usize = 32;

/// A key, and the file it stands in.
type Kept = (PathBuf, Zeroizing<Vec<u8>>);

/// Reads the keys in `dir`, oldest first; makes the first one if there is none.
pub(crate) fn open_or_create(dir: &Path) -> Result<Vec<Kept>, KeyError> {
    open_directory(dir)?;
    if files(dir, MASTER)?.is_empty() {
        create(dir, &file_name(MASTER, 1), &Zeroizing::new(random::<LENGTH>()?)[..])?;
    }
    files(dir, MASTER)?.into_iter().map(|(_, path)| read(&path).map(|key| (path, key))).collect()
}

/// Adds a key under the next number.
pub(crate) fn add(dir: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    open_directory(dir)?;
    let key = Zeroizing::new(random::<LENGTH>()?);
    add_file(dir, MASTER, &key[..])?;
    Ok(Zeroizing::new(key.to_vec()))
}

/// Takes the file of a key away: overwritten first, as far as the disk does what it is told.
pub(crate) fn remove(path: &Path) -> Result<(), KeyError> {
    // Under another name first, so that what is half-way gone is never taken for a key.
    let going = path.with_extension("gone");
    let gone = fs::rename(path, &going)
        .and_then(|()| fs::write(&going, [b'A'; 44]))
        .and_then(|()| fs::remove_file(&going));
    gone.map_err(|source| KeyError::Io { path: path.to_owned(), source })
}
