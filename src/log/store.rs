//! SQL of reading the log.

use diesel::prelude::*;
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::Placed;
use crate::audit::Seen;
use crate::db::schema::{audit_entries, log_heads, log_places, log_tiles};
use crate::db::statement::{Fixed, Text};
use crate::error::{Error, Result};
use crate::tlog::{self, Hash, Head, TileId};
use crate::values::EntryId;

/// A signed head and what witnesses signed under it.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// Size and root.
    pub head: Head,
    /// As the log signed it.
    pub note: String,
    /// The witnesses' lines.
    pub lines: Vec<String>,
}

impl Checkpoint {
    /// The whole signed note.
    pub fn text(&self) -> Result<String> {
        tlog::with_lines(&self.note, &self.lines).map_err(Error::internal)
    }
}

macro_rules! checkpoints {
    ($before:literal, $which:literal) => {
        concat!(
            $before,
            " select h.size, h.root, h.note, \
                 array(select c.line from log_cosignatures c where c.size = h.size order by c.witness) \
              from log_heads h where h.note is not null ",
            $which
        )
    };
}

type Columns = (sql::BigInt, sql::Binary, sql::Text, sql::Array<sql::Text>);
type Row = (i64, Vec<u8>, String, Vec<String>);

fn read(row: Row) -> QueryResult<Checkpoint> {
    let (size, root, note, lines) = row;
    let damaged = || diesel::result::Error::DeserializationError("a head of the log is damaged".into());
    let size = u64::try_from(size).map_err(|_| damaged())?;
    let root = Hash(root.try_into().map_err(|_| damaged())?);
    Ok(Checkpoint { head: Head { size, root }, note, lines })
}

struct Newest;
impl Text for Newest {
    const GIVEN: &'static str = "nothing";
    const SQL: &'static str = checkpoints!("", "order by h.size desc limit 1");
    type Row = Columns;
}

/// The newest signed checkpoint.
pub(super) async fn checkpoint(mut conn: &AsyncPgConnection) -> QueryResult<Option<Checkpoint>> {
    let row: Option<Row> =
        Fixed::with(Newest, (0.into_sql::<sql::Integer>(),)).get_result(&mut conn).await.optional()?;
    row.map(read).transpose()
}

struct OfSize;
impl Text for OfSize {
    const GIVEN: &'static str = "of_size";
    const SQL: &'static str = checkpoints!("", "and h.size = (select of_size from given)");
    type Row = Columns;
}

/// The signed checkpoint of the tree of that size, if there is one.
pub(super) async fn checkpoint_of(
    mut conn: &AsyncPgConnection,
    size: u64,
) -> QueryResult<Option<Checkpoint>> {
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let row: Option<Row> =
        Fixed::with(OfSize, (size.into_sql::<sql::BigInt>(),)).get_result(&mut conn).await.optional()?;
    row.map(read).transpose()
}

struct CosignedOver;
impl Text for CosignedOver {
    const GIVEN: &'static str = "entry";
    // The newest alone are looked at, and each size has few witnesses: the index gives them in order.
    const SQL: &'static str = " select c.size, array_agg(c.witness) from log_cosignatures c \
         where c.size > (select p.place from log_places p where p.entry_id = (select entry from given)) \
         group by c.size order by c.size desc limit 64";
    type Row = (sql::BigInt, sql::Array<sql::Text>);
}

/// The sizes of the newest trees over an entry that witnesses signed, newest first, each with who did.
pub(super) async fn cosigned_over(
    mut conn: &AsyncPgConnection,
    entry: Uuid,
) -> QueryResult<Vec<(u64, Vec<String>)>> {
    let rows: Vec<(i64, Vec<String>)> =
        Fixed::with(CosignedOver, (entry.into_sql::<sql::Uuid>(),)).load(&mut conn).await?;
    Ok(rows.into_iter().filter_map(|(size, keys)| Some((size.try_into().ok()?, keys))).collect())
}

/// The size of the largest signed tree.
pub(super) async fn signed_size(mut conn: &AsyncPgConnection) -> QueryResult<u64> {
    let size: Option<i64> = log_heads::table
        .filter(log_heads::note.is_not_null())
        .order(log_heads::size.desc())
        .select(log_heads::size)
        .first(&mut conn)
        .await
        .optional()?;
    Ok(size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0))
}

/// One tile, as far as it has grown.
pub(super) async fn tile(mut conn: &AsyncPgConnection, id: TileId) -> QueryResult<Option<Vec<u8>>> {
    let Ok(index) = i64::try_from(id.index) else { return Ok(None) };
    log_tiles::table
        .find((i16::from(id.level), index))
        .select(log_tiles::hashes)
        .first(&mut conn)
        .await
        .optional()
}

pub(super) use super::sequencer_store::tiles;

/// An entry that the caller may know of, and its place once it has one.
pub(super) async fn entry(
    mut conn: &AsyncPgConnection,
    id: Uuid,
) -> QueryResult<Option<(Seen, Option<i64>)>> {
    audit_entries::table
        .left_join(log_places::table.on(log_places::entry_id.eq(audit_entries::id)))
        .filter(audit_entries::id.eq(EntryId::from(id)))
        .select((Seen::as_select(), log_places::place.nullable()))
        .first(&mut conn)
        .await
        .optional()
}

/// The first entry of this action about an object, if the caller may know of it.
pub(super) async fn first_about(
    mut conn: &AsyncPgConnection,
    object: Uuid,
    actions: &[&str],
) -> QueryResult<Option<EntryId>> {
    audit_entries::table
        .filter(audit_entries::object_id.eq(object).and(audit_entries::action.eq_any(actions)))
        .order((audit_entries::at, audit_entries::id))
        .select(audit_entries::id)
        .first(&mut conn)
        .await
        .optional()
}

/// The entries at `limit` places from `from` on, as far as the caller may know of them.
pub async fn entries_from(mut conn: &AsyncPgConnection, from: i64, limit: i64) -> QueryResult<Vec<Placed>> {
    log_places::table
        .inner_join(audit_entries::table.on(audit_entries::id.eq(log_places::entry_id)))
        .filter(log_places::place.ge(from).and(log_places::place.lt(from.saturating_add(limit))))
        .order(log_places::place)
        .select((log_places::place, Seen::as_select()))
        .load(&mut conn)
        .await
}

/// Where these entries are in the log; those that wait are left out.
pub(crate) async fn places(
    mut conn: &AsyncPgConnection,
    entries: &[EntryId],
) -> QueryResult<Vec<(EntryId, i64)>> {
    log_places::table
        .filter(log_places::entry_id.eq_any(entries))
        .select((log_places::entry_id, log_places::place))
        .load(&mut conn)
        .await
}
