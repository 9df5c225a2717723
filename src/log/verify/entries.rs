//! Entries against their leaves, in the order of the log; and entries that the log does not know.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::finding::{Finding, Flaw};
use super::ranges::{Counts, Range, Seen};
use super::verify_store::{self as store, Asked, View};
use super::{Rules, changes};
use crate::audit;
use crate::log::sequencer_store;
use crate::tlog::{HASH_BYTES, Hash, TILE_WIDTH, TileId, record_hash};

/// The table of the entries.
const ENTRIES: &str = "audit_entries";

/// What the entries so far have shown.
#[derive(Debug, Clone, Default)]
pub(super) struct Order {
    /// Whether anything was seen.
    begun: bool,
    /// The latest moment of an entry.
    latest: Option<DateTime<Utc>>,
    /// Whether one of them was sealed: from then on, each has to be.
    sealed: bool,
}

impl Order {
    /// Looks at the next entry.
    fn follow(&mut self, rules: &Rules, entry: &audit::Seen, place: i64) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut find = |flaw, differs: String| {
            findings
                .push(Finding::new(flaw, ENTRIES, entry.id, differs).at(Some(entry.id.uuid()), Some(place)));
        };
        match (&entry.seal, &rules.seal) {
            (None, _) if self.sealed => {
                find(Flaw::EntryUnsealed, "it has no seal, and entries before it have one".to_owned());
            }
            (None, _) => {}
            (Some(_), Some(seal)) if !entry.sealed_by(seal) => {
                find(
                    Flaw::EntryUnsealed,
                    "its seal does not fit: no server with these keys wrote it so".to_owned(),
                );
            }
            (Some(_), _) => self.sealed = true,
        }
        match self.latest {
            Some(latest) if entry.at < latest - rules.clock_skew => {
                let seconds = (latest - entry.at).num_seconds();
                find(
                    Flaw::EntryBackdated,
                    format!("it says to be {seconds} seconds older than an entry before it"),
                );
                // Told once for each time that time went back.
                self.latest = Some(entry.at);
            }
            Some(latest) if entry.at <= latest => {}
            _ => self.latest = Some(entry.at),
        }
        findings
    }
}

/// Entries in the order of their places: leaf, seal, moment, gaps, and what the index of states knows of their changes.
pub(super) async fn in_order(
    conn: &View,
    rules: &Rules,
    (from, before): (i64, i64),
    width: i64,
    order: &mut Order,
) -> Asked<Seen> {
    let ends = store::ends(conn).await?;
    let end = ends.places.max(ends.size).min(before);
    let until = from.saturating_add(width).min(end);
    if from >= until {
        // The next round begins with nothing seen.
        *order = Order::default();
        return Ok(Seen::default());
    }
    if !order.begun {
        // What stands before the first of them was looked at elsewhere: here it only tells the order.
        for (place, _, entry) in store::placed(conn, from.saturating_sub(width), from).await? {
            entry.map(|entry| order.follow(rules, &entry, place));
        }
        order.begun = true;
    }
    let placed = store::placed(conn, from, until).await?;
    let leaves = Leaves::of(conn, from, until).await?;
    let mut seen = Seen::default();
    let mut next = from;
    for (place, id, entry) in &placed {
        gap(&mut seen, next, *place);
        next = place + 1;
        seen.counts.entries += 1;
        let Some(entry) = entry else {
            let gone = Finding::new(
                Flaw::EntryMissing,
                ENTRIES,
                id,
                "its place in the log is there, and it is gone",
            );
            seen.findings.push(gone.at(Some(*id), Some(*place)));
            continue;
        };
        match leaves.at(*place) {
            Some(leaf) if leaf != record_hash(entry.leaf().as_bytes()) => {
                let differs = "it is not what its leaf in the log says";
                let found =
                    Finding::new(Flaw::EntryDiffers, ENTRIES, id, differs).at(Some(*id), Some(*place));
                seen.findings.push(found);
            }
            // A tile that is missing is told of where tiles are looked at.
            Some(_) | None => {}
        }
        seen.findings.extend(order.follow(rules, entry, *place));
    }
    gap(&mut seen, next, until);
    seen.findings.extend(changes::covered(conn, &placed).await?);
    seen.next = Some(Range::Places(until, before));
    Ok(seen)
}

/// Tells of the places that are missing before `place`.
fn gap(seen: &mut Seen, next: i64, place: i64) {
    if next < place {
        let differs = match place - next {
            1 => "this place is missing".to_owned(),
            missing => format!("{missing} places are missing, from this one on"),
        };
        seen.findings.push(Finding::new(Flaw::PlaceGap, "log_places", next, differs).at(None, Some(next)));
    }
}

