//! Making a cluster, and starting Postgres on it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Child;

use super::failure::Failure;
use super::locks::Lifecycle;
use super::owner::Owner;
use super::places::{self, Places};
use super::programs::Programs;
use super::{PORT, SUPERUSER};

/// How large the log may grow before the next start sets it aside, in bytes.
const LARGEST_LOG: u64 = 10 * 1024 * 1024;

/// A cluster and all it takes to start Postgres on it.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) places: Places,
    owner: Owner,
    bin_dir: Option<PathBuf>,
    settings: Vec<(String, String)>,
}

impl Cluster {
    /// Finds the cluster of this data directory, or makes it.
    pub(super) fn open(
        data_dir: &Path,
        bin_dir: Option<PathBuf>,
        settings: Vec<(String, String)>,
        held: &Lifecycle,
    ) -> Result<Self, Failure> {
        let places = Places::find(data_dir, || {
            let programs = Programs::find(bin_dir.as_deref(), None)?;
            Owner::of(data_dir, None)?.reaches(data_dir, &programs.postgres())
        })?;
        let present = places::is_there(&places.cluster)?;
        let owner = Owner::of(data_dir, present.then_some(places.cluster.as_path()))?;
        let cluster = Self { places, owner, bin_dir, settings };
        if cluster.version()?.is_none() {
            cluster.create(held)?;
        }
        Ok(cluster)
    }

    /// The major version that made the cluster, if there is one.
    fn version(&self) -> Result<Option<u32>, Failure> {
        let path = self.places.cluster.join("PG_VERSION");
        let damaged = || Failure::Damaged { cluster: self.places.cluster.clone() };
        match fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().map(Some).map_err(|_| damaged()),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let holds_something =
                    fs::read_dir(&self.places.cluster).is_ok_and(|mut entries| entries.next().is_some());
                // A cluster gets its name only when it is complete, so this was one once.
                if holds_something { Err(damaged()) } else { Ok(None) }
            }
            Err(error) => Err(Failure::file("read", &path)(error)),
        }
    }

    /// Makes the cluster under another name and gives it its own when it is complete, so that whatever interrupts this,
    /// it is simply done again.
    fn create(&self, held: &Lifecycle) -> Result<(), Failure> {
        let programs = Programs::find(self.bin_dir.as_deref(), None)?;
        let cluster = &self.places.cluster;
        let unfinished = self.places.home.join("postgres.unfinished");
        tracing::info!(cluster = %cluster.display(), "making a new database, which takes a few seconds");
        match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Failure::file("remove", &unfinished)(error));
            }
            Ok(()) | Err(_) => {}
        }
        places::private_dir(&unfinished, &self.owner)?;
        // Not every system knows C.UTF-8; both sort by code point.
        if self.initdb(&programs, &unfinished, "C.UTF-8", held).is_err() {
            self.initdb(&programs, &unfinished, "C", held)?;
        }
        admit_socket_only(&unfinished)?;
        fs::rename(&unfinished, cluster).map_err(Failure::file("create", cluster))?;
        places::sync_dir(&self.places.home).map_err(Failure::file("create", cluster))
    }

    fn initdb(
        &self,
        programs: &Programs,
        directory: &Path,
        locale: &str,
        held: &Lifecycle,
    ) -> Result<(), Failure> {
        let mut command = self.owner.command(&programs.initdb());
        command.arg("-D").arg(directory).args(["-U", SUPERUSER, "-E", "UTF8", "--data-checksums"]);
        command.args(["--auth-local=trust", "--auth-host=reject"]).arg(format!("--locale={locale}"));
        if self.settings.iter().any(|(name, value)| name == "fsync" && value == "off") {
            command.arg("--no-sync");
        }
        // If we are killed, initdb works on. It keeps the lock as its input until it ends, so that nobody begins
        // again beneath it.
        let lock = held.share().map_err(Failure::file("lock", &self.places.data_dir))?;
        let output = command
            .stdin(lock)
            .output()
            .map_err(|source| Failure::Run { program: programs.initdb(), source })?;
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr);
        let said = text.lines().find(|line| line.contains("error") || line.contains("FATAL"));
        let said = said.or_else(|| text.lines().last()).unwrap_or("nothing").trim().to_owned();
        Err(Failure::NotMade { cluster: self.places.cluster.clone(), said })
    }

    /// Starts Postgres in a process group of its own: a Ctrl-C at the terminal goes to Temwen alone, which then stops
    /// Postgres after its own last transaction.
    pub(super) fn spawn(&self) -> Result<(Child, LogPart), Failure> {
        let version =
            self.version()?.ok_or_else(|| Failure::Damaged { cluster: self.places.cluster.clone() })?;
        let programs = Programs::find(self.bin_dir.as_deref(), Some((&self.places.cluster, version)))?;
        places::private_dir(&self.places.socket_dir, &self.owner)?;
        // This lock names a process, and after a crash that number may be another's. Nobody else uses this directory,
        // and whoever starts Postgres has made sure that none runs.
        match fs::remove_file(self.places.socket_dir.join(format!(".s.PGSQL.{PORT}.lock"))) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Failure::file("clear", &self.places.socket_dir)(error));
            }
            Ok(()) | Err(_) => {}
        }
        let log = LogPart::begin(&self.places)?;
        let mut command = self.owner.command(&programs.postgres());
        command.arg("-D").arg(&self.places.cluster);
        for (name, value) in self.settings() {
            let mut setting = OsString::from(name);
            setting.push("=");
            setting.push(value);
            command.arg("-c").arg(setting);
        }
        let output = log.file.try_clone().and_then(|out| Ok((out, log.file.try_clone()?)));
        let (out, err) = output.map_err(Failure::file("open", &self.places.log))?;
        let spawned = command.stdout(out).stderr(err).process_group(0).spawn();
        let child = spawned.map_err(|source| Failure::Run { program: programs.postgres(), source })?;
        Ok((child, log))
    }

    /// Given on the command line, so that they hold whatever the cluster's own files say.
    fn settings(&self) -> Vec<(&str, OsString)> {
        let fixed = [
            ("listen_addresses", ""),
            ("unix_socket_permissions", "0700"),
            ("max_connections", "100"),
            ("shared_buffers", "128MB"),
            ("logging_collector", "off"),
            ("log_destination", "stderr"),
            ("log_timezone", "UTC"),
            ("lc_messages", "C"),
            // What people entrust to us passes through statements and their parameters, and an error's text may quote
            // them (`invalid input syntax for type uuid: "..."`), as may its detail (the whole row that broke a
            // constraint). So this log has no statements, no parameters, no details and no errors of statements at all:
            // `log` is the level that leaves out those and keeps starts, stops, crashes and recovery. Temwen hears of
            // each error itself, and decides what of it may be written down.
            ("log_min_messages", "log"),
            ("log_min_error_statement", "panic"),
            ("log_error_verbosity", "terse"),
            ("log_statement", "none"),
            ("log_min_duration_statement", "-1"),
            ("log_min_duration_sample", "-1"),
            ("log_transaction_sample_rate", "0"),
            ("log_parameter_max_length", "0"),
            ("log_parameter_max_length_on_error", "0"),
            ("log_lock_waits", "off"),
            ("log_connections", "off"),
            // Nothing that comes every few minutes: the log is only set aside at a start.
            ("log_checkpoints", "off"),
            ("log_autovacuum_min_duration", "-1"),
            ("debug_print_parse", "off"),
            ("debug_print_rewritten", "off"),
            ("debug_print_plan", "off"),
        ];
        let mut settings: Vec<_> =
            fixed.into_iter().map(|(name, value)| (name, OsString::from(value))).collect();
        settings.push(("port", OsString::from(PORT.to_string())));
        settings.push(("unix_socket_directories", quoted(&self.places.socket_dir)));
        // Last, so that they win.
        settings.extend(self.settings.iter().map(|(name, value)| (name.as_str(), OsString::from(value))));
        settings
    }
}

