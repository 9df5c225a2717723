//! Where the private PostgreSQL keeps what: the data directory, the cluster, the socket, the log.
//!
//! Usually everything is inside the data directory. When Temwen runs as root, Postgres runs as another user, who may
//! be unable to reach it (below `/root`, say); then the cluster lives below `/var/lib/temwen` and a note in the data
//! directory says so.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use nix::fcntl::OFlag;

use super::failure::Failure;
use super::owner::Owner;

/// Where clusters go whose data directory Postgres's user cannot reach.
const ELSEWHERE: &str = "/var/lib/temwen";
/// The note in a data directory that its cluster is elsewhere.
const NOTE: &str = "postgres.location";
/// The longest path of a socket directory, in bytes: with Postgres's `/.s.PGSQL.5432` it must fit into the 104 bytes
/// that the smallest of our systems allows a socket.
const LONGEST_SOCKET_DIR: usize = 89;

/// Where everything of one data directory is.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// The data directory, canonical.
    pub(super) data_dir: PathBuf,
    /// The directory that holds the cluster: the data directory or a stand-in for it.
    pub(super) home: PathBuf,
    /// The cluster, `PGDATA`.
    pub(super) cluster: PathBuf,
    /// Where the socket is.
    pub(super) socket_dir: PathBuf,
    /// Postgres's log.
    pub(super) log: PathBuf,
}

impl Places {
    /// Finds the cluster of a canonical data directory, or decides where a new one will be.
    pub(super) fn find(
        data_dir: &Path,
        reachable: impl FnOnce() -> Result<bool, Failure>,
    ) -> Result<Self, Failure> {
        let note = data_dir.join(NOTE);
        let home = match fs::read(&note) {
            Ok(text) => noted_home(data_dir, &note, text)?,
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Failure::file("read", &note)(error));
            }
            Err(_) if is_there(&data_dir.join("postgres"))? || reachable()? => data_dir.to_owned(),
            Err(_) => new_home(data_dir, &note)?,
        };
        let mut socket_dir = home.join("socket");
        if socket_dir.as_os_str().len() > LONGEST_SOCKET_DIR {
            socket_dir = Path::new("/tmp").join(format!("temwen-{}", short_hash(&home)));
        }
        Ok(Self {
            data_dir: data_dir.to_owned(),
            cluster: home.join("postgres"),
            home,
            socket_dir,
            log: data_dir.join("postgres.log"),
        })
    }
}

/// The home that a note names, if it is there and truly belongs to this data directory.
fn noted_home(data_dir: &Path, note: &Path, mut text: Vec<u8>) -> Result<PathBuf, Failure> {
    text.truncate(text.trim_ascii_end().len());
    let home = PathBuf::from(std::ffi::OsString::from_vec(text));
    // Never begin anew here: an empty register in place of a full one would look like a loss, and be one.
    if !home.is_absolute() || !is_there(&home)? {
        return Err(Failure::Lost { home, note: note.to_owned() });
    }
    let back = home.join("data-dir");
    let owner = fs::read(&back).map_err(Failure::file("read", &back))?;
    let owner = PathBuf::from(std::ffi::OsString::from_vec(owner));
    if owner != data_dir {
        // Two copies of a data directory have locks of their own, which could not keep them apart.
        if fs::read(owner.join(NOTE)).is_ok_and(|text| text.trim_ascii_end() == home.as_os_str().as_bytes()) {
            return Err(Failure::Copy { home, owner });
        }
        replace_file(&back, data_dir.as_os_str().as_bytes())?;
    }
    Ok(home)
}

/// Makes a home below [`ELSEWHERE`] and a note of it. The home comes first, so a note without a home is a loss, while
/// a home without a cluster is only a start that was interrupted.
fn new_home(data_dir: &Path, note: &Path) -> Result<PathBuf, Failure> {
    let elsewhere = Path::new(ELSEWHERE);
    if !is_there(elsewhere)? {
        make_dir(elsewhere, 0o711)?;
    }
    let home = elsewhere.join(short_hash(data_dir));
    if is_there(&home.join("postgres"))? {
        return Err(Failure::LeftBehind { home });
    }
    if !is_there(&home)? {
        make_dir(&home, 0o711)?;
    }
    replace_file(&home.join("data-dir"), data_dir.as_os_str().as_bytes())?;
    let mut line = home.as_os_str().as_bytes().to_vec();
    line.push(b'\n');
    replace_file(note, &line)?;
    tracing::info!(
        data_dir = %data_dir.display(), home = %home.display(),
        "the user who runs PostgreSQL cannot reach the data directory, so the database is kept elsewhere"
    );
    Ok(home)
}