/// The hashes of leaves, as the tiles hold them.
struct Leaves(HashMap<u64, Vec<u8>>);

impl Leaves {
    async fn of(conn: &View, from: i64, until: i64) -> Asked<Self> {
        let wide = i64::from(TILE_WIDTH);
        let tiles: Vec<TileId> = (from / wide..=(until - 1) / wide)
            .filter_map(|index| Some(TileId { level: 0, index: index.try_into().ok()? }))
            .collect();
        let tiles = sequencer_store::tiles(conn, &tiles).await?;
        Ok(Self(tiles.into_iter().map(|(id, hashes)| (id.index, hashes)).collect()))
    }

    fn at(&self, place: i64) -> Option<Hash> {
        let place = u64::try_from(place).ok()?;
        let (tile, within) = (place / u64::from(TILE_WIDTH), place % u64::from(TILE_WIDTH));
        let from = usize::try_from(within).ok()? * HASH_BYTES;
        let hash = self.0.get(&tile)?.get(from..from + HASH_BYTES)?;
        Some(Hash(hash.try_into().ok()?))
    }
}

/// Entries in the order of their ids: each has a place, or waits for one.
pub(super) async fn by_id(conn: &View, after: Uuid, width: i64) -> Asked<Seen> {
    let known = store::known(conn, after, width).await?;
    let mut seen = Seen::default();
    for entry in &known {
        let found = match (entry.place, entry.waits) {
            (None, false) => Finding::new(
                Flaw::EntryOrphaned,
                ENTRIES,
                entry.id,
                "it has no place in the log and does not wait for one",
            ),
            (Some(_), true) => Finding::new(
                Flaw::EntryTwice,
                ENTRIES,
                entry.id,
                "it has its place in the log and waits for another",
            ),
            _ => continue,
        };
        seen.findings.push(found.at(Some(entry.id), entry.place));
    }
    seen.next = known.last().map(|last| Range::Entries(last.id));
    Ok(seen)
}

/// What waits for its place: whether it is an entry, whether a server wrote it, and for how long it waits.
pub(super) async fn that_wait(conn: &View, rules: &Rules, after: Uuid, width: i64) -> Asked<Seen> {
    // Looked at before the queue: what was placed until then was taken from the queue.
    let ends = store::ends(conn).await?;
    let waiting = store::waiting(conn, after, width).await?;
    let by = ends.head_at.into_iter().chain(rules.serving.then_some(rules.now)).max();
    let too_long = |at: DateTime<Utc>| by.is_some_and(|by| at < by - rules.longest_wait);
    // What was there before the log waits for as long as it takes to give all of it places, and what comes then waits behind it.
    let begun = if waiting.iter().any(|(_, entry)| entry.as_ref().is_some_and(|entry| too_long(entry.at))) {
        store::begun(conn).await?
    } else {
        None
    };
    let sealed = store::sealed_lately(conn).await?;
    let mut seen = Seen::default();
    for (id, entry) in &waiting {
        seen.counts.waiting += 1;
        let Some(entry) = entry else {
            let differs = "what waits for a place in the log is no entry, or none any more";
            let found = Finding::new(Flaw::QueueOfNothing, "log_queue", id, differs);
            seen.findings.push(found.at(Some(*id), None));
            continue;
        };
        if let Some(seal) = &rules.seal
            && sealed
            && !entry.sealed_by(seal)
        {
            let differs = "it waits for its place, and no server with these keys wrote it";
            let found = Finding::new(Flaw::EntryUnsealed, ENTRIES, id, differs);
            seen.findings.push(found.at(Some(*id), None));
        }
        if begun.is_some_and(|begun| too_long(entry.at.max(begun))) {
            let differs = "it waits for its place in the log longer than it may";
            seen.findings.push(Finding::new(Flaw::EntryWaits, ENTRIES, id, differs).at(Some(*id), None));
        }
    }
    seen.next = waiting.last().map(|(last, _)| Range::Queue(*last));
    Ok(seen)
}

impl Counts {
    /// One thing of each kind, in words.
    pub(super) fn sentence(self) -> String {
        format!(
            "{} entries against their leaves, {} that wait for their place, {} rows against their last state, {} tiles, \
             {} heads, {} cosignatures",
            self.entries, self.waiting, self.rows, self.tiles, self.heads, self.cosignatures
        )
    }
}
