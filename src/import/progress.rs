//! Telling whoever waits how far an import has come.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::Counts;

/// How often a line is written where nobody can see a bar.
const EVERY: Duration = Duration::from_secs(5);

/// Where progress is shown.
#[derive(Debug)]
pub enum Progress {
    /// Nowhere.
    Silent,
    /// As a bar on a terminal.
    Bar(ProgressBar),
    /// As a line on standard error every few seconds.
    Lines {
        /// When the last line was written.
        last: Instant,
    },
}

impl Progress {
    /// On standard error: a bar if it is a terminal, else lines.
    pub fn on_standard_error() -> Self {
        if !io::stderr().is_terminal() {
            return Self::Lines { last: Instant::now() };
        }
        let bar = ProgressBar::new(0);
        if let Ok(style) =
            ProgressStyle::with_template("{msg} {wide_bar} {bytes} of {total_bytes}, {eta} left")
        {
            bar.set_style(style);
        }
        Self::Bar(bar)
    }

    pub(super) fn show(&mut self, file: &str, counts: &Counts, (read, size): (u64, u64)) {
        match self {
            Self::Silent => {}
            Self::Bar(bar) => {
                bar.set_length(size);
                bar.set_position(read);
                bar.set_message(format!("{file}: {} rows", counts.rows));
            }
            Self::Lines { last } if last.elapsed() < EVERY => {}
            Self::Lines { last } => {
                *last = Instant::now();
                let percent = read.saturating_mul(100).checked_div(size).unwrap_or(100);
                // Where even this cannot be written, the import is no worse for it.
                let _ =
                    writeln!(io::stderr().lock(), "{file}: {} rows, {percent} % of the file", counts.rows);
            }
        }
    }

    /// So many of about so many things are done.
    pub fn show_steps(&mut self, things: &str, done: u64, all: u64) {
        match self {
            Self::Silent => {}
            Self::Bar(bar) => {
                if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos} of {len}, {eta} left")
                {
                    bar.set_style(style);
                }
                bar.set_length(all);
                bar.set_position(done);
                bar.set_message(things.to_owned());
            }
            Self::Lines { last } if last.elapsed() < EVERY => {}
            Self::Lines { last } => {
                *last = Instant::now();
                // Where even this cannot be written, the check is no worse for it.
                let _ = writeln!(io::stderr().lock(), "{things}: {done} of about {all}");
            }
        }
    }

    /// No more is to come.
    pub fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
