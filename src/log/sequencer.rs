//! The sequencer: gives committed entries their places in the log, and signs what came of it.
//!
//! Of all nodes, one at a time writes the log. It does so in two transactions. The first gives places to what waits in the
//! queue and makes the new tree durable, unsigned. The second signs the durable tree and keeps the signature. So whatever is
//! killed, and whenever: a tree that was signed is a tree that the database holds, and no other tree of that size can come
//! to be. Besides, each node remembers, in a file beside its keys, what it signed last, and signs nothing that does not
//! continue it: a database that was put back to yesterday is not signed over.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use tracing::error;

use super::guard::Guard;
use super::sequencer_store::{self as store, Growth, States};
use crate::audit::leaf::Change;
use crate::audit::{Event, Seen, What};
use crate::db::{Caller, Tx};
use crate::error::{Error, Kind, Result};
use crate::temwen::Temwen;
use crate::tlog::{self, Edge, Head, TileId, record_hash};
use crate::values::EntryId;

/// How many entries get their places in one transaction.
const AT_ONCE: i64 = 2_000;
/// How many rows they tell of: more would be too much for one statement.
const ROWS_AT_ONCE: usize = 20_000;
/// How often in one step: a flood is taken in parts, each with a checkpoint of its own.
const ROUNDS: usize = 20;
/// Who writes the log.
const NAME: &str = "log";

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Step {
    /// How many entries got a place.
    pub placed: usize,
    /// The size of the tree that was signed, if one was.
    pub signed: Option<u64>,
}

/// Writes the log, step by step.
pub struct Sequencer {
    guard: Guard,
    /// The border of the tree that this node wrote last.
    edge: Option<Edge>,
    /// Whether entries have to be sealed: once the log holds one that is.
    sealed: bool,
    /// What was refused last: it is told once.
    refused: Option<String>,
}

/// The tree that the database holds, and what waits to be added to it.
struct Found {
    edge: Edge,
    entries: Vec<Seen>,
    /// Whether it holds a sealed entry.
    sealed: bool,
    /// What the rows that the entries tell of looked like last, as far as the log knows them.
    before: BTreeMap<(String, String), String>,
}

/// What got its place.
struct Placed {
    growth: Growth,
    edge: Edge,
    sealed: bool,
    unsealed: Vec<EntryId>,
    /// Rows that were not, before a change, what the change before had left.
    rewritten: Vec<(String, String)>,
    /// How long the oldest of it waited, in seconds.
    waited: f64,
}

impl Sequencer {
    /// A sequencer that keeps to what `guard` remembers.
    pub fn new(guard: Guard) -> Self {
        Self { guard, edge: None, sealed: false, refused: None }
    }

    /// Gives places to all that waits, and signs the tree. Does nothing if another node is at it.
    pub async fn step(&mut self, temwen: &Temwen) -> Result<Step> {
        let done = self.all_steps(temwen).await;
        match &done {
            Ok(_) => self.refused = None,
            Err(refused) if refused.kind() == Kind::WrongMoment => {
                metrics::counter!("temwen_log_refusals_total").increment(1);
                let why = refused.to_string();
                if self.refused.as_deref() != Some(&why) {
                    error!("{why}");
                    self.refused = Some(why);
                    remember(temwen, Event::register(What::LogRefused)).await?;
                }
            }
            Err(_) => {}
        }
        done
    }

    async fn all_steps(&mut self, temwen: &Temwen) -> Result<Step> {
        let mut step = Step::default();
        for _ in 0..ROUNDS {
            let placed = self.place(temwen).await?;
            step.placed += placed;
            let signed = self.sign(temwen).await?;
            step.signed = signed.or(step.signed);
            if placed == 0 && signed.is_none() {
                break;
            }
        }
        Ok(step)
    }

