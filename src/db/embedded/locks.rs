//! Who may do what with a data directory at the same time.
//!
//! All locks are `flock`s: the kernel lets go of them when their holder ends, however it ends. While we live they are
//! let go explicitly, since merely closing the file leaves the lock to a child that another thread is just forking.
//! Always taken in this order: lifecycle, then users.

use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use super::failure::Failure;
use super::places;

/// How long to wait for others who start or stop Postgres; a start may include recovery after a crash.
const PATIENCE: Duration = Duration::from_mins(1);

/// A locked file; unlocked on drop.
#[derive(Debug)]
struct Locked(File);

impl Drop for Locked {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "a lock of the data directory ends only with this process");
        }
    }
}

/// Held by the one server of a data directory; let go when dropped or when the process ends.
#[derive(Debug)]
pub struct ServeLock {
    _file: Locked,
}

/// Makes the caller the only server of this data directory (created if missing), or says who is it already.
pub fn lock_for_serving(data_dir: &Path) -> Result<ServeLock, Failure> {
    let data_dir = places::create_data_dir(data_dir)?;
    let path = data_dir.join("serve.lock");
    let mut file = places::open_own(&path, &data_dir)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // Only to say more: what cannot be read is left unsaid.
            let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            return Err(Failure::Served { data_dir, pid });
        }
        Err(TryLockError::Error(source)) => return Err(Failure::file("lock", &path)(source)),
    }
    let mut file = Locked(file);
    // For whoever is refused; a full disk must not keep a server from starting. Opened for appending: empty it first.
    if let Err(error) = file.0.set_len(0).and_then(|()| writeln!(file.0, "{}", std::process::id())) {
        tracing::warn!(%error, "the data directory cannot be written to");
    }
    Ok(ServeLock { _file: file })
}

/// Held while somebody decides whether Postgres runs, and starts or stops it.
#[derive(Debug)]
pub(super) struct Lifecycle(Locked);

impl Lifecycle {
    /// Waits for others who are starting or stopping Postgres, but not for ever.
    pub(super) fn take(data_dir: &Path) -> Result<Self, Failure> {
        let path = data_dir.join("lifecycle.lock");
        let file = places::open_own(&path, data_dir)?;
        let since = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(Locked(file))),
                Err(TryLockError::WouldBlock) if since.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) => {
                    let (data_dir, seconds) = (data_dir.to_owned(), PATIENCE.as_secs());
                    return Err(Failure::Busy { data_dir, seconds });
                }
                Err(TryLockError::Error(source)) => return Err(Failure::file("lock", &path)(source)),
            }
        }
    }

    /// The same lock, to be handed to a child: it is held until both of us let go.
    pub(super) fn share(&self) -> std::io::Result<File> {
        self.0.0.try_clone()
    }
}

/// Held, together with others, by everybody who uses Postgres.
#[derive(Debug)]
pub(super) struct User(Locked);

impl User {
    /// Joins those who use Postgres; nobody can stop it from now on.
    pub(super) fn join(data_dir: &Path, _held: &Lifecycle) -> Result<Self, Failure> {
        let path = data_dir.join("users.lock");
        let file = places::open_own(&path, data_dir)?;
        // Only who holds the lifecycle lock ever holds this one alone, so this does not wait.
        file.lock_shared().map_err(Failure::file("lock", &path))?;
        Ok(Self(Locked(file)))
    }

    /// Stops being a user, and says whether there is no other.
    pub(super) fn leave(self, _held: &Lifecycle) -> Result<Option<Alone>, std::io::Error> {
        match self.0.0.try_lock() {
            Ok(()) => Ok(Some(Alone(self.0))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// Nobody uses Postgres as long as this is held.
#[derive(Debug)]
pub(super) struct Alone(#[expect(dead_code, reason = "held for its lock, which ends with it")] Locked);
