//! Tiles: <https://c2sp.org/tlog-tiles>.

use std::cell::RefCell;
use std::collections::HashMap;

use tlog_tiles::{Error, Hash, HashReader, Tile, TileHashReader, TileReader};

use crate::tlog::checkpoint::Head;
use crate::tlog::fault::Fault;

/// Bytes of one hash.
pub const HASH_BYTES: usize = 32;
/// Hashes of a full tile.
pub const TILE_WIDTH: u32 = 256;
/// The largest tree whose tiles are read or kept; far beyond it the arithmetic of stored places would overflow.
pub const LARGEST_TREE: u64 = 1 << 48;

/// Levels of the tree that one level of tiles spans.
const HEIGHT: u8 = 8;
/// The highest level that a path may name.
const HIGHEST_LEVEL: u8 = 63;

/// Which tile: its level, and its place within the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileId {
    /// Level, from the leaves (0) upwards.
    pub level: u8,
    /// Place within the level, from zero.
    pub index: u64,
}

impl TileId {
    /// How many hashes the tile has in a tree of that size: 0 when it is not part of it, 256 when it is full.
    pub fn width(self, size: u64) -> u32 {
        let hashes = size.checked_shr(u32::from(self.level) * u32::from(HEIGHT)).unwrap_or(0);
        let before = self.index.saturating_mul(u64::from(TILE_WIDTH));
        let width = hashes.saturating_sub(before).min(u64::from(TILE_WIDTH));
        u32::try_from(width).unwrap_or(TILE_WIDTH)
    }

    /// The tile's path below the log's prefix, in a tree of that size.
    pub fn path(self, size: u64) -> String {
        path(self.level, self.index, self.width(size))
    }
}

/// The path below the log's prefix, `tile/0/x001/234.p/5`; without `.p/…` when the tile is full.
pub fn path(level: u8, index: u64, width: u32) -> String {
    let part = if width < TILE_WIDTH { format!(".p/{width}") } else { String::new() };
    format!("tile/{level}/{}{part}", index_path(index))
}

/// Reads what follows `tile/` in a path: the level, and the rest after the next slash. Gives the tile and its width.
pub fn parse_path(level: &str, rest: &str) -> Result<(TileId, u32), Fault> {
    let level = match decimal(level).and_then(|level| u8::try_from(level).ok()) {
        Some(level) if level <= HIGHEST_LEVEL => level,
        _ => return Err(Fault::TilePath("its level is not one of 0 to 63")),
    };
    parse_index(rest).map(|(index, width)| (TileId { level, index }, width))
}

/// Reads place and width, `x001/234` or `x001/234.p/5`: the last part of the path of a tile or of an entry bundle.
pub fn parse_index(rest: &str) -> Result<(u64, u32), Fault> {
    let (place, width) = match rest.split_once(".p/") {
        None => (rest, TILE_WIDTH),
        Some((place, width)) => match decimal(width).and_then(|width| u32::try_from(width).ok()) {
            Some(width) if (1..TILE_WIDTH).contains(&width) => (place, width),
            _ => return Err(Fault::TilePath("its width is not one of 1 to 255")),
        },
    };
    let index = place.split('/').try_fold(0_u64, |index, part| {
        let digits = part.strip_prefix('x').unwrap_or(part);
        let plain = digits.len() == 3 && digits.bytes().all(|digit| digit.is_ascii_digit());
        let part = digits.parse::<u64>().ok().filter(|_| plain)?;
        index.checked_mul(1000)?.checked_add(part)
    });
    match index {
        // There is one way to write a place; `x000/001` and `001/x002` are not it.
        Some(index) if index_path(index) == place => Ok((index, width)),
        _ => Err(Fault::TilePath("its place is not three digits each, with an x before all but the last")),
    }
}

fn index_path(index: u64) -> String {
    let mut path = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    path
}

/// A decimal number without sign and without leading zeroes.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let number = text.parse::<u64>().ok()?;
    (number.to_string() == text).then_some(number)
}

