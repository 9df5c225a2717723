//! Every command and every setting, read once at start from flags or the environment. `temwen help` lists them.
//!
//! Belongs here: their names, defaults and sentences. Does not belong here: acting on them; see [`crate::commands`].

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use secrecy::SecretString;

use crate::commands::{add_user, import, keys, verify_log, verify_receipt};
use crate::witness;

/// The register of misconduct complaints and cases of an international security mission.
#[derive(Debug, Parser)]
#[command(name = "temwen", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the register over HTTP until Ctrl-C or SIGTERM
    Serve(Box<Serve>),
    /// Bring a database to the schema that this program knows
    Migrate(Migrate),
    /// Make an account; its password comes by standard input
    AddUser(Box<add_user::Arguments>),
    /// Take over what another register, or an old spreadsheet, holds
    Import(Box<import::Arguments>),
    /// Show, rotate and remove the master keys of the vault
    Keys(Box<keys::Arguments>),
    /// Add a key beside the one in use: the newer signs from the next start on, the older stays good
    RotateKey(RotateKey),
    /// Say what a receipt proves, with the log's public key alone
    VerifyReceipt(Box<verify_receipt::Arguments>),
    /// Check that the log is what it was, from outside or from inside
    VerifyLog(Box<verify_log::Arguments>),
    /// Witness transparency logs for others: cosign what continues, refuse what does not
    Witness(Box<witness::command::Arguments>),
    /// Print the OpenAPI document of the HTTP interface, as YAML
    Openapi(Openapi),
}

/// Where the register is kept.
#[derive(Debug, Clone, Args)]
pub struct Database {
    /// The directory of the private PostgreSQL, its log and the keys; made if missing. Default: temwen-data, here
    #[arg(
        long,
        env = "TEMWEN_DATA_DIR",
        value_name = "DIR",
        default_value = "./temwen-data",
        hide_default_value = true
    )]
    pub data_dir: PathBuf,
    /// Use this PostgreSQL (15 to 18) instead of a private one: `postgres://user:password@host/database`. Better given in
    /// the environment, since others on this machine can read flags. Default: none
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<SecretString>,
    /// The directory of the programs postgres and initdb, for the private PostgreSQL. Default: searched for
    #[arg(long, env = "TEMWEN_POSTGRES_BIN_DIR", value_name = "DIR")]
    pub postgres_bin_dir: Option<PathBuf>,
    /// The directory of the key files; made if missing. All servers of one database need the same keys. Default: keys in
    /// the data directory
    #[arg(long, env = "TEMWEN_KEY_DIR", value_name = "DIR")]
    pub key_dir: Option<PathBuf>,
    /// The master keys of the vault, each 32 bytes in base64 with commas between; the first wraps what is new. Best given in
    /// the environment, by whatever keeps the secrets of this machine. Default: files in the key directory, made if missing
    #[arg(long, env = "TEMWEN_MASTER_KEYS", value_name = "KEYS", hide_env_values = true)]
    pub master_keys: Option<SecretString>,
    /// Where the bytes of evidence are kept, sealed: `file:///directory`, or `s3://bucket/path`, whose address and credentials
    /// come from the environment, as the tools of S3 know it (`AWS_ENDPOINT`, `AWS_REGION` and the like). Default: evidence in
    /// the data directory
    #[arg(long, env = "TEMWEN_EVIDENCE_STORE", value_name = "URL")]
    pub evidence_store: Option<String>,
    /// The most bytes that a file of evidence may have, 1 to 2147483648. Default: 2147483648 (2 GiB)
    #[arg(long, env = "TEMWEN_EVIDENCE_LIMIT", value_name = "BYTES", default_value = "2147483648", hide_default_value = true,
        value_parser = clap::value_parser!(u64).range(1..=2_147_483_648))]
    pub evidence_limit: u64,
    /// What the audit log is called, for ever: best the address it is read at, without a scheme, such as
    /// register.example/v1/log. Default: a name that is nobody else's, made with the log's first key
    #[arg(long, env = "TEMWEN_LOG_ORIGIN", value_name = "NAME")]
    pub log_origin: Option<String>,
    /// The mission's policy, a TOML file. Default: the policy for Haiti that the program carries
    #[arg(long, env = "TEMWEN_POLICY", value_name = "FILE")]
    pub policy: Option<PathBuf>,
}

