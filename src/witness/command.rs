//! `temwen witness`: a witness, from its first start on.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use clap::Args;
use zeroize::Zeroizing;

use super::evidence::Evidence;
use super::state::{State, sync_directory_of};
use super::{Witness, http};
use crate::commands::{Failed, say};
use crate::tlog::{CosignerKey, KeyKind, VerifierKey};

/// How to witness.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
It cosigns each checkpoint that continues the one before (https://c2sp.org/tlog-witness), refuses the others, and keeps two signed \
checkpoints that contradict each other in a file beside its state, which it also shows at GET /evidence. Its public key is at GET /key: \
give it to the log and to whoever verifies. Keep key and state together: neither is of use without the other, and a state of \
yesterday would let a log rewrite today.

Example:
  temwen witness --name witness.example/log --key witness.key --state witness.state --log-key register.example/v1/log+1f5a3c70+AZ…")]
pub struct Arguments {
    /// The address and port to listen on; port 0 takes any free one. Default: 127.0.0.1:8090
    #[arg(
        long,
        env = "TEMWEN_WITNESS_LISTEN",
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:8090",
        hide_default_value = true
    )]
    pub listen: SocketAddr,
    /// The file of the witness's own key; made, for its owner alone, on the first start
    #[arg(long, env = "TEMWEN_WITNESS_KEY", value_name = "FILE")]
    pub key: PathBuf,
    /// How the witness is called, a URL without https://; needed on the first start, when the key is made. Default: none
    #[arg(long, env = "TEMWEN_WITNESS_NAME", value_name = "NAME")]
    pub name: Option<String>,
    /// The file of what it has cosigned; made on the first start. What it holds against logs is beside it, in FILE.evidence
    #[arg(long, env = "TEMWEN_WITNESS_STATE", value_name = "FILE")]
    pub state: PathBuf,
    /// The public key of a log to witness, or a file with one on each line; several logs: repeat it, or put spaces between
    #[arg(
        long = "log-key",
        env = "TEMWEN_WITNESS_LOG_KEY",
        value_name = "KEY",
        required = true,
        value_delimiter = ' '
    )]
    pub log_keys: Vec<String>,
}

/// Witnesses until told to stop, by Ctrl-C or SIGTERM.
pub async fn run(arguments: Arguments) -> Result<(), Failed> {
    let logs = log_keys(&arguments.log_keys)?;
    let opened = Opened::open(&arguments)?;
    let listener = TcpListener::bind(arguments.listen).map_err(|error| {
        let address = arguments.listen;
        let advice = "stop what does, or choose another address (--listen, TEMWEN_WITNESS_LISTEN)";
        Failed::because(format!("cannot listen on {address}: {advice}"), &error)
    })?;
    let address = listener.local_addr();
    let address = address.map_err(|error| Failed::because("the listening address is unknown", &error))?;
    let (key, _lock) = (opened.key.verifier(), opened.lock);
    let witness = Witness::new(opened.key, logs, opened.state, opened.evidence);
    let server = http::serve(listener, witness)
        .map_err(|error| Failed::because("the server could not be started", &error))?;
    say(&format!("The witness's public key is {key}"))?;
    say(&format!("The witness listens on http://{address}"))?;
    server.await.map_err(|error| Failed::because("the server ended by itself", &error))
}

/// The keys of the logs, each given or in a file.
fn log_keys(given: &[String]) -> Result<Vec<VerifierKey>, Failed> {
    let mut keys = Vec::new();
    for given in given.iter().filter(|given| !given.is_empty()) {
        match (VerifierKey::parse(given), fs::read_to_string(given)) {
            (Ok(key), _) => keys.push(key),
            (Err(_), Ok(text)) => {
                let lines =
                    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
                for line in lines {
                    keys.push(VerifierKey::parse(line).map_err(|fault| {
                        Failed::because(format!("a line of {given} is not the public key of a log"), &fault)
                    })?);
                }
            }
            (Err(fault), Err(_)) => {
                let sentence =
                    format!("--log-key (TEMWEN_WITNESS_LOG_KEY) is neither a public key nor a file: {given}");
                return Err(Failed::because(sentence, &fault));
            }
        }
    }
    if let Some(key) = keys.iter().find(|key| key.kind() != KeyKind::Log) {
        return Err(Failed::new(format!("the key of {} is a witness's, not a log's", key.name())));
    }
    if keys.is_empty() {
        return Err(Failed::new(
            "no log to witness: name the public key of one with --log-key (TEMWEN_WITNESS_LOG_KEY)",
        ));
    }
    Ok(keys)
}

