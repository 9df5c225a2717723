//! Import: taking over what another register, or an office's old spreadsheet, holds.
//!
//! Belongs here: reading files of complaints and allegations row by row, taking over what can be taken over, and giving
//! back every other row with its reasons: rows read = rows stored + rows that were there + rows refused, always.
//! Does not belong here: what a complaint or a case is; see [`crate::complaints`] and [`crate::cases`].
//! May touch: its own store, which writes many rows at once, and the faces of the features.

mod allegation_row;
mod allegations;
mod allegations_store;
mod complaint_row;
mod complaints;
mod dates;
pub mod mapping;
mod mapping_file;
mod rejects;
mod seen;
mod source;
mod store;
mod summary;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use self::mapping::{Bound, Mapping, Sheet};
use self::rejects::Rejects;
use self::seen::Seen;
use self::source::{Row, Source};
use crate::audit::{Event, What};
use crate::coa::{Policy, Vocabulary};
use crate::db::Caller;
use crate::error::{Error, Kind};
use crate::progress::Counted;
pub use crate::progress::Progress;
use crate::temwen::Temwen;
use crate::values::Fault;

pub use self::summary::{Counts, Ended, Summary};

/// The channel of what came through none that the policy knows.
const CHANNEL: &str = "partner_referral";
/// How often a batch is tried again when somebody else was quicker with one of its rows.
const TRIES: usize = 8;

/// From how many bytes on a batch is full, however few its rows.
const FULL: usize = 4 * 1024 * 1024;

/// What to import, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The file of complaints: CSV, packed by gzip or not.
    pub complaints: PathBuf,
    /// The file of their allegations, if there is one.
    pub allegations: Option<PathBuf>,
    /// How their columns are read.
    pub mapping: Mapping,
    /// Where refused rows go; the file is begun anew.
    pub rejects: PathBuf,
    /// Check and count everything, store nothing.
    pub dry_run: bool,
    /// How many rows are stored in one transaction.
    pub batch: usize,
    /// Set by somebody who wants the import to end after the batch in hand.
    pub stop: Arc<AtomicBool>,
}

/// Why an import did not even begin, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A file is not as it should be; nothing was stored.
    #[error("{0}")]
    File(String),
    /// What can be wrong with the register itself.
    #[error(transparent)]
    Register(#[from] Error),
}

/// What every row is checked against.
struct Rules<'a> {
    policy: &'a Policy,
    now: DateTime<Utc>,
    zone: Tz,
    channel: &'a str,
}

/// Why a row was refused: every fault of it.
#[derive(Debug, Clone)]
struct Faulty(Vec<Fault>);

/// What became of a row.
#[derive(Debug, Clone)]
enum Verdict {
    Stored,
    There,
    Refused(Faulty),
}

impl Verdict {
    /// Refused for what a field says in view of other rows.
    fn refused(field: &str, detail: &str) -> Self {
        Self::Refused(Faulty(vec![Fault::new(field, detail)]))
    }
}

/// Which of the two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Complaints,
    Allegations,
}