    /// Gives places to what waits, in one transaction; how many got one.
    async fn place(&mut self, temwen: &Temwen) -> Result<usize> {
        let caller = Caller::system(NAME);
        let seal = temwen.keys.entry_seal();
        let known = self.edge.take();
        let was_sealed = self.sealed;
        let work = async |tx: &mut Tx| {
            let Some(Found { mut edge, entries, mut sealed, before }) = find(tx, known, was_sealed).await?
            else {
                return Ok(None);
            };
            let from = edge.size();
            let mut states: States = BTreeMap::new();
            let (mut unsealed, mut rewritten) = (Vec::new(), Vec::new());
            for (place, entry) in (from..).zip(&entries) {
                let leaf = entry.leaf();
                edge.push(record_hash(leaf.as_bytes())).map_err(Error::internal)?;
                let place = i64::try_from(place).unwrap_or(i64::MAX);
                for line in &entry.changes {
                    let change = Change::read(line);
                    let row = (change.kind.to_owned(), change.id.to_owned());
                    let left = states.get(&row).map(|(_, state)| state).or_else(|| before.get(&row));
                    if left.map(String::as_str) != change.was {
                        rewritten.push(row.clone());
                    }
                    states.insert(row, (place, change.state.to_owned()));
                }
                match entry.seal {
                    None if !sealed => {}
                    _ if entry.sealed_by(&seal) => sealed = true,
                    _ => unsealed.push(entry.id),
                }
            }
            let growth = Growth {
                entries: entries.iter().map(|entry| entry.id.uuid()).collect(),
                from: i64::try_from(from).unwrap_or(i64::MAX),
                tiles: edge.changed(),
                states,
                head: Head { size: edge.size(), root: edge.root().map_err(Error::internal)? },
                at: tx.now(),
            };
            let waited = waited(&entries, tx.now());
            Ok(Some(Placed { growth, edge, sealed, unsealed, rewritten, waited }))
        };
        let last = async |conn: &_, placed: &Placed| store::grow(conn, &placed.growth).await;
        let Some(placed) = temwen.db.write_log(&caller, work, last).await? else { return Ok(0) };
        let Placed { growth, mut edge, sealed, unsealed, rewritten, waited } = placed;
        edge.settle();
        self.edge = Some(edge);
        self.sealed = sealed;
        let placed = growth.entries.len();
        metrics::counter!("temwen_log_entries_total").increment(placed as u64);
        metrics::histogram!("temwen_log_wait_seconds").record(waited);
        for entry in unsealed {
            metrics::counter!("temwen_log_findings_total", "finding" => "unsealed").increment(1);
            error!(entry = %entry, "an entry was found that no server wrote");
            let entry = Event::register(What::EntryUnsealed).with("entry", entry.uuid());
            remember(temwen, entry).await?;
        }
        for (table, key) in rewritten {
            metrics::counter!("temwen_log_findings_total", "finding" => "row_rewritten").increment(1);
            error!(
                table,
                key, "a row was changed behind the server's back before it was changed in good order"
            );
            let entry = Event::register(What::LogFinding)
                .with("finding", "row_rewritten")
                .with("table", table.as_str())
                .with("key", key.replace('/', ":").as_str());
            remember(temwen, entry).await?;
        }
        Ok(placed)
    }

    /// Signs the durable tree, unless it is signed; its size.
    async fn sign(&mut self, temwen: &Temwen) -> Result<Option<u64>> {
        let caller = Caller::system(NAME);
        let guard = &mut self.guard;
        let keys = &temwen.keys;
        let work = async |tx: &mut Tx| {
            let (turn, last) = tx
                .ask(async |conn| futures_util::try_join!(store::take_turn(conn), store::last_head(conn)))
                .await?;
            if !turn {
                return Ok(None);
            }
            let (head, note) = last.map_or((Head::EMPTY, None), |last| (last.head, last.note));
            // Also where there is nothing to sign: a database that was put back must not be taken for one at rest.
            continues(tx, guard, head).await?;
            if let Some(note) = note {
                if guard.last() != Some(head) {
                    // Another node signed it.
                    guard.remember(head, &note).await?;
                }
                return Ok(None);
            }
            if head.size == 0 {
                return Ok(None);
            }
            let note = tlog::sign(keys.log_origin(), head, keys.log_keys()).map_err(Error::internal)?;
            // Before anybody can see it: what was shown is never forgotten.
            guard.remember(head, &note).await?;
            Ok(Some((head.size, note)))
        };
        let last = async |conn: &_, (size, note): &(u64, String)| store::sign(conn, *size, note).await;
        let signed = temwen.db.write_log(&caller, work, last).await?.map(|(size, _)| size);
        if let Some(size) = signed {
            metrics::counter!("temwen_log_size").absolute(size);
        }
        Ok(signed)
    }
}

