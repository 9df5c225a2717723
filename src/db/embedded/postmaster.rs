//! The running server process: adopting it, starting it, waiting for it, ending it.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::PORT;
use super::cluster::Cluster;
use super::failure::Failure;
use super::places::Places;
use super::signs::{ANSWERS_WITHIN, PidFile, Status, Who, answers, lives, orphans, who_is};

/// How long to look away between two looks.
const PAUSE: Duration = Duration::from_millis(5);
/// How long Postgres may take to be ready: after a crash it first replays what it had written ahead.
const READY_WITHIN: Duration = Duration::from_mins(10);
/// How long a fast shutdown may take: it includes a checkpoint.
const STOPPED_WITHIN: Duration = Duration::from_mins(1);
/// How long what a dead postmaster left running may take to notice before it is told.
const ORPHANS_LEAVE_WITHIN: Duration = Duration::from_secs(2);
/// How often, and after what pause each, a start is repeated that failed: what was left of a crash may still hold the
/// shared memory, where we cannot see it.
const AGAIN_AFTER: [Duration; 3] =
    [Duration::from_millis(300), Duration::from_secs(1), Duration::from_secs(3)];

/// A postmaster that runs, or ran when last looked at.
#[derive(Debug)]
pub(super) struct Postmaster {
    pid: i32,
    /// Present if it is our own child, who must be waited for when it dies.
    child: Option<Child>,
    pub(super) socket_dir: PathBuf,
}

impl Postmaster {
    /// The postmaster of this cluster that somebody else has started, once it is ready; none if none runs.
    /// To be called with the lifecycle lock held.
    pub(super) fn adopt(places: &Places) -> Result<Option<Self>, Failure> {
        let since = Instant::now();
        while let Some(file) = PidFile::read(&places.cluster) {
            let socket_dir = file.socket_dir.clone().unwrap_or_else(|| places.socket_dir.clone());
            if !lives(file.pid, &places.cluster, &socket_dir) {
                return Ok(None);
            }
            match file.status {
                // It may be dying at this moment: only one that answers is of use.
                Status::Ready if file.port == Some(PORT) && answers(&socket_dir) => {
                    tracing::info!(pid = file.pid, "using the private PostgreSQL that runs already");
                    return Ok(Some(Self { pid: file.pid, child: None, socket_dir }));
                }
                Status::Ready if file.port != Some(PORT) || since.elapsed() > ANSWERS_WITHIN * 2 => {
                    return Err(Failure::Unreachable { cluster: places.cluster.clone(), pid: file.pid });
                }
                // Or somebody who has ended since has begun to start or stop it: see what comes of it.
                _ if since.elapsed() < READY_WITHIN => {
                    std::thread::sleep(PAUSE);
                }
                _ => return Err(not_ready(file.pid, places)),
            }
        }
        Ok(None)
    }

    /// Starts Postgres and waits until it is ready. To be called with the lifecycle lock held and when none runs.
    pub(super) fn start(cluster: &Cluster) -> Result<Self, Failure> {
        let places = &cluster.places;
        dismiss_orphans(&places.cluster);
        for pause in AGAIN_AFTER {
            match Self::start_once(cluster) {
                Err(Failure::NotStarted { said, .. }) => {
                    tracing::warn!(said, "PostgreSQL did not start; trying again");
                    std::thread::sleep(pause);
                }
                started => return started,
            }
        }
        Self::start_once(cluster)
    }

    fn start_once(cluster: &Cluster) -> Result<Self, Failure> {
        let places = &cluster.places;
        disown_stale_pid(places)?;
        let since = Instant::now();
        let (mut child, log) = cluster.spawn()?;
        let pid = i32::try_from(child.id()).unwrap_or(i32::MAX);
        loop {
            if !matches!(child.try_wait(), Ok(None)) {
                return Err(Failure::NotStarted { said: log.complaint(), log: places.log.clone() });
            }
            match PidFile::read(&places.cluster) {
                Some(file) if file.pid == pid && file.status == Status::Ready => break,
                _ if since.elapsed() < READY_WITHIN => std::thread::sleep(PAUSE),
                _ => return Err(not_ready(pid, places)),
            }
        }
        let took = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(pid, took_ms = took, "the private PostgreSQL is ready");
        Ok(Self { pid, child: Some(child), socket_dir: places.socket_dir.clone() })
    }