/// The first `width` hashes of a tile.
pub fn partial(bytes: &[u8], width: u32) -> Option<&[u8]> {
    let length = usize::try_from(width).ok()?.checked_mul(HASH_BYTES)?;
    if bytes.len().is_multiple_of(HASH_BYTES) && (1..=TILE_WIDTH).contains(&width) {
        bytes.get(..length)
    } else {
        None
    }
}

/// The tiles that prove where entry `index` is in a tree of that size, whether or not they are checked against its head.
pub fn needed_for_inclusion(size: u64, index: u64) -> Result<Vec<TileId>, Fault> {
    check_entry(size, index)?;
    Ok(noted(size, |reader| tlog_tiles::prove_record(size, index, reader).err()))
}

/// The tiles that prove that the tree of `new` entries continues that of `old`.
pub fn needed_for_consistency(old: u64, new: u64) -> Result<Vec<TileId>, Fault> {
    check_sizes(old, new)?;
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    Ok(noted(new, |reader| tlog_tiles::prove_tree(new, old, reader).err()))
}

/// The tiles that one tile is checked with against the head of a tree of that size, the tile itself among them.
pub fn needed_for_tile(size: u64, id: TileId) -> Result<Vec<TileId>, Fault> {
    let indexes = stored_indexes(size, id)?;
    Ok(noted(size, |reader| reader.read_hashes(&indexes).err()))
}

/// A reader that gives nothing and notes what it is asked for.
struct Notes(RefCell<Vec<TileId>>);

impl TileReader for Notes {
    fn height(&self) -> u8 {
        HEIGHT
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        self.0.borrow_mut().extend(tiles.iter().map(named));
        Err(Error::InvalidTile)
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

fn noted(size: u64, ask: impl FnOnce(&TileHashReader<'_>) -> Option<Error>) -> Vec<TileId> {
    let notes = Notes(RefCell::new(Vec::new()));
    // It always fails, once it has asked: that is how the asking ends.
    let _refused = ask(&TileHashReader::new(size, Hash::default(), &notes));
    let mut tiles = notes.0.into_inner();
    tiles.sort_unstable();
    tiles.dedup();
    tiles
}

fn named(tile: &Tile) -> TileId {
    TileId { level: tile.level(), index: tile.level_index() }
}

/// Tiles at hand, as they were stored or fetched. A tile may be wider than the tree that is asked about.
#[derive(Clone, Debug, Default)]
pub struct Tiles(pub HashMap<TileId, Vec<u8>>);

impl Tiles {
    /// The hashes that lead from entry `index` to the root, of tiles that are trusted.
    pub fn inclusion(&self, size: u64, index: u64) -> Result<Vec<Hash>, Fault> {
        self.complete(size, &needed_for_inclusion(size, index)?)?;
        tlog_tiles::prove_record(size, index, self).map_err(|_| Fault::TilesDiffer(size))
    }

    /// The hashes that show that the tree of `new` entries continues that of `old`, of tiles that are trusted.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, Fault> {
        self.complete(new, &needed_for_consistency(old, new)?)?;
        if old == 0 || old == new {
            return Ok(Vec::new());
        }
        tlog_tiles::prove_tree(new, old, self).map_err(|_| Fault::TilesDiffer(new))
    }

    /// The root of the tree of that size, of tiles that are trusted. It needs what [`crate::tlog::Edge::needed`] names.
    pub fn root(&self, size: u64) -> Result<Hash, Fault> {
        check_size(size)?;
        self.complete(size, &crate::tlog::edge::Edge::needed(size))?;
        tlog_tiles::tree_hash(size, self).map_err(|_| Fault::TilesDiffer(size))
    }

    /// The same tiles, believed only as far as they lead to that head.
    pub fn checked(&self, head: Head) -> Checked<'_> {
        Checked { tiles: self, head }
    }

    /// The tile's hashes in a tree of that size.
    pub fn get(&self, size: u64, id: TileId) -> Result<&[u8], Fault> {
        let bytes = self.0.get(&id).ok_or(Fault::MissingTile(id))?;
        partial(bytes, id.width(size)).ok_or(Fault::TileLength(id))
    }

    fn complete(&self, size: u64, needed: &[TileId]) -> Result<(), Fault> {
        needed.iter().try_for_each(|id| self.get(size, *id).map(|_| ()))
    }
}

impl HashReader for Tiles {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        let read = |index: &u64| {
            let tile = Tile::from_index(HEIGHT, *index);
            let bytes = self.0.get(&named(&tile)).and_then(|bytes| partial(bytes, tile.width()));
            tile.hash_at_index(bytes.ok_or(Error::InvalidTile)?, *index)
        };
        indexes.iter().map(read).collect()
    }
}

