//! SQL of the sequencer.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::try_join;
use uuid::Uuid;

use crate::audit::Seen;
use crate::db::schema::{audit_entries, log_heads, log_queue};
use crate::db::statement::{Bare, Fixed, Text};
use crate::tlog::{Hash, Head, TileId};

/// A head of the log as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct StoredHead {
    /// Size and root.
    pub(crate) head: Head,
    /// The signed checkpoint, once there is one.
    pub(crate) note: Option<String>,
}

struct TakeTurn;
impl Text for TakeTurn {
    const GIVEN: &'static str = "";
    // Held until the transaction ends, whatever becomes of the node that holds it.
    const SQL: &'static str = "select pg_try_advisory_xact_lock(hashtextextended('temwen.log', 0))";
    type Row = sql::Bool;
}

/// Whether it is this node's turn: only one writes the log at a time.
pub(crate) async fn take_turn(mut conn: &AsyncPgConnection) -> QueryResult<bool> {
    Bare::new(TakeTurn).get_result(&mut conn).await
}

type HeadRow = (i64, Vec<u8>, Option<String>);

fn stored(row: HeadRow) -> QueryResult<StoredHead> {
    let (size, root, note) = row;
    let unreadable = || diesel::result::Error::DeserializationError("a head of the log is damaged".into());
    let root = Hash(root.try_into().map_err(|_| unreadable())?);
    let size = u64::try_from(size).map_err(|_| unreadable())?;
    Ok(StoredHead { head: Head { size, root }, note })
}

/// The largest head, signed or not.
pub(crate) async fn last_head(mut conn: &AsyncPgConnection) -> QueryResult<Option<StoredHead>> {
    let row: Option<HeadRow> = log_heads::table
        .order(log_heads::size.desc())
        .select((log_heads::size, log_heads::root, log_heads::note))
        .first(&mut conn)
        .await
        .optional()?;
    row.map(stored).transpose()
}

/// The entries that wait for a place, first those that came first: of two that tell of one row, the later change comes later.
pub(crate) async fn queue(mut conn: &AsyncPgConnection, limit: i64) -> QueryResult<Vec<Seen>> {
    log_queue::table
        .inner_join(audit_entries::table.on(audit_entries::id.eq(log_queue::entry_id)))
        .order(log_queue::turn)
        .limit(limit)
        .select(Seen::as_select())
        .load(&mut conn)
        .await
}

struct Tiles;
impl Text for Tiles {
    const GIVEN: &'static str = "levels, indexes";
    const SQL: &'static str = " select t.level, t.index, t.hashes from given, unnest(levels, indexes) as wanted (level, index) \
         join log_tiles t on t.level = wanted.level and t.index = wanted.index";
    type Row = (sql::SmallInt, sql::BigInt, sql::Binary);
}

/// These tiles, as far as they are there.
pub(crate) async fn tiles(
    mut conn: &AsyncPgConnection,
    wanted: &[TileId],
) -> QueryResult<Vec<(TileId, Vec<u8>)>> {
    let (levels, indexes) = columns(wanted.iter());
    let binds =
        (levels.into_sql::<sql::Array<sql::SmallInt>>(), indexes.into_sql::<sql::Array<sql::BigInt>>());
    let rows: Vec<(i16, i64, Vec<u8>)> = Fixed::with(Tiles, binds).load(&mut conn).await?;
    Ok(rows
        .into_iter()
        .filter_map(|(level, index, hashes)| {
            Some((TileId { level: level.try_into().ok()?, index: index.try_into().ok()? }, hashes))
        })
        .collect())
}

fn columns<'a>(tiles: impl Iterator<Item = &'a TileId>) -> (Vec<i16>, Vec<i64>) {
    tiles.map(|tile| (i16::from(tile.level), i64::try_from(tile.index).unwrap_or(i64::MAX))).unzip()
}

/// What a step of the sequencer adds to the log.
#[derive(Debug)]
pub(crate) struct Growth {
    /// The entries, in the order of their places.
    pub(crate) entries: Vec<Uuid>,
    /// The first one's place.
    pub(crate) from: i64,
    /// Tiles that are new or grew.
    pub(crate) tiles: Vec<(TileId, Vec<u8>)>,
    /// What every changed row looks like now: by table and key, the place and the state.
    pub(crate) states: BTreeMap<(String, String), (i64, String)>,
    /// The tree that comes of it.
    pub(crate) head: Head,
    /// When.
    pub(crate) at: DateTime<Utc>,
}

struct GivePlaces;
impl Text for GivePlaces {
    const GIVEN: &'static str = "entries, first";
    const SQL: &'static str = " insert into log_places (place, entry_id) \
         select first + n - 1, entry from given, unnest(entries) with ordinality as e (entry, n)";
    type Row = ();
}

