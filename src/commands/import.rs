//! `temwen import complaints`: takes over what another register, or an office's old spreadsheet, holds.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use super::opened::{Opened, Use, flawed};
use super::{Failed, say};
use crate::config::Database;
use crate::import::mapping::Mapping;
use crate::import::{self, Ended, Failure, Options, Progress, Summary};

/// Connections that an import needs: it writes with one at a time.
const CONNECTIONS: usize = 2;

/// What to take over.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Example:
  temwen import complaints --complaints complaints.csv.gz --allegations allegations.csv.gz --dry-run")]
pub struct Arguments {
    /// What to take over.
    #[command(subcommand)]
    pub what: What,
}

/// What can be taken over.
#[derive(Debug, Clone, Subcommand)]
pub enum What {
    /// Complaints, each with a case, and what is alleged in them
    Complaints(Box<Complaints>),
}

/// Which complaints, and how.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Every row is stored, was there already, or stands in the rejects file with all its faults. It may be stopped with Ctrl-C, or \
in any other way, and run again: nothing is stored twice and nothing is left out. It works while the server runs. What is done with \
each column, and what a mapping file may say, stands in docs/IMPORT.md; docs/import-example.toml is one.

Examples:
  temwen import complaints --complaints complaints.csv.gz --allegations allegations.csv.gz --dry-run
  temwen import complaints --complaints old.csv --mapping office.toml --rejects old-rejects.csv")]
pub struct Complaints {
    /// The complaints: CSV with a header, in UTF-8, packed by gzip or not
    #[arg(long, value_name = "FILE")]
    pub complaints: PathBuf,
    /// What is alleged in them, in a file of the same kind. Default: none
    #[arg(long, value_name = "FILE")]
    pub allegations: Option<PathBuf>,
    /// How the columns are called and what stands in them, a TOML file. Default: they are called as our fields are
    #[arg(long, value_name = "FILE")]
    pub mapping: Option<PathBuf>,
    /// Where refused rows are written, with their reasons; begun anew each time. Default: import-rejects.csv, here
    #[arg(long, value_name = "FILE", default_value = "./import-rejects.csv", hide_default_value = true)]
    pub rejects: PathBuf,
    /// Check and count everything and write the rejects file, but store nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How many rows are stored at once, 1 to 2000. Default: 500
    #[arg(
        long, value_name = "NUMBER", default_value = "500", hide_default_value = true,
        value_parser = clap::value_parser!(u16).range(1..=2000)
    )]
    pub batch: u16,
    /// Where the register is kept.
    #[command(flatten)]
    pub database: Database,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failed> {
    let What::Complaints(arguments) = arguments.what;
    let stop = listen()?;
    let opened = Opened::open(&arguments.database, Use::Command).await?;
    let done = import(&opened, &arguments, stop).await;
    opened.close().await?;
    let summary = done?;
    say(&summary.to_string())?;
    if summary.complaints.refused + summary.allegations.refused > 0 {
        say(&format!("The refused rows stand in {}, with their reasons.", arguments.rejects.display()))?;
    }
    match summary.ended {
        Ended::BrokeOff(_) => Err(Failed::new("not everything could be read")),
        Ended::Whole | Ended::Stopped => Ok(()),
    }
}

async fn import(opened: &Opened, arguments: &Complaints, stop: Arc<AtomicBool>) -> Result<Summary, Failed> {
    let temwen = opened.temwen(CONNECTIONS)?;
    let mapping = match &arguments.mapping {
        Some(path) => Mapping::load(path, &temwen.policy)
            .map_err(|flaws| flawed(&format!("the mapping {}", path.display()), &flaws))?,
        None => Mapping::default(),
    };
    let options = Options {
        complaints: arguments.complaints.clone(),
        allegations: arguments.allegations.clone(),
        mapping,
        rejects: arguments.rejects.clone(),
        dry_run: arguments.dry_run,
        batch: usize::from(arguments.batch),
        stop,
    };
    import::run(&temwen, &options, &mut Progress::on_standard_error()).await.map_err(
        |failure| match failure {
            Failure::File(sentence) => Failed::new(sentence),
            Failure::Register(error) => {
                let why = Failed::from(error);
                Failed::new(format!(
                    "{why}; what was stored before stays: run it again to go on, nothing is stored twice"
                ))
            }
        },
    )
}

/// Listens for Ctrl-C and SIGTERM: the batch in hand is finished, then the import ends. A second one ends it at once,
/// which does no harm either.
fn listen() -> Result<Arc<AtomicBool>, Failed> {
    let deaf = |error| Failed::because("Ctrl-C cannot be listened for", &error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(deaf)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(deaf)?;
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    tokio::spawn(async move {
        loop {
            let code = tokio::select! {
                _ = interrupt.recv() => 128 + SignalKind::interrupt().as_raw_value(),
                _ = terminate.recv() => 128 + SignalKind::terminate().as_raw_value(),
            };
            if told.swap(true, Ordering::Relaxed) {
                std::process::exit(code);
            }
        }
    });
    Ok(stop)
}