impl Database {
    /// The directory of the key files.
    pub fn key_dir(&self) -> PathBuf {
        self.key_dir.clone().unwrap_or_else(|| self.data_dir.join("keys"))
    }
}

/// How to serve.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Without --database-url it keeps a private PostgreSQL in the data directory, which it starts, migrates and stops by itself. \
A given database is migrated by `temwen migrate`, never by the server.

Examples:
  temwen serve --demo
  DATABASE_URL=postgres://temwen@db.example/temwen temwen serve --listen 0.0.0.0:8080 --trusted-proxies 1")]
pub struct Serve {
    /// Where the register is kept.
    #[command(flatten)]
    pub database: Database,
    /// The address and port to listen on; port 0 takes any free one. Default: 127.0.0.1:8080
    #[arg(
        long,
        env = "TEMWEN_LISTEN",
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:8080",
        hide_default_value = true
    )]
    pub listen: SocketAddr,
    /// Fill an empty register with one account per role, whose passwords are printed once, and a few fictional complaints
    #[arg(long)]
    pub demo: bool,
    /// How many threads answer requests, 1 to 1024. Default: as many as there are cores
    #[arg(long, env = "TEMWEN_WORKERS", value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,
    /// How many database connections each of those threads keeps at most, 1 to 1024. Default: 8
    #[arg(
        long, env = "TEMWEN_DATABASE_CONNECTIONS", value_name = "NUMBER", default_value = "8", hide_default_value = true,
        value_parser = clap::value_parser!(u16).range(1..=1024)
    )]
    pub database_connections: u16,
    /// How many proxies stand in front, each of which appends to X-Forwarded-For; with 0 that header is ignored. Default: 0
    #[arg(
        long, env = "TEMWEN_TRUSTED_PROXIES", value_name = "NUMBER", default_value = "0", hide_default_value = true,
        value_parser = clap::value_parser!(u8).range(0..=16)
    )]
    pub trusted_proxies: u8,
    /// The file of the server's TLS certificate and those it leads to, PEM. Default: no TLS; a proxy in front has it
    #[arg(long, env = "TEMWEN_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The file of the private key of that certificate, PEM, open to its owner alone. Default: no TLS
    #[arg(long, env = "TEMWEN_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// How many complaints in ten seconds the public may hand in as they are; whoever comes beyond that does some work or
    /// waits, and nobody is turned away. With 0 nobody is asked. Default: 200
    #[arg(
        long, env = "TEMWEN_WORK_ABOVE", value_name = "NUMBER", default_value = "200", hide_default_value = true,
        value_parser = clap::value_parser!(u32).range(0..=1_000_000)
    )]
    pub work_above: u32,
    /// How much work that is: with how many zero bits a SHA-256 has to begin, 8 to 22. Each bit doubles it. Default: 18, about
    /// a second of a telephone
    #[arg(
        long, env = "TEMWEN_WORK_BITS", value_name = "NUMBER", default_value = "18", hide_default_value = true,
        value_parser = clap::value_parser!(u8).range(8..=22)
    )]
    pub work_bits: u8,
    /// The address and port on which GET /metrics answers in the text format of Prometheus; not for the public. Default:
    /// nowhere
    #[arg(long, env = "TEMWEN_METRICS_LISTEN", value_name = "ADDRESS:PORT")]
    pub metrics_listen: Option<SocketAddr>,
    /// The file that names the outside witnesses of the audit log and says whose cosignatures are enough, as
    /// <https://c2sp.org/tlog-policy> has it. Default: no witnesses
    #[arg(long, env = "TEMWEN_WITNESSES", value_name = "FILE")]
    pub witnesses: Option<PathBuf>,
    /// What is logged to standard error: error, warn, info, debug or trace, or more per module, such as
    /// `info,temwen::db=debug`. Libraries never log more than warnings. Default: info
    #[arg(
        long,
        env = "TEMWEN_LOG",
        value_name = "FILTER",
        default_value = "info",
        hide_default_value = true
    )]
    pub log: String,
    /// How a line of the log looks. Default: text on a terminal, otherwise json
    #[arg(long, env = "TEMWEN_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line, for machines.
    Json,
    /// Words, for people.
    Text,
}