/// Imports complaints, then their allegations.
///
/// Running it again, after it ended or was ended in whatever way, stores what is not there yet and nothing twice.
pub async fn run(temwen: &Temwen, options: &Options, progress: &mut Progress) -> Result<Summary, Failure> {
    let started = Instant::now();
    let mapping = &options.mapping;
    if !temwen.policy.knows(Vocabulary::Channel, CHANNEL) {
        return Err(Failure::File(format!(
            "the policy has no channel {CHANNEL}, in which imported complaints come"
        )));
    }
    for input in std::iter::once(&options.complaints).chain(&options.allegations) {
        if let (Ok(input), Ok(rejects)) = (input.canonicalize(), options.rejects.canonicalize())
            && input == rejects
        {
            return Err(Failure::File(format!("{} cannot be both read and written", input.display())));
        }
    }
    // Both are opened first: what is wrong with the second should be said before the first is stored.
    let mut complaints = Source::open(&options.complaints, mapping.delimiter).map_err(Failure::File)?;
    let allegations =
        options.allegations.as_ref().map(|path| Source::open(path, mapping.delimiter)).transpose();
    let allegations = allegations.map_err(Failure::File)?;
    let rejects = Rejects::create(&options.rejects).map_err(|error| unwritable(options, &error))?;
    let policy = &temwen.policy;
    let zone = mapping.timezone.unwrap_or_else(|| policy.calendar().zone());
    let mut import = Import {
        temwen,
        options,
        caller: Caller::system("import"),
        rules: Rules { policy, now: temwen.clock.now(), zone, channel: CHANNEL },
        rejects,
        seen: options.dry_run.then(Seen::default),
        summary: Summary::default(),
    };
    let bound = bind(&mapping.complaints, &complaints)?;
    if !options.dry_run {
        let event = Event::register(What::ImportBegan).with("allegations", options.allegations.is_some());
        temwen.db.remember(&import.caller, "import.begin", event).await.map_err(Failure::Register)?;
    }
    let second = allegations.as_ref().map(|source| bind(&mapping.allegations, source)).transpose()?;
    let first = import.file(Which::Complaints, &mut complaints, &bound, progress).await;
    let done = match (first, allegations, second) {
        (Ok(()), Some(mut source), Some(bound)) if import.summary.ended == Ended::Whole => {
            import.file(Which::Allegations, &mut source, &bound, progress).await
        }
        (first, _, _) => first,
    };
    progress.end();
    done?;
    import.summary.elapsed = started.elapsed();
    import.summary.dry_run = options.dry_run;
    import.summary.check()?;
    if !options.dry_run {
        import.remember_end().await.map_err(Failure::Register)?;
    }
    Ok(import.summary)
}

fn bind<'a>(sheet: &'a Sheet, source: &Source) -> Result<Bound<'a>, Failure> {
    sheet.bind(&source.name, &source.header).map_err(Failure::File)
}

fn unwritable(options: &Options, error: &io::Error) -> Failure {
    Failure::File(format!("the rejects file {} cannot be written ({error})", options.rejects.display()))
}

/// An import in progress.
struct Import<'a> {
    temwen: &'a Temwen,
    options: &'a Options,
    caller: Caller,
    rules: Rules<'a>,
    rejects: Rejects,
    /// What a dry run would have stored.
    seen: Option<Seen>,
    summary: Summary,
}