/// Tiles of somebody else, checked against a head before any hash of theirs is used.
#[derive(Clone, Copy, Debug)]
pub struct Checked<'a> {
    tiles: &'a Tiles,
    head: Head,
}

impl Checked<'_> {
    /// The hashes that lead from entry `index` to the head.
    pub fn inclusion(&self, index: u64) -> Result<Vec<Hash>, Fault> {
        self.authenticate(&needed_for_inclusion(self.head.size, index)?)?;
        self.tiles.inclusion(self.head.size, index)
    }

    /// The hashes that show that the head continues the tree of `old` entries.
    pub fn consistency(&self, old: u64) -> Result<Vec<Hash>, Fault> {
        self.authenticate(&needed_for_consistency(old, self.head.size)?)?;
        self.tiles.consistency(old, self.head.size)
    }

    /// The hashes of one tile.
    pub fn tile(&self, id: TileId) -> Result<Vec<Hash>, Fault> {
        self.authenticate(&needed_for_tile(self.head.size, id)?)?;
        let hashes = self.tiles.get(self.head.size, id)?.chunks_exact(HASH_BYTES);
        Ok(hashes.filter_map(|hash| hash.try_into().ok().map(Hash)).collect())
    }

    /// Leads every tile to the head: those of the right border make up the root, each of the others is a hash of its
    /// parent. The reader of `tlog_tiles` 0.2.0 is not asked to, because where several subtrees of the border are in
    /// one tile it leaves as many other tiles unchecked, which in Go's original was CVE-2026-56865.
    fn authenticate(&self, needed: &[TileId]) -> Result<(), Fault> {
        let size = self.head.size;
        if needed.is_empty() {
            return Ok(());
        }
        if self.tiles.root(size)? != self.head.root {
            return Err(Fault::TilesDiffer(size));
        }
        for id in needed.iter().filter(|id| id.width(size) == TILE_WIDTH) {
            let parent =
                TileId { level: id.level.saturating_add(1), index: id.index / u64::from(TILE_WIDTH) };
            // A partial parent is of the border and has been led to the root; a full one is itself on this list.
            if parent.width(size) == TILE_WIDTH && !needed.contains(&parent) {
                return Err(Fault::MissingTile(parent));
            }
            let place = usize::try_from(id.index % u64::from(TILE_WIDTH)).unwrap_or(usize::MAX);
            let said = self.tiles.get(size, parent)?.chunks_exact(HASH_BYTES).nth(place);
            if said != Some(Tile::subtree_hash(self.tiles.get(size, *id)?).0.as_slice()) {
                return Err(Fault::TilesDiffer(size));
            }
        }
        Ok(())
    }
}

/// Where the hashes of a tile are in the order that the reader counts in.
fn stored_indexes(size: u64, id: TileId) -> Result<Vec<u64>, Fault> {
    check_size(size)?;
    let width = u64::from(id.width(size));
    if width == 0 {
        return Err(Fault::MissingTile(id));
    }
    let first = id.index * u64::from(TILE_WIDTH);
    Ok((first..first + width).map(|n| tlog_tiles::stored_hash_index(id.level * HEIGHT, n)).collect())
}

pub(crate) fn check_size(size: u64) -> Result<(), Fault> {
    if size > LARGEST_TREE { Err(Fault::TooLarge(size)) } else { Ok(()) }
}

fn check_entry(size: u64, index: u64) -> Result<(), Fault> {
    check_size(size)?;
    if index < size { Ok(()) } else { Err(Fault::NotInTree { index, size }) }
}

fn check_sizes(old: u64, new: u64) -> Result<(), Fault> {
    check_size(new)?;
    if old <= new { Ok(()) } else { Err(Fault::NotConsistent { old, new }) }
}
