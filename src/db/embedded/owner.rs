//! As whom Postgres's programs run.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::{Uid, User, getegid, geteuid};

use super::failure::Failure;

/// The variables that Postgres's programs may see; others may hold secrets, which its user must not read.
const ENVIRONMENT: [&str; 5] = ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "TZDIR"];

/// The user who owns the cluster and runs Postgres: ourselves, or, as Postgres refuses root, somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Whether a program must change to this user first.
    other: bool,
}

impl Owner {
    /// The owner of the cluster if there is one; else of the data directory unless that is root; else `postgres` or `nobody`.
    pub(super) fn of(data_dir: &Path, cluster: Option<&Path>) -> Result<Self, Failure> {
        let own = geteuid();
        if !own.is_root() {
            let owner = Self { uid: own.as_raw(), gid: getegid().as_raw(), other: false };
            return match cluster {
                Some(cluster) => match owner_of(cluster)? {
                    (uid, _) if uid != owner.uid => {
                        Err(Failure::OtherOwner { cluster: cluster.to_owned(), owner: uid })
                    }
                    _ => Ok(owner),
                },
                None => Ok(owner),
            };
        }
        for directory in [cluster, Some(data_dir)].into_iter().flatten() {
            let (uid, gid) = owner_of(directory)?;
            if uid != 0 {
                // Somebody without an account has no group of their own but the directory's.
                let account = User::from_uid(Uid::from_raw(uid)).ok().flatten();
                let gid = account.map_or(gid, |user| user.gid.as_raw());
                return Ok(Self { uid, gid, other: true });
            }
        }
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .filter(|user| !user.uid.is_root())
            .map(|user| Self { uid: user.uid.as_raw(), gid: user.gid.as_raw(), other: true })
            .ok_or(Failure::NoUser)
    }

    /// A program to be run as this user, knowing nothing of where it came from.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear();
        for name in ENVIRONMENT {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        // Its messages in English whatever the machine speaks; the cluster's own locale is chosen when it is made.
        command.env("LC_ALL", "C").current_dir("/").stdin(Stdio::null());
        if self.other {
            // Coming from root, this also drops every supplementary group.
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Whether this user can get into `directory`. Tried rather than computed: rights are more than mode bits.
    pub(super) fn reaches(&self, directory: &Path, program: &Path) -> Result<bool, Failure> {
        if !self.other {
            return Ok(true);
        }
        let mut probe = self.command(program);
        probe.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        let cannot_run = |source| Failure::Run { program: program.to_owned(), source };
        // First from where everybody may be, so that a refusal afterwards is about the directory.
        probe.status().map_err(cannot_run)?;
        match probe.current_dir(directory).status() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(false),
            Err(error) => Err(cannot_run(error)),
        }
    }
}

fn owner_of(path: &Path) -> Result<(u32, u32), Failure> {
    let found = fs::metadata(path).map_err(Failure::file("open", path))?;
    Ok((found.uid(), found.gid()))
}
