//! A private PostgreSQL in a data directory: started, adopted from a process that was killed, or left to others.
//!
//! Belongs here: finding an installation, making the cluster, running it, and sharing it among Temwen processes.
//! Does not belong here: roles, databases and connections in it; see the pool. Knows no other room of the crate.
//! Everything here blocks: from asynchronous code, call it in `spawn_blocking`.
//!
//! Several processes may use one data directory at once, a server and any number of commands. Whoever comes finds
//! Postgres running or starts it; whoever leaves last stops it. How they agree is in `locks`.

mod cluster;
mod failure;
mod locks;
mod owner;
mod places;
mod postmaster;
mod programs;
mod signs;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

pub use failure::Failure;
pub use locks::{ServeLock, lock_for_serving};
pub use places::create_data_dir;

use cluster::Cluster;
use locks::{Lifecycle, User};
use postmaster::Postmaster;

/// The port, which here is only a part of the socket's name.
pub const PORT: u16 = 5432;
/// The name of the superuser.
pub const SUPERUSER: &str = "postgres";

/// What a private PostgreSQL is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where everything is kept; made if missing.
    pub data_dir: PathBuf,
    /// The directory of the programs `postgres` and `initdb`; searched for if none.
    pub bin_dir: Option<PathBuf>,
    /// More settings, such as `fsync` = `off` in tests; they win over ours, and do nothing if Postgres runs already.
    pub settings: Vec<(String, String)>,
}

impl Options {
    /// The usual: programs searched for, no more settings.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into(), bin_dir: None, settings: Vec::new() }
    }
}

/// A share in the private PostgreSQL of a data directory, given up by [`Self::stop`] or on drop.
#[derive(Debug)]
pub struct PrivatePostgres {
    cluster: Cluster,
    socket_dir: PathBuf,
    /// None once given up.
    share: Mutex<Option<Share>>,
}

#[derive(Debug)]
struct Share {
    postmaster: Postmaster,
    user: User,
}

impl PrivatePostgres {
    /// Makes the cluster on first use, starts Postgres unless it runs already, and waits until it is ready: some tens
    /// of milliseconds usually, a few seconds the first time, longer if it must recover from a crash.
    pub fn start(options: Options) -> Result<Self, Failure> {
        let data_dir = create_data_dir(&options.data_dir)?;
        let held = Lifecycle::take(&data_dir)?;
        let user = User::join(&data_dir, &held)?;
        let cluster = Cluster::open(&data_dir, options.bin_dir, options.settings, &held)?;
        let postmaster = match Postmaster::adopt(&cluster.places)? {
            Some(running) => running,
            None => Postmaster::start(&cluster)?,
        };
        let socket_dir = postmaster.socket_dir.clone();
        Ok(Self { cluster, socket_dir, share: Mutex::new(Some(Share { postmaster, user })) })
    }

    /// The directory of the socket, to be given to clients as their host, with [`PORT`] and [`SUPERUSER`].
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// The log of Postgres; it holds starts, stops and crashes, nothing of what is stored.
    pub fn log(&self) -> &Path {
        &self.cluster.places.log
    }

    /// Starts Postgres again if it has died, and says whether that was so. To be called every second or so; costs
    /// nothing worth mentioning while Postgres lives. Other processes may do the same at the same time.
    pub fn ensure_running(&self) -> Result<bool, Failure> {
        let mut share = self.share.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Share { postmaster, .. }) = &mut *share else { return Ok(false) };
        let places = &self.cluster.places;
        if postmaster.runs(places) {
            return Ok(false);
        }
        let _held = Lifecycle::take(&places.data_dir)?;
        if let Some(running) = Postmaster::adopt(places)? {
            *postmaster = running;
            return Ok(false);
        }
        tracing::warn!("the private PostgreSQL has died; starting it again");
        *postmaster = Postmaster::start(&self.cluster)?;
        Ok(true)
    }

    /// Gives up the share, and stops Postgres if nobody else has one: clients are cut off, what is committed is kept.
    pub fn stop(self) -> Result<(), Failure> {
        self.give_up()
    }

    fn give_up(&self) -> Result<(), Failure> {
        let share = self.share.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Share { mut postmaster, user }) = share else { return Ok(()) };
        let places = &self.cluster.places;
        let held = Lifecycle::take(&places.data_dir)?;
        match user.leave(&held).map_err(Failure::file("lock", &places.data_dir))? {
            None => {
                postmaster.leave();
                Ok(())
            }
            Some(_alone) => {
                // Others may have started it again since we last looked.
                if !postmaster.runs(places)
                    && let Some(running) = Postmaster::adopt(places)?
                {
                    postmaster = running;
                }
                postmaster.stop(places)
            }
        }
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        if let Err(failure) = self.give_up() {
            tracing::warn!(%failure, "the private PostgreSQL was left running");
        }
    }
}