/// Which database to migrate.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
A given database is migrated by the role that its URL names, which becomes the owner of what is made; the server then acts as the \
role temwen_server, which owns nothing. A newer database is left alone. It does no harm to run it again.

Example:
  DATABASE_URL=postgres://owner@db.example/temwen temwen migrate")]
pub struct Migrate {
    /// Where the register is kept.
    #[command(flatten)]
    pub database: Database,
}

/// Which key to add.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Servers that share no key directory get the new file before any of them is started again. The change is on record when a server \
starts with it. An old file may be taken away once nobody needs it: a token key after five minutes, a log key when everybody who \
checks the log knows the new one.

Example:
  temwen rotate-key log")]
pub struct RotateKey {
    /// What the key signs
    #[arg(value_name = "WHAT")]
    pub what: Rotated,
    /// The directory of the private PostgreSQL, its log and the keys. Default: temwen-data, here
    #[arg(
        long,
        env = "TEMWEN_DATA_DIR",
        value_name = "DIR",
        default_value = "./temwen-data",
        hide_default_value = true
    )]
    pub data_dir: PathBuf,
    /// The directory of the key files. Default: keys in the data directory
    #[arg(long, env = "TEMWEN_KEY_DIR", value_name = "DIR")]
    pub key_dir: Option<PathBuf>,
}

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Rotated {
    /// Access tokens.
    Token,
    /// The audit log's checkpoints.
    Log,
}

/// Takes nothing.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Example:
  temwen openapi > openapi.yaml")]
pub struct Openapi {}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_commands_hold_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_sample_names_every_setting_under_its_sentence() {
        let sample = include_str!("../.env.sample");
        let setting = |line: &'static str| {
            let (name, _) = line.strip_prefix('#').unwrap_or(line).split_once('=')?;
            let plain = |b: u8| b.is_ascii_uppercase() || b == b'_';
            name.bytes().all(plain).then_some(name)
        };
        let lines: Vec<&str> = sample.lines().collect();
        let named: Vec<&str> = lines.iter().filter_map(|line| setting(line)).collect();
        for pair in lines.windows(2) {
            assert!(setting(pair[1]).is_none() || pair[0].starts_with("# "), "{} has no sentence", pair[1]);
        }
        let mut settings: Vec<String> = Vec::new();
        for command in Cli::command().get_subcommands() {
            for argument in command.get_arguments() {
                let Some(name) = argument.get_env().and_then(|name| name.to_str()) else { continue };
                assert!(
                    argument.get_help().is_some_and(|help| help.to_string().len() > 20),
                    "{name} has no sentence"
                );
                if !settings.iter().any(|known| known == name) {
                    settings.push(name.to_owned());
                }
            }
        }
        assert_eq!(named, settings);
    }

    #[test]
    fn every_flag_of_every_command_has_a_sentence() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_after_help().is_some(), "{} shows no example", command.get_name());
            for argument in command.get_arguments() {
                assert!(
                    argument.get_help().is_some(),
                    "{} of {} has none",
                    argument.get_id(),
                    command.get_name()
                );
            }
        }
    }
}
