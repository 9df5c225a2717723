//! Finding the programs of a PostgreSQL installation.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::failure::Failure;

/// The oldest major version whose features the register relies on.
pub(super) const OLDEST: u32 = 15;
/// The newest major version that the register has been run with; newer ones come last.
const NEWEST: u32 = 18;

/// An installation of PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Programs {
    bin_dir: PathBuf,
    version: u32,
}

impl Programs {
    /// The best installation for a new cluster, or, with `needed`, one that can open a cluster of that major version.
    /// Looks in `bin_dir` only, if it is given.
    pub(super) fn find(bin_dir: Option<&Path>, cluster: Option<(&Path, u32)>) -> Result<Self, Failure> {
        let directories = bin_dir.map_or_else(usual_directories, |directory| vec![directory.to_owned()]);
        Self::among(directories, cluster.map(|(_, version)| version)).ok_or_else(|| {
            match (cluster, bin_dir) {
                (Some((cluster, version)), _) => {
                    Failure::OtherVersion { cluster: cluster.to_owned(), version }
                }
                (None, Some(directory)) => Failure::NotThere { directory: directory.to_owned() },
                (None, None) => Failure::NoPrograms,
            }
        })
    }

    fn among(directories: Vec<PathBuf>, needed: Option<u32>) -> Option<Self> {
        let mut seen = Vec::new();
        // Lazy on purpose: with a version needed, no program is run beyond the one that has it.
        let mut found = directories.into_iter().filter_map(|directory| {
            // Through links to where the programs truly are: those beside them are then of the same version.
            let bin_dir = fs::canonicalize(directory.join("postgres")).ok()?.parent()?.to_owned();
            if seen.contains(&bin_dir) || !bin_dir.join("initdb").is_file() {
                return None;
            }
            seen.push(bin_dir.clone());
            let version = major_version(&bin_dir.join("postgres"))?;
            Some(Self { bin_dir, version })
        });
        match needed {
            Some(needed) => found.find(|programs| programs.version == needed),
            None => found.filter(|it| it.version >= OLDEST).max_by_key(|it| preference(it.version)),
        }
    }

    /// The server.
    pub(super) fn postgres(&self) -> PathBuf {
        self.bin_dir.join("postgres")
    }

    /// What makes a cluster.
    pub(super) fn initdb(&self) -> PathBuf {
        self.bin_dir.join("initdb")
    }
}

/// The higher the better: the newest that is known, down to the oldest, then what is newer than known.
fn preference(version: u32) -> (bool, i64) {
    let known = version <= NEWEST;
    (known, if known { i64::from(version) } else { -i64::from(version) })
}

/// Where systems put the programs: on the path, where `pg_config` says, and where packages go.
fn usual_directories() -> Vec<PathBuf> {
    let mut directories: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    directories.retain(|directory| directory.is_absolute());
    let configured =
        Command::new("pg_config").arg("--bindir").stdin(Stdio::null()).stderr(Stdio::null()).output();
    if let Ok(output) = configured
        && let Ok(text) = String::from_utf8(output.stdout)
    {
        directories.push(PathBuf::from(text.trim()));
    }
    // Debian and Ubuntu; the PostgreSQL project's packages for Fedora and RHEL; Homebrew on both kinds of Mac.
    for (parent, prefix) in [
        ("/usr/lib/postgresql", ""),
        ("/usr", "pgsql-"),
        ("/opt/homebrew/opt", "postgresql@"),
        ("/usr/local/opt", "postgresql@"),
    ] {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        let named = entries.filter(|entry| {
            let name = entry.file_name();
            name.to_str()
                .and_then(|name| name.strip_prefix(prefix))
                .is_some_and(|rest| rest.parse::<u32>().is_ok())
        });
        directories.extend(named.map(|entry| entry.path().join("bin")));
    }
    directories
}

/// Asks a `postgres` for its version. It answers this even to root.
fn major_version(postgres: &Path) -> Option<u32> {
    let output =
        Command::new(postgres).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    parse_version(std::str::from_utf8(&output.stdout).ok()?)
}

/// The major version in `postgres (PostgreSQL) 15.18 (Debian 15.18-1)`.
fn parse_version(text: &str) -> Option<u32> {
    let rest = text.split_once("(PostgreSQL)")?.1.trim_start();
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_what_postgres_says() {
        assert_eq!(parse_version("postgres (PostgreSQL) 15.18 (Debian 15.18-1)\n"), Some(15));
        assert_eq!(parse_version("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(parse_version("postgres (EnterpriseDB) 15"), None);
        assert_eq!(parse_version("postgres (PostgreSQL) devel"), None);
    }

    #[test]
    fn known_versions_come_before_unknown_ones() {
        let mut versions = [20, 15, 18, 19, 17];
        versions.sort_by_key(|version| std::cmp::Reverse(preference(*version)));
        assert_eq!(versions, [18, 17, 15, 19, 20]);
    }

    #[test]
    fn without_programs_a_sentence_says_what_to_install() {
        assert_eq!(Programs::among(Vec::new(), None), None);
        let empty = tempfile::tempdir().unwrap();
        let failure = Programs::find(Some(empty.path()), None).unwrap_err();
        assert!(failure.to_string().contains("does not hold the programs postgres and initdb"), "{failure}");
        assert!(Failure::NoPrograms.to_string().contains("apt-get install postgresql"));
    }

    #[test]
    fn a_cluster_of_a_version_that_is_not_installed_is_named() {
        let failure = Programs::find(None, Some((Path::new("/data/postgres"), 9))).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "the database in /data/postgres was made by PostgreSQL 9, which was not found on this machine: install that \
             version (apt-get install postgresql-9), or move the data with pg_upgrade"
        );
    }
}