struct LeaveQueue;
impl Text for LeaveQueue {
    const GIVEN: &'static str = "entries, nothing";
    const SQL: &'static str =
        " delete from log_queue where entry_id = any ((select entries from given)::uuid[])";
    type Row = ();
}

struct GrowTiles;
impl Text for GrowTiles {
    const GIVEN: &'static str = "levels, indexes, contents";
    const SQL: &'static str = " insert into log_tiles (level, index, hashes) \
         select t.* from given, unnest(levels, indexes, contents) as t (level, index, hashes) \
         on conflict (level, index) do update set hashes = excluded.hashes";
    type Row = ();
}

struct KeepStates;
impl Text for KeepStates {
    const GIVEN: &'static str = "kinds, ids, places, states";
    const SQL: &'static str = " insert into log_states (kind, id, place, state) \
         select s.* from given, unnest(kinds, ids, places, states) as s (kind, id, place, state) \
         on conflict (kind, id) do update set place = excluded.place, state = excluded.state";
    type Row = ();
}

struct AddHead;
impl Text for AddHead {
    const GIVEN: &'static str = "size, root, at";
    const SQL: &'static str = " insert into log_heads (size, root, at) select size, root, at from given";
    type Row = ();
}

/// Adds `growth` to the log, all in one round trip.
pub(crate) async fn grow(conn: &AsyncPgConnection, growth: &Growth) -> QueryResult<()> {
    let size = i64::try_from(growth.head.size).unwrap_or(i64::MAX);
    let (levels, indexes) = columns(growth.tiles.iter().map(|(tile, _)| tile));
    let contents: Vec<&[u8]> = growth.tiles.iter().map(|(_, hashes)| hashes.as_slice()).collect();
    let (mut kinds, mut ids, mut places, mut states) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for ((kind, id), (place, state)) in &growth.states {
        kinds.push(kind.as_str());
        ids.push(id.as_str());
        places.push(*place);
        states.push(state.as_str());
    }
    let mut each = [conn; 5];
    let [first, second, third, fourth, fifth] = each.each_mut();
    let ids_of = |entries: &[Uuid]| entries.to_vec().into_sql::<sql::Array<sql::Uuid>>();
    try_join!(
        Fixed::with(GivePlaces, (ids_of(&growth.entries), growth.from.into_sql::<sql::BigInt>()))
            .execute(first),
        Fixed::with(LeaveQueue, (ids_of(&growth.entries), 0.into_sql::<sql::Integer>())).execute(second),
        Fixed::with(
            GrowTiles,
            (
                levels.into_sql::<sql::Array<sql::SmallInt>>(),
                indexes.into_sql::<sql::Array<sql::BigInt>>(),
                contents.into_sql::<sql::Array<sql::Binary>>(),
            )
        )
        .execute(third),
        Fixed::with(
            KeepStates,
            (
                kinds.into_sql::<sql::Array<sql::Text>>(),
                ids.into_sql::<sql::Array<sql::Text>>(),
                places.into_sql::<sql::Array<sql::BigInt>>(),
                states.into_sql::<sql::Array<sql::Text>>(),
            )
        )
        .execute(fourth),
        Fixed::with(
            AddHead,
            (
                size.into_sql::<sql::BigInt>(),
                growth.head.root.0.to_vec().into_sql::<sql::Binary>(),
                growth.at.into_sql::<sql::Timestamptz>()
            )
        )
        .execute(fifth),
    )?;
    Ok(())
}

struct Sign;
impl Text for Sign {
    const GIVEN: &'static str = "signed, of_size";
    const SQL: &'static str =
        " update log_heads set note = signed from given where size = of_size and note is null";
    type Row = ();
}

/// Keeps the signed checkpoint of the head of this size.
pub(crate) async fn sign(mut conn: &AsyncPgConnection, size: u64, note: &str) -> QueryResult<()> {
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let binds = (note.into_sql::<sql::Text>(), size.into_sql::<sql::BigInt>());
    match Fixed::with(Sign, binds).execute(&mut conn).await? {
        1 => Ok(()),
        _ => Err(diesel::result::Error::NotFound),
    }
}

struct Sealed;
impl Text for Sealed {
    const GIVEN: &'static str = "";
    const SQL: &'static str = "select exists (select from audit_entries e where e.seal is not null and exists (select from log_places p where p.entry_id = e.id))";
    type Row = sql::Bool;
}

/// Whether the log holds a sealed entry: from then on, every entry has to be.
pub(crate) async fn sealed(mut conn: &AsyncPgConnection) -> QueryResult<bool> {
    Bare::new(Sealed).get_result(&mut conn).await
}
