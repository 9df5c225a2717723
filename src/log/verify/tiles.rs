//! Tiles: none missing, none too many, and each makes the hash that stands for it further up.

use std::collections::HashMap;

use super::finding::{Finding, Flaw};
use super::ranges::{Range, Seen};
use super::verify_store::{self as store, Asked, Tile, View};
use crate::log::sequencer_store;
use crate::tlog::{HASH_BYTES, Hash, TILE_WIDTH, TileId, node_hash};

/// Levels of tiles that are looked at: more than any log fills.
pub(super) const LEVELS: u8 = 7;
const TILES: &str = "log_tiles";

/// The tiles of a level, from this index on.
pub(super) async fn check(conn: &View, level: u8, from: i64, limit: i64) -> Asked<Seen> {
    // The log only grows: tiles that are read later have all that a head read earlier asks for.
    let size = store::ends(conn).await?.size;
    let tiles = store::tiles(conn, i16::from(level), from, limit).await?;
    let mut seen = Seen::default();
    let named = |index: i64| format!("{level}/{index}");
    let mut next = from;
    for tile in &tiles {
        missing(&mut seen, level, next, tile.index);
        next = tile.index + 1;
        seen.counts.tiles += 1;
        let (length, whole) = (tile.length, i32::try_from(HASH_BYTES).unwrap_or(i32::MAX));
        if length < wide(level, tile.index, size) * whole {
            let differs = "it is shorter than the tree asks for";
            seen.findings.push(Finding::new(Flaw::TileMissing, TILES, named(tile.index), differs));
        } else if length > wide(level, tile.index, tile.size) * whole {
            let differs = "it holds more than the tree of the last head has";
            seen.findings.push(Finding::new(Flaw::TileSurplus, TILES, named(tile.index), differs));
        }
        if level > 0 {
            seen.findings.extend(children(conn, level, tile).await?);
        }
    }
    if i64::try_from(tiles.len()).is_ok_and(|found| found == limit) {
        seen.next = Some(Range::Tiles(level, next));
    } else {
        // Nothing is stored further on; it should be, as far as the tree goes.
        let hashes = size.checked_shr(u32::from(level) * 8).unwrap_or(0);
        missing(&mut seen, level, next, hashes.saturating_add(255) / i64::from(TILE_WIDTH));
    }
    Ok(seen)
}

/// Tells of the tiles that are missing before `index`.
fn missing(seen: &mut Seen, level: u8, next: i64, index: i64) {
    if next < index {
        let differs = format!("{} tiles are missing, from this one on", index - next);
        seen.findings.push(Finding::new(Flaw::TileMissing, TILES, format!("{level}/{next}"), differs));
    }
}

/// How many hashes the tile has in a tree of that size.
fn wide(level: u8, index: i64, size: i64) -> i32 {
    let width = match (u64::try_from(index), u64::try_from(size)) {
        (Ok(index), Ok(size)) => TileId { level, index }.width(size),
        _ => 0,
    };
    i32::try_from(width).unwrap_or(0)
}

/// The tiles below this one, each against the hash that stands for it here.
async fn children(conn: &View, level: u8, tile: &Tile) -> Asked<Vec<Finding>> {
    let hashes = tile.hashes.as_deref().unwrap_or_default();
    let Ok(index) = u64::try_from(tile.index) else { return Ok(Vec::new()) };
    let first = index.saturating_mul(u64::from(TILE_WIDTH));
    let wanted: Vec<TileId> = (first..)
        .zip(hashes.chunks_exact(HASH_BYTES))
        .map(|(index, _)| TileId { level: level - 1, index })
        .collect();
    let below: HashMap<TileId, Vec<u8>> = sequencer_store::tiles(conn, &wanted).await?.into_iter().collect();
    let mut findings = Vec::new();
    for (id, hash) in wanted.iter().zip(hashes.chunks_exact(HASH_BYTES)) {
        // One that is missing or short is told of on its own level.
        let Some(made) = below.get(id).and_then(|bytes| subtree(bytes)) else { continue };
        if made.0 != hash {
            let differs = format!("it does not make the hash that stands for it in tile {level}/{index}");
            findings.push(Finding::new(
                Flaw::TileDiffers,
                TILES,
                format!("{}/{}", id.level, id.index),
                differs,
            ));
        }
    }
    Ok(findings)
}

/// The hash over a full tile (RFC 6962).
fn subtree(bytes: &[u8]) -> Option<Hash> {
    let hashes: Vec<Hash> = bytes
        .chunks_exact(HASH_BYTES)
        .map(|hash| hash.try_into().map(Hash))
        .collect::<Result<_, _>>()
        .ok()?;
    if u32::try_from(hashes.len()) != Ok(TILE_WIDTH) {
        return None;
    }
    let mut row = hashes;
    while row.len() > 1 {
        row = row.chunks(2).filter_map(|pair| Some(node_hash(*pair.first()?, *pair.get(1)?))).collect();
    }
    row.first().copied()
}