/// Who can reach the socket is whom its directory (0700) lets in: Postgres's own user and root. Asking them for a
/// password would guard nothing, since whoever gets that far could read the cluster's files. Nobody comes by network.
fn admit_socket_only(cluster: &Path) -> Result<(), Failure> {
    let path = cluster.join("pg_hba.conf");
    let write = || {
        // Opened as it is, so that it keeps its owner.
        let mut file = OpenOptions::new().write(true).truncate(true).open(&path)?;
        file.write_all(
            b"# The directory of the socket is the guard: only its owner can enter.\nlocal all all trust\n",
        )?;
        file.sync_all()
    };
    write().map_err(Failure::file("write", &path))
}

/// A path as an element of a list setting, where commas separate.
fn quoted(path: &Path) -> OsString {
    let mut bytes = vec![b'"'];
    for byte in path.as_os_str().as_bytes() {
        if *byte == b'"' {
            bytes.push(b'"');
        }
        bytes.push(*byte);
    }
    bytes.push(b'"');
    OsStr::from_bytes(&bytes).to_owned()
}

/// What Postgres has written into its log since a certain start.
#[derive(Debug)]
pub(super) struct LogPart {
    file: File,
    begin: u64,
}

impl LogPart {
    fn begin(places: &Places) -> Result<Self, Failure> {
        let large = fs::metadata(&places.log).is_ok_and(|found| found.len() > LARGEST_LOG);
        if large {
            let old = places.log.with_added_extension("old");
            fs::rename(&places.log, &old).map_err(Failure::file("rename", &places.log))?;
        }
        let mut file = places::open_own(&places.log, &places.data_dir)?;
        let begin = file.seek(SeekFrom::End(0)).map_err(Failure::file("read", &places.log))?;
        Ok(Self { file, begin })
    }

    /// The line that says most about why Postgres did not start: the last fatal one, or else the last.
    pub(super) fn complaint(&self) -> String {
        let mut bytes = Vec::new();
        let mut place = self.begin;
        let mut part = [0; 4096];
        while let Ok(length @ 1..) = self.file.read_at(&mut part, place) {
            bytes.extend(part.iter().take(length));
            place += length as u64;
        }
        let text = String::from_utf8_lossy(&bytes);
        let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
        // Without what comes before on the line: the time and the process.
        let mut fatal = lines()
            .filter_map(|line| line.find("FATAL:").or(line.find("PANIC:")).and_then(|at| line.get(at..)));
        fatal.next_back().or_else(|| lines().next_back()).unwrap_or("nothing").to_owned()
    }
}