impl Import<'_> {
    /// Puts on record what came of it.
    async fn remember_end(&self) -> crate::Result<()> {
        let number = |many: u64| i64::try_from(many).unwrap_or(i64::MAX);
        let Summary { complaints, allegations, ended, .. } = &self.summary;
        let event = Event::register(What::ImportEnded)
            .with("complaints", number(complaints.stored))
            .with("allegations", number(allegations.stored))
            .with("refused", number(complaints.refused + allegations.refused))
            .with("whole", *ended == Ended::Whole);
        self.temwen.db.remember(&self.caller, "import.end", event).await
    }

    /// Takes over one file, batch by batch.
    async fn file(
        &mut self,
        which: Which,
        source: &mut Source,
        bound: &Bound<'_>,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        loop {
            let (rows, broken) = read_batch(source, self.options.batch.max(1));
            if !rows.is_empty() {
                self.batch(which, &rows, source, bound).await?;
            }
            let (name, counts, (read, size)) = (&source.name, self.summary.of(which), source.progress());
            progress.show(
                Counted::Bytes,
                (read, size),
                || format!("{name}: {} rows", counts.rows),
                || {
                    let percent = read.saturating_mul(100).checked_div(size).unwrap_or(100);
                    format!("{name}: {} rows, {percent} % of the file", counts.rows)
                },
            );
            if let Some(error) = broken {
                let line = source.line();
                self.summary.ended =
                    Ended::BrokeOff(format!("{} breaks off in line {line} ({error})", source.name));
                return Ok(());
            }
            if rows.is_empty() {
                return Ok(());
            }
            if self.options.stop.load(Ordering::Relaxed) {
                self.summary.ended = Ended::Stopped;
                return Ok(());
            }
        }
    }

    async fn batch(
        &mut self,
        which: Which,
        rows: &[Row],
        source: &Source,
        bound: &Bound<'_>,
    ) -> Result<(), Failure> {
        let verdicts = match which {
            Which::Complaints => {
                let (good, verdicts) = self.read(rows, bound, complaint_row::read);
                let mut tries = 0;
                let judged = loop {
                    let taken =
                        complaints::take_over(self.temwen, &self.caller, &good, self.seen.as_mut()).await;
                    tries += 1;
                    match taken {
                        Err(error) if error.kind() == Kind::Exists && tries < TRIES => {}
                        taken => break taken?,
                    }
                };
                merge(verdicts, judged)
            }
            Which::Allegations => {
                let (good, verdicts) = self.read(rows, bound, allegation_row::read);
                let mut tries = 0;
                let judged = loop {
                    let taken =
                        allegations::take_over(self.temwen, &self.caller, &good, self.seen.as_mut()).await;
                    tries += 1;
                    match taken {
                        Err(error) if error.kind() == Kind::Exists && tries < TRIES => {}
                        taken => break taken?,
                    }
                };
                merge(verdicts, judged)
            }
        };
        let mut counts = Counts { rows: rows.len() as u64, ..Counts::default() };
        for (row, verdict) in rows.iter().zip(&verdicts) {
            match verdict {
                Verdict::Stored => counts.stored += 1,
                Verdict::There => counts.there += 1,
                Verdict::Refused(faulty) => {
                    counts.refused += 1;
                    let key = bound.key(&row.fields).filter(|_| row.fields.len() == bound.width);
                    let added = self.rejects.add(&source.name, &source.header, row, key.as_deref(), faulty);
                    added.map_err(|error| unwritable(self.options, &error))?;
                }
            }
        }
        self.rejects.flush().map_err(|error| unwritable(self.options, &error))?;
        self.summary.add(which, counts);
        Ok(())
    }

    /// What can be taken over of these rows, and for each row `None`, or why it was refused.
    fn read<T>(
        &self,
        rows: &[Row],
        bound: &Bound<'_>,
        read: impl Fn(&[String], &Bound<'_>, &Rules<'_>) -> Result<T, Faulty>,
    ) -> (Vec<T>, Vec<Option<Verdict>>) {
        let mut good = Vec::with_capacity(rows.len());
        let mut verdicts = Vec::with_capacity(rows.len());
        for row in rows {
            let whole = whole(row, bound.width);
            verdicts.push(match whole.and_then(|()| read(&row.fields, bound, &self.rules)) {
                Ok(taken) => {
                    good.push(taken);
                    None
                }
                Err(faulty) => Some(Verdict::Refused(faulty)),
            });
        }
        (good, verdicts)
    }
}

/// Whether a row has a field for each column, so that what stands in them can be what the header says.
fn whole(row: &Row, width: usize) -> Result<(), Faulty> {
    let fault = |detail: String| Err(Faulty(vec![Fault::new("row", detail)]));
    match row.torn {
        Some(torn) => fault(torn.to_owned()),
        None if row.fields.len() != width => {
            fault(format!("has {} fields where the header has {width}", row.fields.len()))
        }
        None => Ok(()),
    }
}

/// The verdicts of all rows: those that were read get theirs in their order.
fn merge(read: Vec<Option<Verdict>>, judged: Vec<Verdict>) -> Vec<Verdict> {
    let mut judged = judged.into_iter();
    read.into_iter().filter_map(|verdict| verdict.or_else(|| judged.next())).collect()
}

/// The next rows; and what kept the file from being read on, if something did.
fn read_batch(source: &mut Source, most: usize) -> (Vec<Row>, Option<io::Error>) {
    let mut rows = Vec::with_capacity(most.min(1024));
    let mut bytes = 0;
    while rows.len() < most && bytes < FULL {
        match source.next_row() {
            Ok(Some(row)) => {
                bytes += row.fields.iter().map(String::len).sum::<usize>();
                rows.push(row);
            }
            Ok(None) => break,
            Err(error) => return (rows, Some(error)),
        }
    }
    (rows, None)
}
