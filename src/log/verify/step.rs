//! The same little by little, while the server runs: one range in each step, for ever.

use tracing::error;

use super::entries::Order;
use super::finding::Finding;
use super::ranges::{Range, Seen, Widths};
use super::{Rules, verify_store as store};
use crate::audit::{Detail, Event, What};
use crate::db::{Caller, Tx};
use crate::error::{Error, Kind, Result};
use crate::temwen::Temwen;

/// How much is looked at in one step.
const WIDTHS: Widths = Widths { entries: 500, rows: 500, tiles: 64, upper_tiles: 1 };
/// Who looks.
const NAME: &str = "verification";

/// How far the continual verification has come.
#[derive(Debug, Default)]
pub struct Progress {
    /// The ranges of this round that are still to be looked at, the next one last.
    ranges: Vec<Range>,
    order: Order,
    rounds: u64,
}

impl Progress {
    /// How often all of the register was looked at.
    pub fn rounds(&self) -> u64 {
        self.rounds
    }
}

/// Looks at one range of the register, and puts on record whatever was not found before; how many findings are new.
///
/// # Errors
/// When the database does not answer, or does not let the server read what is to be looked at; it says which.
pub async fn step(temwen: &Temwen, progress: &mut Progress) -> Result<usize> {
    if progress.ranges.is_empty() {
        progress.ranges = Range::all().into_iter().rev().collect();
    }
    let Some(range) = progress.ranges.last().cloned() else { return Ok(0) };
    let rules = Rules {
        serving: true,
        seal: Some(temwen.keys.entry_seal()),
        keys: temwen.keys.log_verifiers(),
        ..Rules::at(temwen.clock.now())
    };
    let mut order = progress.order.clone();
    let seen = look(temwen, &rules, &range, &mut order).await?;
    let mut new = 0;
    for finding in &seen.findings {
        if tell(temwen, finding).await? {
            new += 1;
        }
    }
    // Only now: what could not be put on record is found again.
    progress.order = order;
    progress.ranges.pop();
    progress.ranges.extend(seen.next);
    if progress.ranges.is_empty() {
        progress.rounds += 1;
        metrics::counter!("temwen_log_verification_rounds_total").increment(1);
    }
    Ok(new)
}

/// Looks at a range, in a transaction that changes nothing.
async fn look(temwen: &Temwen, rules: &Rules, range: &Range, order: &mut Order) -> Result<Seen> {
    let mut found = None;
    let work = async |tx: &mut Tx| {
        // Begun first: what is asked next depends on answers.
        tx.ask(async |_| Ok(())).await?;
        let seen = tx.ask(async |conn| range.check(conn, rules, WIDTHS, order).await).await?;
        found = Some(seen);
        Ok(None::<()>)
    };
    temwen.db.write_log(&Caller::system(NAME), work, async |_, ()| Ok(())).await?;
    found.ok_or_else(|| Error::internal("nothing was looked at"))
}

/// Puts a finding on record, and says whether it is new.
async fn tell(temwen: &Temwen, finding: &Finding) -> Result<bool> {
    let name = finding.name();
    let entry = Event::register(What::LogFinding)
        .with("finding", finding.flaw.as_str())
        .with("table", finding.table.as_str())
        .with("key", Detail::word(&finding.key.replace('/', ":")))
        .with_some("entry", finding.entry)
        .with_some("place", finding.place);
    let keep = async |tx: &mut Tx| {
        let now = tx.now();
        if tx.ask(async |conn| store::keep(conn, &name, now).await).await? {
            tx.record(entry);
            return Ok(());
        }
        // It was told before; a write that records nothing is undone.
        Err(Error::new(Kind::NotFound, "this was found before"))
    };
    match temwen.db.write(&Caller::system(NAME), "log.finding", keep).await {
        Ok(()) => {
            metrics::counter!("temwen_log_findings_total", "finding" => finding.flaw.as_str()).increment(1);
            error!(
                finding = finding.flaw.as_str(),
                table = finding.table,
                key = finding.key,
                "the record was tampered with"
            );
            Ok(true)
        }
        Err(error) if error.kind() == Kind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
