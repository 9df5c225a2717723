//! Telling whoever waits how far the reading of a log has come.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

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
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos} of {len}, {eta} left") {
            bar.set_style(style);
        }
        Self::Bar(bar)
    }

    /// So many of so many things are done.
    pub fn show(&mut self, things: &'static str, done: u64, all: u64) {
        match self {
            Self::Silent => {}
            Self::Bar(bar) => {
                bar.set_length(all);
                bar.set_position(done);
                bar.set_message(things);
            }
            Self::Lines { last } if last.elapsed() < EVERY => {}
            Self::Lines { last } => {
                *last = Instant::now();
                // Where even this cannot be written, the check is no worse for it.
                let _ = writeln!(io::stderr().lock(), "{things}: {done} of {all}");
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
