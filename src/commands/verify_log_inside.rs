//! `temwen verify-log` from inside: the register's own database against its log.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::opened::{Opened, Private, given};
use super::{Failed, say};
use crate::auth::credentials::Checking;
use crate::config::Database;
use crate::db::{Connect, migrate};
use crate::log::guard::Guard;
use crate::log::verify::{self, Report, Rules, Whole};
use crate::outside::Verdict;
use crate::progress::{Counted, Progress};
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
    /// Whether it is well that seals are not checked, where `intake.key` is not at hand.
    pub without_seals: bool,
}

/// Checks the register, shows progress on standard error, and names every finding on standard output. Whatever could
/// not be checked is named too, and then all is not well.
///
/// # Errors
/// When it could not be checked, with a sentence that says why. That is not to be taken for a good sign.
pub async fn inside(arguments: &Inside<'_>) -> Result<Verdict, Failed> {
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
    tell(&report?, unchecked)
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
                let things = "entries and rows";
                progress.show(
                    Counted::Things,
                    (done, all),
                    || things.to_owned(),
                    || format!("{things}: {done} of about {all}"),
                );
            }
        }
    };
    progress.end();
    Ok(report?)
}

fn tell(report: &Report, mut unchecked: Vec<String>) -> Result<Verdict, Failed> {
    for finding in &report.findings {
        say(&finding.to_string())?;
    }
    if report.more > 0 {
        say(&format!("… and {} findings more", report.more))?;
    }
    say(&format!("Looked at {}.", report.looked_at()))?;
    if report.counts.unsigned_heads > 0 {
        say(
            "The last checkpoint is not signed yet: the server that made it ended before, or is about to sign it.",
        )?;
    }
    if report.counts.unchecked_heads > 0 {
        unchecked.push(format!(
            "the signatures of {} checkpoints, which no known key of the log made (--key, or the key directory: --key-dir)",
            report.counts.unchecked_heads
        ));
    }
    for what in &unchecked {
        say(&format!("Not checked: {what}."))?;
    }
    if !report.findings.is_empty() {
        say(&format!("The register was tampered with: {} findings.", report.findings.len() + report.more))?;
        return Ok(Verdict::Tampered);
    }
    if unchecked.is_empty() {
        say("Everything is as the log says.")?;
        return Ok(Verdict::Good);
    }
    say("What was checked is as the log says.")?;
    Ok(Verdict::Unchecked)
}

/// What is checked with, and what cannot be checked.
fn rules(arguments: &Inside<'_>) -> Result<(Rules, Vec<String>), Failed> {
    let mut rules = Rules { keys: arguments.keys.to_vec(), ..Rules::at(Clock::system().now()) };
    let mut unchecked = Vec::new();
    let dir = arguments.database.key_dir();
    let Checking { seal, log } = Checking::read(&dir)?;
    rules.keys.extend(log.into_iter().filter(|key| !arguments.keys.contains(key)));
    let last = Guard::read(&dir, &rules.keys)
        .map_err(|error| Failed::because("what was signed last is not known", &error))?;
    rules.known.extend(last);
    if seal.is_none() && !arguments.without_seals {
        unchecked.push(
            "seals of entries, for want of intake.key in the key directory (--key-dir; --without-seals accepts that)"
                .to_owned(),
        );
    }
    rules.seal = seal;
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