/// Key and memory of a witness, which nobody else uses meanwhile.
struct Opened {
    key: CosignerKey,
    state: State,
    evidence: Evidence,
    lock: File,
}

impl Opened {
    fn open(arguments: &Arguments) -> Result<Self, Failed> {
        let (key_file, state_file) = (&arguments.key, &arguments.state);
        let has = |path: &Path| path.try_exists().map_err(|error| cannot_use(path, &error));
        let first = match (has(key_file)?, has(state_file)?) {
            (true, true) => false,
            (false, false) => true,
            (true, false) => {
                return Err(Failed::new(format!(
                    "{} is there, but not what it has cosigned, {}: put that back, or begin anew with a new key and tell the logs; \
                     a witness that has forgotten what it cosigned would help a log to rewrite its past",
                    key_file.display(),
                    state_file.display()
                )));
            }
            (false, true) => {
                return Err(Failed::new(format!(
                    "{} is there, but not the key that it belongs to, {}: put that back, or begin anew with another state",
                    state_file.display(),
                    key_file.display()
                )));
            }
        };
        if first {
            let Some(name) = &arguments.name else {
                return Err(Failed::new(
                    "on its first start a witness needs a name: --name (TEMWEN_WITNESS_NAME), such as witness.example/log",
                ));
            };
            let key = CosignerKey::generate(name)
                .map_err(|fault| Failed::because("no key can be made of that name", &fault))?;
            make_key(key_file, &key).map_err(|error| cannot_use(key_file, &error))?;
        }
        let lock = lock(key_file)?;
        let key = read_key(key_file)?;
        if let Some(name) = arguments.name.as_deref().filter(|name| *name != key.name()) {
            return Err(Failed::new(format!(
                "the key {} is called {}, not {name}",
                key_file.display(),
                key.name()
            )));
        }
        let verifier = key.verifier();
        let state =
            if first { State::create(state_file, verifier) } else { State::open(state_file, verifier) };
        let state = state.map_err(|error| match std::error::Error::source(&error) {
            Some(cause) => Failed::because(error.to_string(), cause),
            None => Failed::new(error.to_string()),
        })?;
        let mut beside = state_file.clone().into_os_string();
        beside.push(".evidence");
        let beside = PathBuf::from(beside);
        let evidence = Evidence::open(&beside).map_err(|error| cannot_use(&beside, &error))?;
        Ok(Self { key, state, evidence, lock })
    }
}

fn cannot_use(path: &Path, error: &io::Error) -> Failed {
    Failed::because(format!("cannot use {}", path.display()), error)
}

/// Writes the key for its owner alone, never over another.
fn make_key(path: &Path, key: &CosignerKey) -> io::Result<()> {
    let text = Zeroizing::new(format!("{}\n", key.to_text().as_str()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a key would be in the way of the next start.
        let _ = fs::remove_file(path);
    }
    written.and_then(|()| sync_directory_of(path))
}

/// The kernel lets go of it when the program ends, however it ends.
fn lock(path: &Path) -> Result<File, Failed> {
    let file = File::open(path).map_err(|error| cannot_use(path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(Failed::new(format!("another witness runs with the key {}", path.display())))
        }
        Err(TryLockError::Error(error)) => Err(cannot_use(path, &error)),
    }
}

fn read_key(path: &Path) -> Result<CosignerKey, Failed> {
    let mode = fs::metadata(path).map_err(|error| cannot_use(path, &error))?.mode();
    if mode & 0o077 != 0 {
        let sentence = "is open to others than its owner: run `chmod 600` on it, or replace it";
        return Err(Failed::new(format!("{} {sentence}", path.display())));
    }
    let text = match fs::read_to_string(path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            return Err(Failed::new(format!("{} does not hold a witness's key", path.display())));
        }
        Err(error) => return Err(cannot_use(path, &error)),
    };
    CosignerKey::parse(&text)
        .map_err(|fault| Failed::because(format!("{} does not hold a witness's key", path.display()), &fault))
}