/// The tree as the database holds it, and what waits; `None` if nothing does or another node is at it.
async fn find(tx: &mut Tx, known: Option<Edge>, sealed: bool) -> Result<Option<Found>> {
    let (turn, last, entries) = tx
        .ask(async |conn| {
            futures_util::try_join!(
                store::take_turn(conn),
                store::last_head(conn),
                store::queue(conn, AT_ONCE)
            )
        })
        .await?;
    metrics::gauge!("temwen_log_queue_seconds").set(waited(&entries, tx.now()));
    if !turn || entries.is_empty() {
        return Ok(None);
    }
    let entries = not_too_many(entries);
    if last.as_ref().is_some_and(|last| last.note.is_none()) {
        // Signed first: the log goes on only from what is signed, so that no head but the last is ever without a signature.
        return Ok(None);
    }
    let head = last.map_or(Head::EMPTY, |last| last.head);
    let is_there = |edge: &Edge| edge.size() == head.size && edge.root().is_ok_and(|root| root == head.root);
    let edge = match known.filter(is_there) {
        Some(edge) => edge,
        None => edge_at(tx, head.size).await?,
    };
    if !is_there(&edge) {
        return Err(Error::new(Kind::WrongMoment, "the log's tiles do not make the tree of its last head"));
    }
    let sealed = sealed || (head.size > 0 && tx.ask(async |conn| store::sealed(conn).await).await?);
    let rows: BTreeSet<(&str, &str)> = entries
        .iter()
        .flat_map(|entry| &entry.changes)
        .map(|line| Change::read(line))
        .map(|row| (row.kind, row.id))
        .collect();
    let before = tx.ask(async |conn| store::states(conn, &rows).await).await?;
    Ok(Some(Found { edge, entries, sealed, before }))
}

/// How long the oldest of these entries has waited, in seconds; nothing if there is none.
fn waited(entries: &[Seen], now: DateTime<Utc>) -> f64 {
    let oldest = entries.iter().map(|entry| entry.at).min();
    oldest.map_or(0.0, |oldest| (now - oldest).as_seconds_f64().max(0.0))
}

/// As many of the first entries as tell of no more than so many rows; at least one.
fn not_too_many(mut entries: Vec<Seen>) -> Vec<Seen> {
    let mut rows = 0;
    let fit = entries.iter().take_while(|entry| {
        rows += entry.changes.len();
        rows <= ROWS_AT_ONCE
    });
    let fit = fit.count().max(1);
    entries.truncate(fit);
    entries
}

/// The border of the tree of `size`, out of the tiles that are stored.
async fn edge_at(tx: &mut Tx, size: u64) -> Result<Edge> {
    let wanted = Edge::needed(size);
    let tiles = tx.ask(async |conn| store::tiles(conn, &wanted).await).await?;
    let damaged = || Error::new(Kind::WrongMoment, "the log's tiles do not make the tree of its last head");
    let as_wide = |(id, hashes): (TileId, Vec<u8>)| {
        // The border of an earlier tree is a part of today's tile.
        tlog::partial(&hashes, id.width(size)).map(|part| (id, part.to_vec())).ok_or_else(damaged)
    };
    let tiles = tiles.into_iter().map(as_wide).collect::<Result<Vec<_>>>()?;
    Edge::new(size, &tiles).map_err(|fault| damaged().because(fault))
}

/// Refuses a head that does not continue what this node signed last.
async fn continues(tx: &mut Tx, guard: &Guard, head: Head) -> Result<()> {
    let Some(last) = guard.last().filter(|last| *last != head) else { return Ok(()) };
    if head.size < last.size {
        return Err(Error::new(
            Kind::WrongMoment,
            "the database holds a smaller log than was signed before: it was put back to an earlier state; nothing is signed",
        ));
    }
    if edge_at(tx, last.size).await?.root().map_err(Error::internal)? != last.root {
        return Err(Error::new(
            Kind::WrongMoment,
            "the database holds another log than was signed before; nothing is signed",
        ));
    }
    Ok(())
}

async fn remember(temwen: &Temwen, event: Event) -> Result<()> {
    temwen.db.remember(&Caller::system(NAME), "log.remember", event).await
}
