//! `temwen verify-log`: whether a log is what it was, from outside over its public address, or from inside its register.

use std::path::PathBuf;

use clap::Args;
use secrecy::SecretString;

use super::verify_log_inside::{self, Inside};
use super::{Failed, say};
use crate::config::Database;
use crate::outside::Verdict;
use crate::outside::log::{Report, Request, verify};
use crate::outside::source::Source;
use crate::outside::trust::{self, Trust};
use crate::progress::Progress;
use crate::tlog::LONGEST_NOTE;

/// Which log, from which side, and whom to trust.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
With --url it looks from outside, with public keys alone: it reads the log's checkpoint and all its tiles and computes the root anew. \
Without, it looks from inside, at the register that --database-url or --data-dir names: entries, objects and tiles.

Names every finding. Ends with 0 if all is well, 1 if something was tampered with, 2 if not everything could be checked: from inside, \
seals of entries are checked only with the server's intake.key, and whoever has the database but not that key either gets 2 or says \
--without-seals.

Examples:
  temwen verify-log --url https://temwen.example/v1/log --key log.key --checkpoint old --save new
  TEMWEN_TOKEN=... temwen verify-log --url https://temwen.example/v1/log --key log.key --entries
  temwen verify-log --data-dir ./temwen-data")]
pub struct Arguments {
    /// Look from outside: the log's address, or a folder with a copy of what it serves. Default: look from inside
    #[arg(long, value_name = "URL", requires = "key")]
    pub url: Option<String>,
    /// The log's public key: the line itself, or a file that holds one or more of them; may be repeated. Default: from
    /// inside, those of the key directory
    #[arg(long, value_name = "KEY")]
    pub key: Vec<String>,
    /// A checkpoint of this log that you kept: all that it had then must still be there. Default: not compared
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Write the log's checkpoint to this file, if all is well. Default: not written
    #[arg(long, value_name = "FILE", requires = "url")]
    pub save: Option<PathBuf>,
    /// The public key of a witness whom you trust, or a file of them; may be repeated. Default: none
    #[arg(long, value_name = "KEY", requires = "url")]
    pub witness: Vec<String>,
    /// How many of those witnesses must have signed. Default: 0
    #[arg(long, value_name = "NUMBER", default_value = "0", hide_default_value = true)]
    pub witnesses_needed: usize,
    /// Read the entries too, which only auditors may, and compare them with the tiles
    #[arg(long, requires = "url")]
    pub entries: bool,
    /// An auditor's access token, for --entries. Better given in the environment, since others on this machine can read
    /// flags. Default: none
    #[arg(long, env = "TEMWEN_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub token: Option<SecretString>,
    /// From inside: end with 0 although the seals of entries could not be checked, for want of intake.key. Then an entry that
    /// somebody wrote past the server is not found. Default: end with 2
    #[arg(long, conflicts_with = "url")]
    pub without_seals: bool,
    /// Where the register is kept.
    #[command(flatten)]
    pub database: Database,
}

/// From where a log is looked at.
#[derive(Debug)]
enum Side<'a> {
    /// With public keys alone, at what it serves at this address.
    Outside(&'a str),
    /// With the register itself.
    Inside(&'a Database),
}

impl Arguments {
    fn side(&self) -> Side<'_> {
        self.url.as_deref().map_or(Side::Inside(&self.database), Side::Outside)
    }
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failed> {
    match arguments.side() {
        Side::Outside(url) => outside(url, &arguments).await,
        Side::Inside(database) => inside(database, &arguments).await,
    }
}

async fn inside(database: &Database, arguments: &Arguments) -> Result<(), Failed> {
    let keys = if arguments.key.is_empty() {
        Vec::new()
    } else {
        Trust::of(&arguments.key, &[], 0).map_err(unchecked)?.logs
    };
    let checkpoints: Vec<PathBuf> = arguments.checkpoint.iter().cloned().collect();
    let without_seals = arguments.without_seals;
    let looked = verify_log_inside::inside(&Inside {
        database,
        checkpoints: &checkpoints,
        keys: &keys,
        without_seals,
    })
    .await;
    match looked {
        Ok(Verdict::Good) => Ok(()),
        Ok(Verdict::Unchecked) => Err(unchecked("not everything could be checked")),
        Ok(Verdict::Tampered) => {
            Err(Failed::new("the register is not what its log says").with_code(Verdict::Tampered.exit_code()))
        }
        Err(failed) => Err(failed.with_code(Verdict::Unchecked.exit_code())),
    }
}

async fn outside(url: &str, arguments: &Arguments) -> Result<(), Failed> {
    let trust =
        Trust::of(&arguments.key, &arguments.witness, arguments.witnesses_needed).map_err(unchecked)?;
    let old = match &arguments.checkpoint {
        Some(path) => {
            let unreadable = |why: String| unchecked(format!("the old checkpoint cannot be read: {why}"));
            let bytes = trust::read(path, LONGEST_NOTE).map_err(|error| unreadable(error.to_string()))?;
            Some(String::from_utf8(bytes).map_err(|_| unreadable("it is not text".to_owned()))?)
        }
        None => None,
    };
    let token = arguments.token.clone().filter(|_| arguments.entries);
    let source = Source::of(url, token).map_err(unchecked)?;
    let request = Request { source: &source, trust: &trust, old: old.as_deref(), entries: arguments.entries };
    let report = verify(&request, &mut Progress::on_standard_error()).await;
    tell(&report)?;
    match (report.verdict(), &report.now, &arguments.save) {
        (Verdict::Good, Some(now), Some(path)) => {
            keep(path, &now.text).map_err(|error| unchecked(format!("{}: {error}", path.display())))
        }
        (Verdict::Good, _, _) => Ok(()),
        (Verdict::Tampered, _, _) => {
            let count = report.more_findings.saturating_add(report.findings.len() as u64);
            let findings = if count == 1 { "finding" } else { "findings" };
            Err(Failed::new(format!("the log is not what it must be: {count} {findings}"))
                .with_code(Verdict::Tampered.exit_code()))
        }
        (Verdict::Unchecked, _, _) => Err(unchecked("not everything could be checked")),
    }
}

fn unchecked(sentence: impl Into<String>) -> Failed {
    Failed::new(sentence).with_code(Verdict::Unchecked.exit_code())
}

fn tell(report: &Report) -> Result<(), Failed> {
    if let Some(now) = &report.now {
        say(&format!("The log {} signed a tree of {} entries.", now.origin, now.head.size))?;
        for witness in &report.witnesses {
            say(&format!("Its witness {} signed it too.", witness.name))?;
        }
        let good = report.verdict() == Verdict::Good;
        let fit = if good { "; they give exactly the root that was signed" } else { "" };
        say(&format!("{} tiles were read{fit}.", report.tiles))?;
        if report.entries > 0 {
            say(&format!(
                "{} entries were read{}.",
                report.entries,
                if good { "; each is the one that was signed" } else { "" }
            ))?;
        }
    }
    if let Some(old) = report.grown_from {
        say(&format!(
            "All {} entries of the old checkpoint are there, unchanged and in their places.",
            old.size
        ))?;
    }
    for finding in &report.findings {
        say(&format!("WRONG: {finding}"))?;
    }
    if report.more_findings > 0 {
        say(&format!("WRONG: and {} findings more", report.more_findings))?;
    }
    report.unchecked.iter().try_for_each(|why| say(&format!("NOT CHECKED: {why}")))
}

/// Writes a checkpoint so that the file holds the old one or the new one, never half of it.
fn keep(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    std::fs::write(&beside, text)?;
    std::fs::rename(&beside, path)
}
