//! All of it at once: one picture of the register, two connections to it, each on a thread of its own.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Builder;
use tokio::task::spawn_blocking;

use super::Rules;
use super::entries::Order;
use super::finding::Finding;
use super::ranges::{Counts, Range, Widths};
use super::verify_store as store;
use super::waiting::Waiting;
use crate::db::Connect;
use crate::error::{Error, Result};

/// How much is looked at in one go: enough to make the asking cheap, little enough to need little memory.
const WIDTHS: Widths = Widths { entries: 4096, rows: 4096, tiles: 512, upper_tiles: 4 };
/// How many findings are kept; more are counted.
const KEPT: usize = 1000;

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What should not be: the first of them.
    pub findings: Vec<Finding>,
    /// How many more were found.
    pub more: usize,
    /// How much was looked at.
    pub counts: Counts,
}

impl Report {
    /// What was looked at, in a sentence.
    pub fn looked_at(&self) -> String {
        self.counts.sentence()
    }
}

/// How far it has come: may be looked at from elsewhere while it runs.
#[derive(Debug, Default)]
pub struct Whole {
    /// Entries and rows that were looked at.
    done: AtomicU64,
    /// About how many there are.
    all: AtomicU64,
}

impl Whole {
    /// How many entries and rows were looked at, and about how many there are.
    pub fn progress(&self) -> (u64, u64) {
        let done = self.done.load(Ordering::Relaxed);
        (done, self.all.load(Ordering::Relaxed).max(done))
    }
}

/// What both threads share.
struct Work {
    connect: Connect,
    rules: Rules,
    shared: String,
    waiting: Waiting,
    ranges: Mutex<VecDeque<Range>>,
    report: Mutex<Report>,
    whole: Arc<Whole>,
}

/// Checks everything that one picture of the register shows. `connect` has to be somebody who sees all of it.
pub async fn whole(connect: &Connect, rules: Rules, whole: Arc<Whole>) -> Result<Report> {
    let picture = store::open(connect, None).await?;
    let shared = store::share(&picture).await.map_err(could_not)?;
    let ends = store::ends(&picture).await.map_err(could_not)?;
    let names: Vec<&str> = super::tables::REMEMBERED.iter().map(|(name, _)| *name).collect();
    let rows = store::about_rows(&picture, &names).await.map_err(could_not)?;
    whole.all.store(rows + u64::try_from(ends.places).unwrap_or(0), Ordering::Relaxed);
    let waiting = Waiting::read(&picture).await.map_err(could_not)?;
    let work = Arc::new(Work {
        connect: connect.clone(),
        rules,
        shared,
        waiting,
        ranges: Mutex::new(Range::halved(ends.places / 2).into()),
        report: Mutex::default(),
        whole,
    });
    let threads = [(); 2].map(|()| {
        let work = Arc::clone(&work);
        spawn_blocking(move || {
            Builder::new_current_thread().enable_all().build().map_err(Error::internal)?.block_on(look(&work))
        })
    });
    for thread in threads {
        thread.await.map_err(Error::internal)??;
    }
    // It was kept open for the others to share.
    drop(picture);
    let mut report = std::mem::take(&mut *work.report.lock().unwrap_or_else(PoisonError::into_inner));
    report.findings.sort_by_key(|finding| (finding.flaw, finding.place));
    Ok(report)
}

/// Takes one range after the other, until none is left.
async fn look(work: &Work) -> Result<()> {
    let conn = store::open(&work.connect, Some(&work.shared)).await?;
    loop {
        let next = work.ranges.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(first) = next else { return Ok(()) };
        // What follows on a range is looked at by the same thread: places have to be seen in their order.
        let mut order = Order::default();
        let mut range = Some(first);
        while let Some(here) = range {
            let waiting = Some(&work.waiting);
            let seen =
                here.check(&conn, &work.rules, WIDTHS, &mut order, waiting).await.map_err(could_not)?;
            work.whole.done.fetch_add(seen.counts.steps(), Ordering::Relaxed);
            let mut report = work.report.lock().unwrap_or_else(PoisonError::into_inner);
            report.counts.add(seen.counts);
            for finding in seen.findings {
                if report.findings.len() < KEPT { report.findings.push(finding) } else { report.more += 1 }
            }
            range = seen.next;
        }
    }
}

fn could_not(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::internal(error)
}