    /// Whether it still runs; a child of ours that does not is buried.
    pub(super) fn runs(&mut self, places: &Places) -> bool {
        match &mut self.child {
            Some(child) => matches!(child.try_wait(), Ok(None)),
            None => lives(self.pid, &places.cluster, &self.socket_dir),
        }
    }

    /// Ends it: its clients are cut off, what is committed is written out. Waits until it is gone.
    pub(super) fn stop(mut self, places: &Places) -> Result<(), Failure> {
        if !self.runs(places) {
            return Ok(());
        }
        // Alive, but not by this number: it is in another container, and the number here may be anybody's.
        if self.child.is_none() && matches!(who_is(self.pid, &places.cluster), Who::Nobody | Who::Stranger) {
            return Err(Failure::Unreachable { cluster: places.cluster.clone(), pid: self.pid });
        }
        match kill(Pid::from_raw(self.pid), Signal::SIGINT) {
            // Gone in between.
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => return Err(Failure::file("stop PostgreSQL in", &places.cluster)(error.into())),
        }
        let since = Instant::now();
        while self.runs(places) {
            if since.elapsed() > STOPPED_WITHIN {
                let pid = self.pid;
                self.leave();
                return Err(Failure::NotStopped { pid, seconds: STOPPED_WITHIN.as_secs() });
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Leaves it running for others. If it is our child, a thread buries it should it die before us.
    pub(super) fn leave(self) {
        if let Some(mut child) = self.child {
            // Without the thread it is buried when we end, which does no harm.
            let _ = std::thread::Builder::new().spawn(move || child.wait());
        }
    }
}

fn not_ready(pid: i32, places: &Places) -> Failure {
    Failure::NotReady { pid, seconds: READY_WITHIN.as_secs(), log: places.log.clone() }
}

/// Sees to it that nothing of a killed postmaster still works on the cluster: the others notice its death by
/// themselves, but one that is busy may take long, and no new one starts beside it.
fn dismiss_orphans(cluster: &Path) {
    let since = Instant::now();
    let mut told = false;
    loop {
        let orphans = orphans(cluster);
        if orphans.is_empty() || since.elapsed() > ORPHANS_LEAVE_WITHIN * 3 {
            return;
        }
        if !told && since.elapsed() > ORPHANS_LEAVE_WITHIN {
            told = true;
            for pid in orphans {
                tracing::warn!(pid, "ending a process that outlived its PostgreSQL");
                // What a postmaster itself tells the others when one of them crashes. Who is gone needs no telling.
                let _ = kill(Pid::from_raw(pid), Signal::SIGQUIT);
            }
        }
        std::thread::sleep(PAUSE);
    }
}

/// Whether `postmaster.pid` is stale is for Postgres to judge, by the process and the shared memory it names. But two
/// cases it leaves to a person: a number that another program of the same user has got since, which is common where
/// numbers are few, as in a container; and a file left empty by a power cut.
fn disown_stale_pid(places: &Places) -> Result<(), Failure> {
    let path = places.cluster.join("postmaster.pid");
    let rewrite = || {
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            read => read?,
        };
        let Some(file) = PidFile::parse(&bytes) else {
            // Somebody may be about to fill it.
            std::thread::sleep(Duration::from_millis(500));
            return if fs::read(&path)?.iter().all(|byte| *byte == 0) {
                fs::remove_file(&path)
            } else {
                Ok(())
            };
        };
        if who_is(file.pid, &places.cluster) != Who::Stranger {
            return Ok(());
        }
        // Our own number, Postgres knows as that of its parent, which is no postmaster; so it goes on to judge the rest.
        let rest =
            bytes.iter().position(|byte| *byte == b'\n').and_then(|end| bytes.get(end..)).unwrap_or_default();
        let new = places.cluster.join("postmaster.pid.new");
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600).custom_flags(OFlag::O_NOFOLLOW.bits());
        let mut file = options.open(&new)?;
        file.write_all(&[std::process::id().to_string().as_bytes(), rest].concat())?;
        let owner = fs::metadata(&path)?;
        fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
        fs::rename(&new, &path)
    };
    rewrite().map_err(Failure::file("judge", &path))
}
