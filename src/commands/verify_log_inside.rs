//! `temwen verify-log` from inside: the register's own database against its log.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::opened::{Opened, Private, given};
use super::{Failed, say};
use crate::auth::credentials::Keys;
use crate::config::Database;
use crate::db::{Connect, migrate};
use crate::import::Progress;
use crate::log::guard::Guard;
use crate::log::verify::{self, Report, Rules, Whole};
use crate::temwen::Clock;
use crate::tlog::{self, Head, VerifierKey};

/// How often progress is shown.
const SHOWN: Duration = Duration::from_millis(200);

/// What to look at, and with what.
#[derive(Debug, Clone, Copy)]
pub struct Inside<'a> {
    /// Where the register is kept. Its key directory is only read, and need not be there.
    pub database: &'a Database,
    /// Checkpoints that somebody kept: files.
    pub checkpoints: &'a [PathBuf],
    /// The log's verifier keys, where the key directory is not at hand.
    pub keys: &'a [VerifierKey],
}

/// Checks the register, shows progress on standard error, and names every finding on standard output; whether all is well.
///
/// # Errors
/// When it could not be checked, with a sentence that says why. That is not to be taken for a good sign.
pub async fn inside(arguments: &Inside<'_>) -> Result<bool, Failed> {
    let (rules, unchecked) = rules(arguments)?;
    let (private, connect) = if let Some(connect) = given(arguments.database)? {
        // As the role of the URL itself: the server's own role sees what its caller may see.
        (None, Connect { as_owner: true, ..connect })
    } else {
        let dir = &arguments.database.data_dir;
        if !dir.is_dir() {
            return Err(Failed::new(format!("there is no register in {}", dir.display())));
        }
        let private = Private::start(arguments.database, 0).await?;
        let connect = private.owner();
        (Some(private), connect)
    };
    let report = look(&connect, rules).await;
    Opened::stop(private).await?;
    tell(&report?, &unchecked)
}

async fn look(connect: &Connect, rules: Rules) -> Result<Report, Failed> {
    migrate::check(connect).await?.map_err(|difference| Failed::new(difference.to_string()))?;
    let whole = Arc::new(Whole::default());
    let mut progress = Progress::on_standard_error();
    let checking = verify::whole(connect, rules, Arc::clone(&whole));
    tokio::pin!(checking);
    let report = loop {
        tokio::select! {
            report = &mut checking => break report,
            () = tokio::time::sleep(SHOWN) => {
                let (done, all) = whole.progress();
                progress.show_steps("entries and rows", done, all);
            }
        }
    };
    progress.end();
    Ok(report?)
}

fn tell(report: &Report, unchecked: &[&str]) -> Result<bool, Failed> {
    for finding in &report.findings {
        say(&finding.to_string())?;
    }
    if report.more > 0 {
        say(&format!("… and {} findings more", report.more))?;
    }
    say(&format!("Looked at {}.", report.looked_at()))?;
    for what in unchecked {
        say(&format!("Not checked: {what}."))?;
    }
    let good = report.findings.is_empty();
    if good {
        say("Everything is as the log says.")?;
    } else {
        say(&format!("The register was tampered with: {} findings.", report.findings.len() + report.more))?;
    }
    Ok(good)
}

/// What is checked with, and what cannot be checked.
fn rules(arguments: &Inside<'_>) -> Result<(Rules, Vec<&'static str>), Failed> {
    let mut rules = Rules { keys: arguments.keys.to_vec(), ..Rules::at(Clock::system().now()) };
    let mut unchecked = Vec::new();
    let dir = arguments.database.key_dir();
    // Looking must not make keys: with new ones, everything would seem to be forged.
    if dir.join("intake.key").is_file() && dir.join("log-0001.key").is_file() {
        let keys = Keys::open_or_create(&dir, None)?;
        rules.seal = Some(keys.entry_seal());
        let own = keys.log_verifiers();
        let guard = Guard::open(&dir, &own)
            .map_err(|error| Failed::because("what was signed last is not known", &error))?;
        rules.known.extend(guard.last());
        rules.keys.extend(own);
    } else {
        unchecked.push("seals of entries, for want of the key directory (--key-dir)");
    }
    if rules.keys.is_empty() {
        unchecked.push(
            "signatures of checkpoints, for want of the log's key (--key) or the key directory (--key-dir)",
        );
    }
    for path in arguments.checkpoints {
        rules.known.push(kept(path, &rules.keys)?);
    }
    Ok((rules, unchecked))
}

/// The head of a checkpoint that somebody kept.
fn kept(path: &Path, keys: &[VerifierKey]) -> Result<Head, Failed> {
    let named = |why: String| Failed::new(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
    tlog::open(&text, keys).map(|checkpoint| checkpoint.head).map_err(|fault| named(fault.to_string()))
}
