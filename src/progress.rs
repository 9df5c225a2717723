//! Telling whoever waits how far a long command has come.

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

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub enum Counted {
    /// Bytes of a file.
    Bytes,
    /// Anything else.
    Things,
}

impl Counted {
    fn template(self) -> &'static str {
        match self {
            Self::Bytes => "{msg} {wide_bar} {bytes} of {total_bytes}, {eta} left",
            Self::Things => "{msg} {wide_bar} {pos} of {len}, {eta} left",
        }
    }
}

impl Progress {
    /// On standard error: a bar if it is a terminal, else lines.
    pub fn on_standard_error() -> Self {
        if io::stderr().is_terminal() {
            Self::Bar(ProgressBar::new(0))
        } else {
            Self::Lines { last: Instant::now() }
        }
    }

    /// So many of so many are done: `beside` stands beside a bar, `line` is a line that stands alone.
    pub fn show(
        &mut self,
        counted: Counted,
        (done, all): (u64, u64),
        beside: impl FnOnce() -> String,
        line: impl FnOnce() -> String,
    ) {
        match self {
            Self::Silent => {}
            Self::Bar(bar) => {
                if let Ok(style) = ProgressStyle::with_template(counted.template()) {
                    bar.set_style(style);
                }
                bar.set_length(all);
                bar.set_position(done);
                bar.set_message(beside());
            }
            Self::Lines { last } if last.elapsed() < EVERY => {}
            Self::Lines { last } => {
                *last = Instant::now();
                // Where even this cannot be written, the work is no worse for it.
                let _ = writeln!(io::stderr().lock(), "{}", line());
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
