//! The right border of a growing tree: all that appending needs.

use tlog_tiles::{Hash, Tile};

use crate::tlog::fault::Fault;
use crate::tlog::tiles::{HASH_BYTES, LARGEST_TREE, TILE_WIDTH, TileId, Tiles, check_size};

/// The right border of a tree: the tile that is not yet full on each level.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    size: u64,
    /// The hashes of the last tile of each level, from the leaves upwards; fewer than 256 of them.
    borders: Vec<Border>,
    /// Tiles that became full since the last time somebody took the changes.
    full: Vec<(TileId, Vec<u8>)>,
}

#[derive(Clone, Debug, Default)]
struct Border {
    bytes: Vec<u8>,
    changed: bool,
}

impl Edge {
    /// The border of a stored tree: exactly the tiles that [`Edge::needed`] names, each as wide as the tree asks for.
    pub fn new(size: u64, tiles: &[(TileId, Vec<u8>)]) -> Result<Self, Fault> {
        check_size(size)?;
        let mut borders = Vec::new();
        for level in 0..levels(size) {
            let id = border(size, level);
            let bytes = match id.width(size) {
                0 => Vec::new(),
                width => {
                    let (_, bytes) =
                        tiles.iter().find(|(other, _)| *other == id).ok_or(Fault::MissingTile(id))?;
                    // A wider tile would be of a larger tree than the one that is to be continued.
                    if bytes.len() != bytes_of(width) {
                        return Err(Fault::TileLength(id));
                    }
                    bytes.clone()
                }
            };
            borders.push(Border { bytes, changed: false });
        }
        Ok(Self { size, borders, full: Vec::new() })
    }

    /// The tiles on the right border of a tree of that size, from the leaves upwards; a full tile is on none.
    pub fn needed(size: u64) -> Vec<TileId> {
        (0..levels(size)).map(|level| border(size, level)).filter(|id| id.width(size) > 0).collect()
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Hash) -> Result<(), Fault> {
        if self.size >= LARGEST_TREE {
            return Err(Fault::TooLarge(self.size.saturating_add(1)));
        }
        let mut carried = Some(leaf);
        let mut level = 0_u8;
        while let Some(hash) = carried.take() {
            if self.borders.len() <= usize::from(level) {
                self.borders.push(Border::default());
            }
            let id = border(self.size, level);
            if let Some(border) = self.borders.get_mut(usize::from(level)) {
                border.changed = true;
                border.bytes.extend_from_slice(&hash.0);
                if border.bytes.len() == bytes_of(TILE_WIDTH) {
                    let bytes = std::mem::take(&mut border.bytes);
                    border.changed = false;
                    carried = Some(Tile::subtree_hash(&bytes));
                    self.full.push((id, bytes));
                }
            }
            level += 1;
        }
        self.size += 1;
        Ok(())
    }

    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Root of the tree.
    pub fn root(&self) -> Result<Hash, Fault> {
        self.tiles().root(self.size)
    }

    /// The tiles that are new or have grown since [`Edge::settle`], full ones first; the others are partial.
    pub fn changed(&self) -> Vec<(TileId, Vec<u8>)> {
        let grown = self
            .borders()
            .filter(|(_, border)| border.changed)
            .map(|(id, border)| (id, border.bytes.clone()));
        self.full.iter().cloned().chain(grown).collect()
    }

    /// Forgets what has changed, once it is stored.
    pub fn settle(&mut self) {
        self.full.clear();
        for border in &mut self.borders {
            border.changed = false;
        }
    }

    /// The tiles of the border, as [`Edge::new`] takes them.
    pub fn tiles(&self) -> Tiles {
        Tiles(self.borders().map(|(id, border)| (id, border.bytes.clone())).collect())
    }

    fn borders(&self) -> impl Iterator<Item = (TileId, &Border)> {
        let id = |level| border(self.size, level);
        (0_u8..).map(id).zip(&self.borders).filter(|(_, border)| !border.bytes.is_empty())
    }
}

/// How many levels of tiles a tree of that size has.
fn levels(size: u64) -> u8 {
    (0_u8..8).take_while(|level| size >> (u32::from(*level) * 8) > 0).fold(0, |levels, _| levels + 1)
}

/// The tile of a level into which the next hash of that level goes.
fn border(size: u64, level: u8) -> TileId {
    TileId { level, index: size.checked_shr((u32::from(level) + 1) * 8).unwrap_or(0) }
}

fn bytes_of(width: u32) -> usize {
    usize::try_from(width).unwrap_or(usize::MAX).saturating_mul(HASH_BYTES)
}