/// Creates the data directory if it is missing, and answers its canonical path. What exists already keeps its rights,
/// since a mistyped path must not change a directory that others use.
pub fn create_data_dir(data_dir: &Path) -> Result<PathBuf, Failure> {
    if !is_there(data_dir)? {
        // Postgres's user must get through to the cluster, but need not see what else is there: where root made the
        // directory, others may pass and cannot look; every file in it is 0600, every directory 0700.
        let mode = if nix::unistd::geteuid().is_root() { 0o711 } else { 0o700 };
        make_dir(data_dir, mode)?;
    }
    let canonical = fs::canonicalize(data_dir).map_err(Failure::file("open", data_dir))?;
    // Postgres's pid file is read by lines.
    if canonical.as_os_str().as_bytes().contains(&b'\n') { Err(Failure::LineBreak) } else { Ok(canonical) }
}

/// Makes a directory with exactly this mode, and those above it as usual.
fn make_dir(path: &Path, mode: u32) -> Result<(), Failure> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(Failure::file("create", parent))?;
    }
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => fs::set_permissions(path, fs::Permissions::from_mode(mode)),
        // Another process was quicker.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
    .map_err(Failure::file("create", path))
}

/// Makes sure that `path` is a directory which only `owner` may enter, and refuses one of somebody else.
pub(super) fn private_dir(path: &Path, owner: &Owner) -> Result<(), Failure> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(Failure::file("create", path)(error));
        }
        Ok(()) | Err(_) => {}
    }
    // Opened once and never through a link, so that what is checked is what is changed: the place may be /tmp.
    let no_link = OFlag::O_NOFOLLOW | OFlag::O_DIRECTORY;
    let not_private = |_| Failure::NotPrivate { path: path.to_owned() };
    let dir = OpenOptions::new().read(true).custom_flags(no_link.bits()).open(path).map_err(not_private)?;
    let found = dir.metadata().map_err(Failure::file("open", path))?;
    let ours = nix::unistd::geteuid().as_raw();
    if found.uid() != owner.uid && found.uid() != ours {
        return Err(Failure::NotPrivate { path: path.to_owned() });
    }
    if found.uid() != owner.uid {
        fchown(&dir, Some(owner.uid), Some(owner.gid)).map_err(Failure::file("hand over", path))?;
    }
    if found.mode() & 0o777 != 0o700 {
        dir.set_permissions(fs::Permissions::from_mode(0o700)).map_err(Failure::file("protect", path))?;
    }
    Ok(())
}

/// Opens, or makes, a file of Temwen itself in the data directory: for reading and appending, 0600, never through a
/// link. What root makes in the directory of another user belongs to that user, who must be able to run Temwen too.
pub(super) fn open_own(path: &Path, data_dir: &Path) -> Result<File, Failure> {
    let open = || {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(path)?;
        let (dir, found) = (fs::metadata(data_dir)?, file.metadata()?);
        if nix::unistd::geteuid().is_root() && found.uid() != dir.uid() {
            fchown(&file, Some(dir.uid()), Some(dir.gid()))?;
        }
        Ok(file)
    };
    open().map_err(Failure::file("open", path))
}

/// Puts a small file in place so that it is there whole or not at all, even after a power cut.
fn replace_file(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let write = || {
        let new = path.with_added_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        path.parent().map_or(Ok(()), sync_dir)
    };
    write().map_err(Failure::file("write", path))
}

/// Makes the names in a directory durable.
pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Whether something is there, without taking "may not look" for "no".
pub(super) fn is_there(path: &Path) -> Result<bool, Failure> {
    path.try_exists().map_err(Failure::file("open", path))
}

/// 16 hexadecimal digits that stand for a path.
fn short_hash(path: &Path) -> String {
    let hash = digest::digest(&digest::SHA256, path.as_os_str().as_bytes());
    let beginning = hash.as_ref().first_chunk().copied().unwrap_or_default();
    format!("{:016x}", u64::from_be_bytes(beginning))
}
