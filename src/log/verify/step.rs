//! The same little by little, while the server runs: one range in each step, for ever.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
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

/// More entries that wait than these, and rows are not compared: after an import, most differ only for that.
const MOST_WAITING: i64 = 5_000;
/// How many findings a server names; more are only counted.
const MOST_NAMED: usize = 10_000;

/// How far the continual verification has come.
#[derive(Debug, Default)]
pub struct Progress {
    /// The ranges of this round that are still to be looked at, the next one last.
    ranges: Vec<Range>,
    order: Order,
    rounds: u64,
    /// What this process has named.
    named: BTreeSet<String>,
    /// How many findings this round has shown so far, and how many the one before did.
    standing: (u32, u32),
}

impl Progress {
    /// How often all of the register was looked at.
    pub fn rounds(&self) -> u64 {
        self.rounds
    }

    /// Counts findings, names those that this process has not named yet, and puts on record what is not; how many are new there.
    async fn tell(&mut self, temwen: &Temwen, findings: &[Finding]) -> Result<usize> {
        let more = MOST_NAMED.saturating_sub(self.named.len());
        let unnamed: BTreeMap<String, &Finding> = findings
            .iter()
            .map(|finding| (finding.name(), finding))
            .filter(|(name, _)| !self.named.contains(name))
            .take(more)
            .collect();
        let new = if unnamed.is_empty() { 0 } else { tell(temwen, &unnamed).await? };
        for (name, finding) in unnamed {
            metrics::counter!("temwen_log_findings_total", "finding" => finding.flaw.as_str()).increment(1);
            // Whatever the record says already: who can write there must not be able to mute this.
            error!(
                finding = finding.flaw.as_str(),
                table = finding.table,
                key = finding.key,
                "the record was tampered with"
            );
            self.named.insert(name);
        }
        self.standing.0 = self.standing.0.saturating_add(u32::try_from(findings.len()).unwrap_or(u32::MAX));
        Ok(new)
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
        keys: temwen.keys.known_log_verifiers(),
        ..Rules::at(temwen.clock.now())
    };
    let mut order = progress.order.clone();
    let seen = look(temwen, &rules, &range, &mut order).await?;
    let new = progress.tell(temwen, &seen.findings).await?;
    // Only now: what could not be put on record is found again.
    progress.order = order;
    progress.ranges.pop();
    progress.ranges.extend(seen.next);
    let (now, before) = progress.standing;
    metrics::gauge!("temwen_log_findings").set(f64::from(now.max(before)));
    if progress.ranges.is_empty() {
        metrics::gauge!("temwen_log_findings").set(f64::from(now));
        progress.rounds += 1;
        progress.standing = (0, progress.standing.0);
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
        let seen = tx.ask(async |conn| {
            if matches!(range, Range::Rows(..)) && store::more_wait_than(conn, MOST_WAITING).await? {
                return Ok(Seen::default());
            }
            range.check(conn, rules, WIDTHS, order, None).await
        });
        found = Some(seen.await?);
        Ok(None::<()>)
    };
    temwen.db.write_log(&Caller::system(NAME), work, async |_, ()| Ok(())).await?;
    found.ok_or_else(|| Error::internal("nothing was looked at"))
}

/// Puts findings on record, but those that a server put there before; how many are new. An entry that no server sealed
/// silences nothing.
async fn tell(temwen: &Temwen, findings: &BTreeMap<String, &Finding>) -> Result<usize> {
    let events: Vec<Event> = findings.values().map(|finding| event(finding)).collect();
    let keys: Vec<String> =
        events.iter().filter_map(|event| named(event.detail())).map(|name| name.2).collect();
    let seal = temwen.keys.entry_seal();
    let keep = async |tx: &mut Tx| {
        let told = tx.ask(async |conn| store::told(conn, What::LogFinding.as_str(), &keys).await).await?;
        let mut told: BTreeSet<_> = told
            .iter()
            .filter(|entry| entry.sealed_by(&seal))
            .filter_map(|entry| named(entry.detail.as_object()?))
            .collect();
        let mut new = 0;
        for event in events {
            if named(event.detail()).is_some_and(|name| told.insert(name)) {
                tx.record(event);
                new += 1;
            }
        }
        // A write that records nothing is undone.
        if new == 0 { Err(Error::new(Kind::NotFound, "all of this was found before")) } else { Ok(new) }
    };
    match temwen.db.write(&Caller::system(NAME), "log.finding", keep).await {
        Err(error) if error.kind() == Kind::NotFound => Ok(0),
        other => other,
    }
}

fn event(finding: &Finding) -> Event {
    Event::register(What::LogFinding)
        .with("finding", finding.flaw.as_str())
        .with("table", finding.table.as_str())
        .with("key", Detail::word(&finding.key.replace('/', ":")))
        .with_some("entry", finding.entry)
        .with_some("place", finding.place)
}

/// What tells a finding that is on record from others.
fn named(detail: &Map<String, Value>) -> Option<(String, String, String)> {
    let word = |name: &str| detail.get(name).and_then(Value::as_str).map(str::to_owned);
    Some((word("finding")?, word("table")?, word("key")?))
}
