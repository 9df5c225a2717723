//! The transparency log: every entry of [`crate::audit`] is a leaf of one tree, whose signed heads outsiders keep.
//!
//! Belongs here: giving places, signing, proving, showing the log to everybody and the entries to auditors, and checking all
//! of it. Does not belong here: the formats, which are [`crate::tlog`]; what an entry is, which is [`crate::audit`].

mod auditors_http;
mod auditors_store;
mod export_http;
pub mod guard;
pub mod http;
pub mod sequencer;
mod sequencer_store;
mod store;
pub mod verify;
pub mod witnesses;
mod witnesses_post;
mod witnesses_store;

use uuid::Uuid;

pub use self::auditors_store::{Asked, Audited};
pub use self::store::{Checkpoint, entries_from};
use crate::audit::{Event, Seen, What};
use crate::db::{Caller, Tx};
use crate::error::{Error, Result};
use crate::temwen::Temwen;
use crate::tlog::{self, Hash, LogProof, TILE_WIDTH, TileId, Tiles};
use crate::values::EntryId;

/// The newest signed checkpoint with the cosignatures it has; `None` while nothing is signed.
pub async fn checkpoint(temwen: &Temwen, caller: &Caller) -> Result<Option<String>> {
    let newest = temwen.db.read(caller, async |conn| store::checkpoint(conn).await).await?;
    newest.map(|checkpoint| checkpoint.text()).transpose()
}

/// The first `width` hashes of a tile, if a signed tree has them.
pub async fn tile(temwen: &Temwen, caller: &Caller, id: TileId, width: u32) -> Result<Option<Vec<u8>>> {
    let read = async |conn: &_| futures_util::try_join!(store::signed_size(conn), store::tile(conn, id));
    let (size, hashes) = temwen.db.read(caller, read).await?;
    if width == 0 || width > id.width(size).min(TILE_WIDTH) {
        return Ok(None);
    }
    Ok(hashes.and_then(|hashes| tlog::partial(&hashes, width).map(<[u8]>::to_vec)))
}

/// An entry, its place and the proof that it has it.
#[derive(Debug, Clone)]
pub struct Proven {
    /// The exact bytes of the leaf.
    pub entry: String,
    /// Its place in the log.
    pub place: u64,
    /// The proof.
    pub proof: LogProof,
}

/// What is known of an entry's place.
#[derive(Debug, Clone)]
pub enum Place {
    /// The caller may know of no such entry.
    Unknown,
    /// It has none yet, or none that is signed: in a second it will.
    Waits,
    /// It has one.
    Proven(Box<Proven>),
}

/// Proves that the entry is in the log: under the newest checkpoint over it that enough witnesses signed, or else the newest
/// that any witness signed, or else the newest.
pub async fn prove(temwen: &Temwen, caller: &Caller, entry: Uuid) -> Result<Place> {
    let read = async |conn: &_| {
        futures_util::try_join!(
            store::entry(conn, entry),
            store::cosigned_over(conn, entry),
            store::checkpoint(conn)
        )
    };
    let (found, cosigned, newest) = temwen.db.read(caller, read).await?;
    let Some((seen, place)) = found else { return Ok(Place::Unknown) };
    let Some(place) = place.and_then(|place| u64::try_from(place).ok()) else { return Ok(Place::Waits) };
    let Some(newest) = newest.map(|newest| newest.head.size).filter(|size| *size > place) else {
        return Ok(Place::Waits);
    };
    let size = witnesses::preferred(temwen.witnesses.as_ref(), &cosigned).unwrap_or(newest);
    let wanted = tlog::needed_for_inclusion(size, place).map_err(Error::internal)?;
    let read = async |conn: &_| {
        futures_util::try_join!(store::checkpoint_of(conn, size), store::tiles(conn, &wanted))
    };
    let (checkpoint, tiles) = temwen.db.read(caller, read).await?;
    let checkpoint =
        checkpoint.ok_or_else(|| Error::internal("a checkpoint that witnesses signed is not there"))?;
    let tiles = as_wide_as(size, tiles);
    let hashes = tiles.inclusion(size, place).map_err(Error::internal)?;
    let proof = LogProof { extra: None, index: place, hashes, checkpoint: checkpoint.text()? };
    Ok(Place::Proven(Box::new(Proven { entry: seen.leaf(), place, proof })))
}

/// Where these entries are in the log; those that wait are left out.
pub async fn places(tx: &mut Tx, entries: &[EntryId]) -> Result<Vec<(EntryId, i64)>> {
    tx.ask(async |conn| store::places(conn, entries).await).await
}

/// The first entry of one of these actions about an object, if the caller may know of it.
pub async fn first_about(
    temwen: &Temwen,
    caller: &Caller,
    object: Uuid,
    actions: &[What],
) -> Result<Option<EntryId>> {
    let words: Vec<&str> = actions.iter().map(|what| what.as_str()).collect();
    temwen.db.read(caller, async |conn| store::first_about(conn, object, &words).await).await
}

/// Proves that the tree of `new` entries continues the tree of `old`.
async fn consistency(temwen: &Temwen, caller: &Caller, old: u64, new: u64) -> Result<Vec<Hash>> {
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let wanted = tlog::needed_for_consistency(old, new).map_err(Error::internal)?;
    let tiles = temwen.db.read(caller, async |conn| store::tiles(conn, &wanted).await).await?;
    as_wide_as(new, tiles).consistency(old, new).map_err(Error::internal)
}

/// These tiles as wide as the tree of that size has them.
fn as_wide_as(size: u64, tiles: Vec<(TileId, Vec<u8>)>) -> Tiles {
    let as_wide = |(id, hashes): (TileId, Vec<u8>)| {
        tlog::partial(&hashes, id.width(size)).map(|part| (id, part.to_vec()))
    };
    Tiles(tiles.into_iter().filter_map(as_wide).collect())
}

/// A bundle of entries (c2sp.org/tlog-tiles): the leaves of a tile, each after its length. `None` if there are not so many,
/// or if the caller may not know of one of them.
pub async fn bundle(temwen: &Temwen, caller: &Caller, index: u64, width: u32) -> Result<Option<Vec<u8>>> {
    let id = TileId { level: 0, index };
    let (Ok(from), Ok(length)) =
        (i64::try_from(index.saturating_mul(u64::from(TILE_WIDTH))), usize::try_from(width))
    else {
        return Ok(None);
    };
    let read = async |conn: &_| {
        futures_util::try_join!(store::signed_size(conn), store::entries_from(conn, from, i64::from(width)))
    };
    let event = Event::register(What::EntriesRead).with("from", from).with("count", i64::from(width));
    let work = async |conn: &_| read(conn).await.map(Some);
    let Some((size, entries)) = temwen.db.read_recorded(caller, "log.bundle", event, work).await? else {
        return Ok(None);
    };
    if width == 0 || width > id.width(size) || entries.len() != length {
        return Ok(None);
    }
    let mut bundle = Vec::new();
    for (_, entry) in &entries {
        let leaf = entry.leaf();
        let length = u16::try_from(leaf.len()).map_err(Error::internal)?;
        bundle.extend_from_slice(&length.to_be_bytes());
        bundle.extend_from_slice(leaf.as_bytes());
    }
    Ok(Some(bundle))
}

/// An entry and where it is in the log.
pub type Placed = (i64, Seen);
