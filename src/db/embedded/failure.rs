//! What can go wrong with the private PostgreSQL, each as one sentence that says what to do.

use std::io;
use std::path::{Path, PathBuf};

/// Why the private PostgreSQL cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No installation was found.
    #[error(
        "no PostgreSQL {oldest} or newer was found on this machine: install it (apt-get install postgresql, \
         dnf install postgresql-server, brew install postgresql@18), or set DATABASE_URL to a server that runs already",
        oldest = super::programs::OLDEST
    )]
    NoPrograms,
    /// The directory that was named holds no installation.
    #[error(
        "{} does not hold the programs postgres and initdb of PostgreSQL {oldest} or newer: name the directory that does, \
         or none to have it searched for", directory.display(), oldest = super::programs::OLDEST
    )]
    NotThere {
        /// The directory that was named.
        directory: PathBuf,
    },
    /// There are installations, but none that can open this cluster.
    #[error(
        "the database in {} was made by PostgreSQL {version}, which was not found on this machine: \
         install that version (apt-get install postgresql-{version}), or move the data with pg_upgrade", cluster.display()
    )]
    OtherVersion {
        /// The directory of the cluster.
        cluster: PathBuf,
        /// The major version that made it.
        version: u32,
    },
    /// A program could not be run at all.
    #[error(
        "cannot run {} ({source}): see that the PostgreSQL installation is complete and that Temwen may run it",
        program.display()
    )]
    Run {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// PostgreSQL refuses root and there is no other user to run it as.
    #[error(
        "PostgreSQL refuses to run as root and this machine has neither a user postgres nor nobody: \
         run Temwen as an ordinary user, or set DATABASE_URL"
    )]
    NoUser,
    /// A file or directory could not be used.
    #[error(
        "cannot {doing} {} ({source}): see that the user who runs Temwen owns the data directory \
         and that its disk is not full", path.display()
    )]
    File {
        /// What was tried, as a verb.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The path of the data directory has characters that PostgreSQL's own files cannot hold.
    #[error("the path of the data directory contains a line break: choose another path for it")]
    LineBreak,
    /// The cluster belongs to another user.
    #[error(
        "the database in {} belongs to the user with number {owner}: run Temwen as that user", cluster.display()
    )]
    OtherOwner {
        /// The directory of the cluster.
        cluster: PathBuf,
        /// The user who owns it.
        owner: u32,
    },
    /// A directory meant to be private to PostgreSQL is not.
    #[error(
        "{} is not a directory of the user who runs PostgreSQL: remove it, or choose another data directory \
         (one with a short path keeps its socket in itself)", path.display()
    )]
    NotPrivate {
        /// The directory.
        path: PathBuf,
    },
    /// The cluster's directory holds something else.
    #[error(
        "{} holds files but no complete database: bring it back from a backup, or move it away to begin anew",
        cluster.display()
    )]
    Damaged {
        /// The directory of the cluster.
        cluster: PathBuf,
    },
    /// The data directory names a place for its database that does not exist.
    #[error(
        "the data directory keeps its database in {}, which does not exist: bring that directory back from a backup, \
         or remove {} to begin with an empty register", home.display(), note.display()
    )]
    Lost {
        /// Where the database should be.
        home: PathBuf,
        /// The file that says so.
        note: PathBuf,
    },
    /// A removed data directory of the same path left its database behind.
    #[error(
        "{} holds the database of an earlier data directory with this path: move it away to begin with an empty register, \
         or bring the earlier data directory back from a backup", home.display()
    )]
    LeftBehind {
        /// Where that database is.
        home: PathBuf,
    },
    /// Two data directories name the same cluster.
    #[error(
        "the database in {} belongs to the data directory {}: use that one, for this one is a copy without a database",
        home.display(), owner.display()
    )]
    Copy {
        /// Where the database is.
        home: PathBuf,
        /// The data directory it belongs to.
        owner: PathBuf,
    },
    /// `initdb` failed.
    #[error(
        "a new database could not be made in {}, initdb says \"{said}\": put that right and start again", cluster.display()
    )]
    NotMade {
        /// The directory of the cluster.
        cluster: PathBuf,
        /// The last line that `initdb` wrote.
        said: String,
    },
    /// `postgres` ended before it was ready.
    #[error("PostgreSQL did not start, it says \"{said}\": put that right and start again; its log is {}", log.display())]
    NotStarted {
        /// The line of its log that says most.
        said: String,
        /// The log.
        log: PathBuf,
    },
    /// `postgres` runs, but was not ready in time.
    #[error(
        "PostgreSQL (process {pid}) has not become ready within {seconds} s: it may still be recovering, \
         so try again later; its log is {}", log.display()
    )]
    NotReady {
        /// The postmaster.
        pid: i32,
        /// How long it was waited for, in seconds.
        seconds: u64,
        /// The log.
        log: PathBuf,
    },
    /// `postgres` did not end in time.
    #[error(
        "PostgreSQL (process {pid}) has not stopped within {seconds} s: it is still writing, so let it end by itself"
    )]
    NotStopped {
        /// The postmaster.
        pid: i32,
        /// How long it was waited for, in seconds.
        seconds: u64,
    },
    /// A PostgreSQL runs that nobody can use from here: started otherwise, or in another container.
    #[error(
        "the database in {} is served by a PostgreSQL (process {pid}) that Temwen cannot reach from here: \
         stop that process with SIGINT where it runs, and try again", cluster.display()
    )]
    Unreachable {
        /// The directory of the cluster.
        cluster: PathBuf,
        /// The postmaster.
        pid: i32,
    },
    /// Another process has been starting or stopping PostgreSQL for too long.
    #[error(
        "another Temwen process has been starting or stopping the database in {} for more than {seconds} s: \
         wait until it is done and try again", data_dir.display()
    )]
    Busy {
        /// The data directory.
        data_dir: PathBuf,
        /// How long it was waited for, in seconds.
        seconds: u64,
    },
    /// Another server serves this data directory.
    #[error(
        "another Temwen server{} already serves the data directory {}: stop it first, or give this one a data directory of its own",
        pid.map(|pid| format!(" (process {pid})")).unwrap_or_default(), data_dir.display()
    )]
    Served {
        /// The data directory.
        data_dir: PathBuf,
        /// The other server, if it said who it is.
        pid: Option<u32>,
    },
}

impl Failure {
    /// Turns what the system said about `path` into a [`Failure::File`], for `map_err`.
    pub(super) fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { doing, path: path.to_owned(), source }
    }
}
