//! What came of an import, in numbers and in sentences.

use std::fmt;
use std::time::Duration;

use super::Which;
use crate::error::{Error, Result};

/// What became of the rows of one file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows read.
    pub rows: u64,
    /// Rows stored now; in a dry run, rows that would be.
    pub stored: u64,
    /// Rows that were there already.
    pub there: u64,
    /// Rows refused; each has a line in the rejects file.
    pub refused: u64,
}

/// How an import ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Ended {
    /// All was read.
    #[default]
    Whole,
    /// Somebody asked it to end.
    Stopped,
    /// A file could not be read to its end, for this reason.
    BrokeOff(String),
}

/// What came of an import.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Of the complaints.
    pub complaints: Counts,
    /// Of the allegations.
    pub allegations: Counts,
    /// How it ended.
    pub ended: Ended,
    /// How long it took.
    pub elapsed: Duration,
    /// Whether nothing was stored because nothing was to be.
    pub dry_run: bool,
}

impl Summary {
    pub(super) fn of(&self, which: Which) -> &Counts {
        match which {
            Which::Complaints => &self.complaints,
            Which::Allegations => &self.allegations,
        }
    }

    pub(super) fn add(&mut self, which: Which, more: Counts) {
        let counts = match which {
            Which::Complaints => &mut self.complaints,
            Which::Allegations => &mut self.allegations,
        };
        counts.rows += more.rows;
        counts.stored += more.stored;
        counts.there += more.there;
        counts.refused += more.refused;
    }

    /// No row is lost and none counts twice.
    pub(super) fn check(&self) -> Result<()> {
        for counts in [self.complaints, self.allegations] {
            if counts.rows != counts.stored + counts.there + counts.refused {
                return Err(Error::internal("the rows of an import do not add up"));
            }
        }
        Ok(())
    }

    /// Rows per second, over both files.
    pub fn rate(&self) -> f64 {
        let rows = u32::try_from(self.complaints.rows + self.allegations.rows).unwrap_or(u32::MAX);
        f64::from(rows) / self.elapsed.as_secs_f64().max(0.001)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stored = if self.dry_run { "would be stored" } else { "stored now" };
        for (name, counts) in [("Complaints", self.complaints), ("Allegations", self.allegations)] {
            writeln!(
                f,
                "{name}: {} rows read = {} {stored} + {} there already + {} refused.",
                counts.rows, counts.stored, counts.there, counts.refused
            )?;
        }
        write!(f, "It took {:.1} s: {:.0} rows a second.", self.elapsed.as_secs_f64(), self.rate())?;
        if self.dry_run {
            write!(f, " This was a dry run: nothing was stored.")?;
        }
        match &self.ended {
            Ended::Whole => Ok(()),
            Ended::Stopped => {
                write!(f, "\nIt was stopped before the end. Run it again to go on: nothing is stored twice.")
            }
            Ended::BrokeOff(why) => write!(
                f,
                "\n{why}. What was read before that is counted above; mend the file and run it again: nothing is stored twice."
            ),
        }
    }
}
