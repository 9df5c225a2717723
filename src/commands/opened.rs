//! The register, opened for a command: its database, reachable and of the right schema, and all that goes with it.
//!
//! Every command that works on the register begins with [`Opened::open`] and ends with [`Opened::close`]. With a private
//! PostgreSQL it does not matter whether a server runs on the same data directory.

use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread::available_parallelism;

use secrecy::ExposeSecret as _;
use tokio::task::spawn_blocking;

use super::{Failed, vault};
use crate::Temwen;
use crate::auth::credentials::{Flood, Keys, Passwords, Slowdown, Tokens};
use crate::auth::policy::Lanes;
use crate::coa::{Policy, Texts};
use crate::config::Database;
use crate::db::embedded::{Failure, Options, PrivatePostgres, create_data_dir, lock_for_serving};
use crate::db::migrate::{self, Difference};
use crate::db::{Connect, Db, Server, clear_text, data_keys, prepare};
use crate::evidence::blobs::Blobs;
use crate::log::witnesses;
use crate::temwen::{Clock, Front, Shared};
use crate::tlog::TrustPolicy;
use crate::vault::Vault;

/// The register's database in the private cluster.
const NAME: &str = "temwen";
/// How many connections the private PostgreSQL allows at least, and how many are kept for commands besides the server.
const FEWEST_CONNECTIONS: usize = 100;
const FOR_COMMANDS: usize = 20;
/// How many sign-ins may wait for a core to hash their password.
const WAITING_PASSWORDS: usize = 64;
/// How many accounts, and how many sources, the slowing down of guesses remembers: about 200 bytes each.
const REMEMBERED_FAILURES: usize = 20_000;

/// What the register is opened for.
#[derive(Debug, Clone, Copy)]
pub enum Use<'a> {
    /// A command that works beside a server, or without one.
    Command,
    /// The server itself, which holds the data directory's lock.
    Serve {
        /// How many connections it may need.
        connections: usize,
        /// How it is reached.
        front: Front,
        /// The file that names the log's witnesses.
        witnesses: Option<&'a Path>,
    },
}

/// The register, opened.
pub struct Opened {
    /// The private PostgreSQL, unless a database was given.
    pub private: Option<Private>,
    /// How to reach the database as the server's role.
    pub connect: Connect,
    /// Policy, keys and the rest.
    pub shared: Arc<Shared>,
    /// What seals.
    pub vault: Vault,
}

impl Opened {
    /// Opens the register: reads policy and keys, then starts or finds the database and checks its schema.
    pub async fn open(database: &Database, purpose: Use<'_>) -> Result<Self, Failed> {
        let (connections, front, witnesses, serving) = match purpose {
            Use::Command => (0, Front::default(), None, false),
            Use::Serve { connections, front, witnesses } => (connections, front, witnesses, true),
        };
        // Before anything slow: what a person has to mend should be said at once.
        let given = given(database)?;
        let read = read(database, front, witnesses)?;
        let (private, connect) = if let Some(connect) = given {
            prepare::examine(&connect).await.map_err(|unfit| Failed::new(unfit.to_string()))?;
            migrate::check(&connect).await?.map_err(|difference| Failed::new(difference.to_string()))?;
            (None, connect)
        } else {
            let private = Private::start(database, connections).await?;
            private.prepare_for(serving).await?;
            let connect = private.connect(NAME, false);
            (Some(private), connect)
        };
        let owner = private.as_ref().map(Private::owner);
        match read.open(&connect, owner.as_ref()).await {
            Ok((shared, vault)) => Ok(Self { private, connect, shared: Arc::new(shared), vault }),
            Err(failed) => {
                Self::stop(private).await?;
                Err(failed)
            }
        }
    }

    /// The register with a pool of its own, of at most so many connections.
    pub fn temwen(&self, connections: usize) -> Result<Temwen, Failed> {
        let lanes = Lanes::new(self.shared.policy.categories_in_lane("psea"));
        let seal = self.shared.keys.entry_seal();
        let clock = self.shared.clock.clone();
        let db = Db::new(self.connect.clone(), connections, clock, lanes, seal, self.vault.clone())?;
        Ok(Temwen { db, shared: Arc::clone(&self.shared) })
    }

