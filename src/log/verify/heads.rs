//! Heads: the tiles make each root, the log's key signed each, and witnesses signed what they are said to have signed.

use std::collections::BTreeSet;

use super::Rules;
use super::finding::{Finding, Flaw};
use super::ranges::{Range, Seen};
use super::verify_store::{self as store, Asked, HeadRow, View};
use crate::log::sequencer_store;
use crate::tlog::{self, Edge, Fault, Head, TileId, Tiles, VerifierKey};

const HEADS: &str = "log_heads";

/// The heads after that of the size `after`.
pub(super) async fn check(conn: &View, rules: &Rules, after: i64, limit: i64) -> Asked<Seen> {
    // Asked for before the heads: whatever a later one follows on was signed by then.
    let end = store::ends(conn).await?.size;
    let heads = store::heads(conn, after, limit).await?;
    let (Some((first, ..)), Some((last, ..))) = (heads.first(), heads.last()) else {
        return Ok(Seen::default());
    };
    let cosignatures = store::cosignatures(conn, *first, *last).await?;
    // The log only grows: tiles that are read after the heads have all that the heads ask for.
    let needed: BTreeSet<TileId> =
        heads.iter().filter_map(|head| u64::try_from(head.0).ok()).flat_map(Edge::needed).collect();
    let needed: Vec<TileId> = needed.into_iter().collect();
    let mut tiles = Tiles::default();
    for part in needed.chunks(256) {
        tiles.0.extend(sequencer_store::tiles(conn, part).await?);
    }
    let mut seen = Seen::default();
    for row in &heads {
        seen.counts.heads += 1;
        one(&mut seen, rules, &tiles, row, end);
    }
    for (size, witness, line) in &cosignatures {
        seen.counts.cosignatures += 1;
        let note = heads.iter().find(|head| head.0 == *size).and_then(|head| head.3.as_deref());
        if !note.is_some_and(|note| cosigned(note, witness, line)) {
            let differs = "what is kept as this witness's cosignature does not fit the head of this size";
            let name = witness.split('+').next().unwrap_or_default();
            let key = format!("{size}/{name}");
            seen.findings.push(Finding::new(Flaw::CosignatureFalse, "log_cosignatures", key, differs));
        }
    }
    seen.next = Some(Range::Heads(*last));
    Ok(seen)
}

fn one(seen: &mut Seen, rules: &Rules, tiles: &Tiles, (size, root, at, note): &HeadRow, end: i64) {
    let mut find = |flaw, differs: &str| seen.findings.push(Finding::new(flaw, HEADS, size, differs));
    let last = *size >= end;
    let root = <[u8; 32]>::try_from(root.as_slice()).map(tlog::Hash);
    let (Ok(size), Ok(root)) = (u64::try_from(*size), root) else {
        return find(Flaw::HeadDiffers, "it is none");
    };
    let head = Head { size, root };
    match tiles.root(size) {
        Ok(made) if made == root => {}
        Ok(_) => find(Flaw::HeadDiffers, "the tiles make another root"),
        Err(_) => find(Flaw::HeadDiffers, "the tiles that make its root are not all there"),
    }
    match note {
        // Signed before the log goes on: a server that died between making and signing leaves the last one so.
        None if !last => find(Flaw::HeadUnsigned, "nobody signed it, and the log went on"),
        None if rules.serving && *at < rules.now - rules.longest_wait => {
            find(Flaw::HeadUnsigned, "nobody signed it in time");
        }
        None => seen.counts.unsigned_heads += 1,
        Some(note) => match signed(note, &rules.keys) {
            Ok((found, _)) if found != head => find(Flaw::HeadForged, "its checkpoint is of another head"),
            Ok((_, true)) => {}
            Ok((_, false)) => seen.counts.unchecked_heads += 1,
            Err(_) => find(Flaw::HeadForged, "its checkpoint is damaged, or its signature false"),
        },
    }
}

/// The head of a checkpoint, and whether a key that is known signed it; otherwise it is only what the checkpoint says itself.
fn signed(note: &str, keys: &[VerifierKey]) -> Result<(Head, bool), Fault> {
    match tlog::open(note, keys) {
        Err(Fault::Unsigned | Fault::UnknownOrigin(_)) => Ok((tlog::read(note)?.head, false)),
        other => Ok((other?.head, true)),
    }
}

/// Whether the line is a good cosignature of the checkpoint, by the witness of this key.
fn cosigned(note: &str, witness: &str, line: &str) -> bool {
    let Ok(key) = VerifierKey::parse(witness) else { return false };
    let Ok(note) = tlog::with_lines(note, &[line.to_owned()]) else { return false };
    tlog::cosignatures(&note, &[key]).is_ok_and(|good| !good.is_empty())
}
