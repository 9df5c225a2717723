//! What tells whether a postmaster lives: its pid file, its process, its socket.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::PORT;

/// How long the postmaster may take to answer at its socket.
pub(super) const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Starting,
    Ready,
    Stopping,
}

/// What `postmaster.pid` says.
#[derive(Debug)]
pub(super) struct PidFile {
    pub(super) pid: i32,
    pub(super) port: Option<u16>,
    pub(super) socket_dir: Option<PathBuf>,
    pub(super) status: Status,
}

impl PidFile {
    /// None if there is no such file, or none that names a postmaster.
    pub(super) fn read(cluster: &Path) -> Option<Self> {
        Self::parse(&fs::read(cluster.join("postmaster.pid")).ok()?)
    }

    /// Its lines: process, directory, time of start, port, socket directory, address, shared memory, status.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let line = |index| bytes.split(|byte| *byte == b'\n').nth(index).map(<[u8]>::trim_ascii);
        let text = |index| line(index).and_then(|line| std::str::from_utf8(line).ok());
        Some(Self {
            pid: text(0)?.parse().ok().filter(|pid| *pid > 0)?,
            port: text(3).and_then(|port| port.parse().ok()),
            socket_dir: line(4)
                .filter(|path| !path.is_empty())
                .map(|path| PathBuf::from(std::ffi::OsStr::from_bytes(path))),
            status: match text(7) {
                Some("ready" | "standby") => Status::Ready,
                Some("stopping") => Status::Stopping,
                _ => Status::Starting,
            },
        })
    }
}

/// Who has a process id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Nobody, or somebody dead.
    Nobody,
    /// A postmaster of this cluster.
    Ours,
    /// A process that has nothing to do with this cluster.
    Stranger,
    /// This system, or our rights on it, do not tell.
    Unclear,
}

/// Whether the postmaster with this id, of this cluster, is alive.
pub(super) fn lives(pid: i32, cluster: &Path, socket_dir: &Path) -> bool {
    match who_is(pid, cluster) {
        Who::Ours => true,
        // It may also be in another container, where its number means nothing to us: nobody but Postgres can listen
        // in this directory.
        Who::Nobody | Who::Stranger | Who::Unclear => answers(socket_dir),
    }
}

/// Whether a postmaster answers at this socket, to the shortest question there is: whether it would encrypt.
pub(super) fn answers(socket_dir: &Path) -> bool {
    let ask = || {
        let mut stream = UnixStream::connect(socket_dir.join(format!(".s.PGSQL.{PORT}")))?;
        stream.set_read_timeout(Some(ANSWERS_WITHIN))?;
        // SSLRequest of the frontend/backend protocol: its length, and 80877103.
        stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47])?;
        stream.read_exact(&mut [0])
    };
    ask().is_ok()
}

pub(super) fn who_is(pid: i32, cluster: &Path) -> Who {
    if kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH) {
        return Who::Nobody;
    }
    let Some(command_line) = command_line(pid) else { return Who::Unclear };
    let mut words = command_line.split(|byte| *byte == 0);
    let program = words.next().map(|word| Path::new(std::ffi::OsStr::from_bytes(word)));
    match program.and_then(Path::file_name).and_then(std::ffi::OsStr::to_str) {
        Some("postgres" | "postmaster") => {}
        Some(_) => return Who::Stranger,
        // The dead have none.
        None => return Who::Nobody,
    }
    match works_in(pid, cluster) {
        Ok(true) => Who::Ours,
        Ok(false) => Who::Stranger,
        // Root in a container may be forbidden to look, but not to read the command line.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let named = words.any(|word| word == cluster.as_os_str().as_bytes());
            if named { Who::Ours } else { Who::Unclear }
        }
        Err(_) => Who::Nobody,
    }
}

/// The command line of a process as its system keeps it; none if there is no `/proc` or no such process.
fn command_line(pid: i32) -> Option<Vec<u8>> {
    fs::read(format!("/proc/{pid}/cmdline")).ok()
}

/// Whether a process has this directory as its own, as all of Postgres have their cluster.
fn works_in(pid: i32, cluster: &Path) -> std::io::Result<bool> {
    let (its, ours) = (fs::metadata(format!("/proc/{pid}/cwd"))?, fs::metadata(cluster)?);
    Ok((its.dev(), its.ino()) == (ours.dev(), ours.ino()))
}

/// The processes of Postgres that work in this cluster, as far as the system shows them.
pub(super) fn orphans(cluster: &Path) -> Vec<i32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let ours = |pid: &i32| {
        command_line(*pid).is_some_and(|line| line.starts_with(b"postgres:"))
            && works_in(*pid, cluster).is_ok_and(|works| works)
    };
    pids.filter(ours).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_is_read_whole_or_in_part() {
        let whole = PidFile::parse(b"17\n/data\n1700000000\n5432\n/s\n\n  123  4\nready   \n").unwrap();
        assert_eq!((whole.pid, whole.port, whole.status), (17, Some(5432), Status::Ready));
        assert_eq!(whole.socket_dir.as_deref(), Some(Path::new("/s")));
        let part = PidFile::parse(b"17\n/data\n17").unwrap();
        assert_eq!((part.port, part.status), (None, Status::Starting));
        assert!(PidFile::parse(b"").is_none() && PidFile::parse(b"-17\n").is_none());
    }

    #[test]
    fn a_process_that_is_no_postgres_is_a_stranger() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(who_is(own, Path::new("/")), Who::Stranger);
        assert_eq!(who_is(i32::MAX, Path::new("/")), Who::Nobody);
    }
}