    /// Closes it; the private PostgreSQL stops, unless others use it.
    pub async fn close(self) -> Result<(), Failed> {
        Self::stop(self.private).await
    }

    /// Stops the private PostgreSQL, unless others use it.
    pub(super) async fn stop(private: Option<Private>) -> Result<(), Failed> {
        match private {
            // Somebody who still holds a share lets go of it when it ends.
            Some(private) => match Arc::into_inner(private.postgres) {
                Some(postgres) => blocking(move || postgres.stop()).await,
                None => Ok(()),
            },
            None => Ok(()),
        }
    }
}

/// Seals what an older version of the program left in the clear in a given database, as the owner of its tables.
pub(super) async fn seal_clear_text(database: &Database, owner: &Connect) -> Result<(), Failed> {
    let read = read(database, Front::default(), None)?;
    read.open(owner, Some(owner)).await.map(|_| ())
}

/// The private PostgreSQL of a data directory.
pub struct Private {
    /// Shared with whoever watches that it runs.
    pub postgres: Arc<PrivatePostgres>,
    data_dir: std::path::PathBuf,
}

impl Private {
    /// Starts it, or finds it running; it allows at least `connections`, if this is what starts it.
    pub async fn start(database: &Database, connections: usize) -> Result<Self, Failed> {
        let allowed = (connections + FOR_COMMANDS).max(FEWEST_CONNECTIONS);
        let options = Options {
            bin_dir: database.postgres_bin_dir.clone(),
            settings: vec![("max_connections".to_owned(), allowed.to_string())],
            ..Options::new(&database.data_dir)
        };
        let data_dir = options.data_dir.clone();
        let postgres = Arc::new(blocking(move || PrivatePostgres::start(options)).await?);
        Ok(Self { postgres, data_dir })
    }

    /// How to reach the register's database as its owner, who sees everything.
    pub(super) fn owner(&self) -> Connect {
        self.connect(NAME, true)
    }

    fn connect(&self, database: &str, as_owner: bool) -> Connect {
        let server = Server::Private(self.postgres.socket_dir().to_owned());
        Connect { server, database: database.to_owned(), as_owner }
    }

    /// Makes the register's database, migrates it, and lets the server's role in; the names of the migrations that ran.
    pub async fn prepare(&self) -> Result<Vec<String>, Failed> {
        self.prepare_for(false).await
    }

    async fn prepare_for(&self, serving: bool) -> Result<Vec<String>, Failed> {
        prepare::create_database(&self.connect("postgres", true), NAME).await?;
        let owner = self.connect(NAME, true);
        let run = match migrate::check(&owner).await? {
            Ok(()) => Vec::new(),
            Err(newer @ Difference::Newer(_)) => return Err(Failed::new(newer.to_string())),
            Err(Difference::Older(_)) => {
                // Not beneath a server of an older version that runs: it would find a schema it does not know.
                let data_dir = self.data_dir.clone();
                let _alone =
                    if serving { None } else { Some(blocking(move || lock_for_serving(&data_dir)).await?) };
                migrate::run(&owner).await?
            }
        };
        prepare::let_server_in(&owner).await?;
        Ok(run)
    }
}

/// The database that was given, if one was; not yet connected to.
pub fn given(database: &Database) -> Result<Option<Connect>, Failed> {
    let Some(url) = database.database_url.clone().filter(|url| !url.expose_secret().is_empty()) else {
        return Ok(None);
    };
    let connect = Connect { server: Server::Given(url), database: String::new(), as_owner: false };
    match connect.config() {
        Ok(_) => Ok(Some(connect)),
        // What the library says may quote the URL, and with it the password.
        Err(_) => Err(Failed::new(
            "what --database-url (DATABASE_URL) holds is not the URL of a PostgreSQL, such as postgres://user@host/database",
        )),
    }
}

/// What was read before the database was looked for.
struct Read {
    keys: Keys,
    vault: Vault,
    evidence: Blobs,
    policy: Policy,
    texts: Texts,
    front: Front,
    witnesses: Option<TrustPolicy>,
}

impl Read {
    /// Makes what all threads share, with the key that only the database has. As the `owner` of the tables, first seals what an
    /// older version of the program left in the clear.
    async fn open(self, connect: &Connect, owner: Option<&Connect>) -> Result<(Shared, Vault), Failed> {
        let clock = Clock::system();
        let lanes = Lanes::new(self.policy.categories_in_lane("psea"));
        let seal = self.keys.entry_seal();
        let db = Db::new(connect.clone(), 1, clock.clone(), lanes, seal, self.vault.clone())?;
        vault::check(&db).await?;
        let register = data_keys::register(&db).await?;
        if let Some(owner) = owner {
            let lanes = Lanes::new(self.policy.categories_in_lane("psea"));
            let seal = self.keys.entry_seal();
            let db = Db::new(owner.clone(), 1, clock.clone(), lanes, seal, self.vault.clone())?;
            clear_text::seal(&db, &register, owner).await?;
        }
        let cores = available_parallelism().map_or(1, usize::from);
        let shared = Shared {
            tokens: Tokens::new(&self.keys)?,
            passwords: Passwords::new(cores, WAITING_PASSWORDS)?,
            slowdown: Slowdown::new(REMEMBERED_FAILURES)?,
            flood: Flood::new(self.front.work_above, self.front.work_bits),
            keys: self.keys,
            register,
            evidence: self.evidence,
            policy: self.policy,
            texts: self.texts,
            clock,
            front: self.front,
            witnesses: self.witnesses,
        };
        Ok((shared, self.vault))
    }
}

/// Reads the policy and the keys.
fn read(database: &Database, front: Front, witnesses_file: Option<&Path>) -> Result<Read, Failed> {
    let policy = match &database.policy {
        Some(path) => {
            Policy::load(path).map_err(|flaws| flawed(&format!("the policy {}", path.display()), &flaws))?
        }
        None => Policy::built_in().map_err(|flaws| flawed("the policy that the program carries", &flaws))?,
    };
    let texts = Texts::built_in().map_err(|flaws| flawed("the texts that the program carries", &flaws))?;
    let witnesses = witnesses_file.map(read_witnesses).transpose()?;
    create_data_dir(&database.data_dir)?;
    let keys = Keys::open_or_create(&database.key_dir(), database.log_origin.as_deref())?;
    if let Some((file, policy)) = witnesses_file.zip(witnesses.as_ref()) {
        let flaws = witnesses::flaws(policy, &keys.log_verifiers());
        if !flaws.is_empty() {
            return Err(flawed(&policy_of_witnesses(file), &flaws));
        }
    }
    let vault = vault::open(database)?;
    let store = database.evidence_store.as_deref().filter(|url| !url.is_empty());
    let evidence = Blobs::open(store, &database.data_dir, database.evidence_limit).map_err(|flaw| {
        Failed::new(format!(
            "the store of evidence (--evidence-store, TEMWEN_EVIDENCE_STORE) cannot be used: {flaw}"
        ))
    })?;
    Ok(Read { keys, vault, evidence, policy, texts, front, witnesses })
}

/// What flaws of that file are told under.
fn policy_of_witnesses(file: &Path) -> String {
    format!("the policy of witnesses {} (--witnesses, TEMWEN_WITNESSES)", file.display())
}

/// Reads who witnesses the log.
fn read_witnesses(file: &Path) -> Result<TrustPolicy, Failed> {
    let what = policy_of_witnesses(file);
    let source = fs::read(file).map_err(|error| Failed::because(format!("cannot read {what}"), &error))?;
    TrustPolicy::parse(&source).map_err(|faults| flawed(&what, &faults))
}

/// Every flaw on a line of its own.
pub(super) fn flawed(what: &str, flaws: &[impl Display]) -> Failed {
    let lines: Vec<String> = flaws.iter().map(|flaw| format!("\n  {flaw}")).collect();
    let flaws = if lines.len() == 1 { "a flaw".to_owned() } else { format!("{} flaws", lines.len()) };
    Failed::new(format!("{what} has {flaws}:{}", lines.concat()))
}

/// Runs `work`, which waits for processes and files, where it holds up nobody.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failed> {
    match spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(error) => Err(Failed::because("a thread of the program ended early", &error)),
    }
}
