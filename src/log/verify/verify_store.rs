//! SQL of the verification: entries, places, tiles, heads, triggers.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection as _};
use uuid::Uuid;

use crate::audit::Seen;
use crate::db::Connect;
use crate::db::schema::{audit_entries, log_cosignatures, log_heads, log_places, log_queue};
use crate::error::{Error, Result};

/// A connection that looks at the register.
pub(super) type View = AsyncPgConnection;
/// What a question answers.
pub(super) type Asked<T> = QueryResult<T>;

/// Opens a connection that sees everything, changes nothing, and whose picture of the register stands still: a picture of
/// its own, or that of the connection that shares it.
pub(super) async fn open(connect: &Connect, shared: Option<&str>) -> Result<View> {
    let mut conn = connect.open().await?;
    conn.batch_execute("begin isolation level repeatable read read only").await.map_err(Error::internal)?;
    if let Some(shared) = shared {
        let shared = format!("set transaction snapshot '{}'", shared.replace('\'', ""));
        conn.batch_execute(&shared).await.map_err(Error::internal)?;
    }
    // What rows look like as text must not depend on a setting that somebody left in the database; and whoever may not see
    // all of it must be refused, not shown less. A page is always small: what belongs to it is found by index, however large the register is.
    let plain = "set local row_security = off; set local timezone = 'UTC'; set local bytea_output = 'hex'; \
         set local datestyle = 'ISO'; set local intervalstyle = 'postgres'; set local extra_float_digits = 1; \
         set local statement_timeout = 0; set local jit = off; set local work_mem = '64MB'; set local search_path = public; \
         set local enable_hashjoin = off; set local enable_seqscan = off";
    conn.batch_execute(plain).await.map_err(Error::internal)?;
    Ok(conn)
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = sql::Text)]
    name: String,
}

/// The name of this connection's picture, for others to share.
pub(super) async fn share(mut conn: &View) -> Asked<String> {
    let name: Name = diesel::sql_query("select pg_export_snapshot() as name").get_result(&mut conn).await?;
    Ok(name.name)
}

/// Where the log ends.
#[derive(Debug, Clone, QueryableByName)]
pub(super) struct Ends {
    /// The size of the last head; 0 without one.
    #[diesel(sql_type = sql::BigInt)]
    pub(super) size: i64,
    /// When it was made.
    #[diesel(sql_type = sql::Nullable<sql::Timestamptz>)]
    pub(super) head_at: Option<DateTime<Utc>>,
    /// How many places there are, if there are no gaps.
    #[diesel(sql_type = sql::BigInt)]
    pub(super) places: i64,
}

/// Where the log ends.
pub(super) async fn ends(mut conn: &View) -> Asked<Ends> {
    diesel::sql_query(
        "select coalesce((select max(size) from log_heads), 0) as size, \
             (select at from log_heads order by size desc limit 1) as head_at, \
             coalesce((select max(place) from log_places), -1) + 1 as places",
    )
    .get_result(&mut conn)
    .await
}

#[derive(QueryableByName)]
struct Moment {
    #[diesel(sql_type = sql::Nullable<sql::Timestamptz>)]
    moment: Option<DateTime<Utc>>,
}

/// When the log had taken in what was there before it began: when its first sealed entry had its place.
pub(super) async fn begun(mut conn: &View) -> Asked<Option<DateTime<Utc>>> {
    let moment: Moment = diesel::sql_query(
        "select (select at from log_heads where size > (select p.place from log_places p join audit_entries e on e.id = p.entry_id \
             where e.seal is not null order by p.place limit 1) order by size limit 1) as moment",
    )
    .get_result(&mut conn)
    .await?;
    Ok(moment.moment)
}

#[derive(QueryableByName)]
struct Flag {
    #[diesel(sql_type = sql::Bool)]
    flag: bool,
}

/// Whether one of the last entries of the log is sealed: then all that come after it have to be.
pub(super) async fn sealed_lately(mut conn: &View) -> Asked<bool> {
    let sealed: Flag = diesel::sql_query(
        "select coalesce(bool_or(seal is not null), false) as flag from (select e.seal \
             from log_places p join audit_entries e on e.id = p.entry_id order by p.place desc limit 100) as late",
    )
    .get_result(&mut conn)
    .await?;
    Ok(sealed.flag)
}

/// Whether more entries wait than so many.
pub(super) async fn more_wait_than(mut conn: &View, many: i64) -> Asked<bool> {
    let more: Flag = diesel::sql_query("select exists (select from log_queue offset $1) as flag")
        .bind::<sql::BigInt, _>(many)
        .get_result(&mut conn)
        .await?;
    Ok(more.flag)
}

#[derive(QueryableByName)]
struct Rows {
    #[diesel(sql_type = sql::BigInt)]
    rows: i64,
}

/// About how many rows there are to look at, entries not among them.
pub(super) async fn about_rows(mut conn: &View, tables: &[&str]) -> Asked<u64> {
    let rows: Rows = diesel::sql_query(
        "select coalesce(sum(greatest(reltuples, 0)), 0)::bigint as rows from pg_class \
             where relnamespace = 'public'::regnamespace and relname = any ($1)",
    )
    .bind::<sql::Array<sql::Text>, _>(tables)
    .get_result(&mut conn)
    .await?;
    Ok(u64::try_from(rows.rows).unwrap_or(0))
}

/// The places of a range with their entries, in order.
pub(super) async fn placed(mut conn: &View, from: i64, until: i64) -> Asked<Vec<(i64, Uuid, Option<Seen>)>> {
    log_places::table
        .left_join(audit_entries::table.on(audit_entries::id.eq(log_places::entry_id)))
        .filter(log_places::place.ge(from).and(log_places::place.lt(until)))
        .order(log_places::place)
        .select((log_places::place, log_places::entry_id, Option::<Seen>::as_select()))
        .load(&mut conn)
        .await
}

/// An entry, and what the log knows of it.
#[derive(Debug, QueryableByName)]
pub(super) struct Known {
    #[diesel(sql_type = sql::Uuid)]
    pub(super) id: Uuid,
    #[diesel(sql_type = sql::Nullable<sql::BigInt>)]
    pub(super) place: Option<i64>,
    #[diesel(sql_type = sql::Bool)]
    pub(super) waits: bool,
}

/// Entries in the order of their ids, after `after`.
pub(super) async fn known(mut conn: &View, after: Uuid, limit: i64) -> Asked<Vec<Known>> {
    diesel::sql_query(
        "select e.id, p.place, q.entry_id is not null as waits \
         from (select id from audit_entries where id > $1 order by id limit $2) as e \
             left join log_places p on p.entry_id = e.id left join log_queue q on q.entry_id = e.id order by e.id",
    )
    .bind::<sql::Uuid, _>(after)
    .bind::<sql::BigInt, _>(limit)
    .load(&mut conn)
    .await
}

/// What waits for its place, in the order of the ids, after `after`.
pub(super) async fn waiting(mut conn: &View, after: Uuid, limit: i64) -> Asked<Vec<(Uuid, Option<Seen>)>> {
    log_queue::table
        .left_join(audit_entries::table.on(audit_entries::id.eq(log_queue::entry_id)))
        .filter(log_queue::entry_id.gt(after))
        .order(log_queue::entry_id)
        .limit(limit)
        .select((log_queue::entry_id, Option::<Seen>::as_select()))
        .load(&mut conn)
        .await
}

/// A tile as it is stored, and the size of the log at that moment.
#[derive(Debug, QueryableByName)]
pub(super) struct Tile {
    #[diesel(sql_type = sql::BigInt)]
    pub(super) index: i64,
    #[diesel(sql_type = sql::Integer)]
    pub(super) length: i32,
    /// Of a tile above the leaves.
    #[diesel(sql_type = sql::Nullable<sql::Binary>)]
    pub(super) hashes: Option<Vec<u8>>,
    #[diesel(sql_type = sql::BigInt)]
    pub(super) size: i64,
}

/// The tiles of a level, in order.
pub(super) async fn tiles(mut conn: &View, level: i16, from: i64, limit: i64) -> Asked<Vec<Tile>> {
    diesel::sql_query(
        "select index, octet_length(hashes) as length, case when level > 0 then hashes end as hashes, \
             coalesce((select max(size) from log_heads), 0) as size \
         from log_tiles where level = $1 and index >= $2 order by index limit $3",
    )
    .bind::<sql::SmallInt, _>(level)
    .bind::<sql::BigInt, _>(from)
    .bind::<sql::BigInt, _>(limit)
    .load(&mut conn)
    .await
}

/// A head: size, root, when, and the signed checkpoint.
pub(super) type HeadRow = (i64, Vec<u8>, DateTime<Utc>, Option<String>);

/// The heads after that of the size `after`, in order.
pub(super) async fn heads(mut conn: &View, after: i64, limit: i64) -> Asked<Vec<HeadRow>> {
    log_heads::table
        .filter(log_heads::size.gt(after))
        .order(log_heads::size)
        .limit(limit)
        .select((log_heads::size, log_heads::root, log_heads::at, log_heads::note))
        .load(&mut conn)
        .await
}

/// The cosignatures of the heads of a range: size, the witness's key, the line.
pub(super) async fn cosignatures(mut conn: &View, from: i64, to: i64) -> Asked<Vec<(i64, String, String)>> {
    log_cosignatures::table
        .filter(log_cosignatures::size.between(from, to))
        .order((log_cosignatures::size, log_cosignatures::witness))
        .select((log_cosignatures::size, log_cosignatures::witness, log_cosignatures::line))
        .load(&mut conn)
        .await
}

/// The tables of which there are states.
pub(super) async fn kinds(mut conn: &View) -> Asked<Vec<String>> {
    let names: Vec<Name> = diesel::sql_query(
        "with recursive kinds as ((select kind from log_states order by kind limit 1) union all \
             select (select s.kind from log_states s where s.kind > k.kind order by s.kind limit 1) from kinds k where k.kind is not null) \
         select kind as name from kinds where kind is not null",
    )
    .load(&mut conn)
    .await?;
    Ok(names.into_iter().map(|name| name.name).collect())
}

/// The entries of this action, of findings, whose detail names one of these keys. Only one node at a time asks, until its transaction ends: of
/// two that find the same, the second sees what the first put on record.
pub(super) async fn told(mut conn: &View, action: &str, keys: &[String]) -> Asked<Vec<Seen>> {
    conn.batch_execute("select pg_advisory_xact_lock(hashtextextended('temwen.log.finding', 0))").await?;
    let about = diesel::dsl::sql::<sql::Bool>("detail ->> 'key' = any (")
        .bind::<sql::Array<sql::Text>, _>(keys)
        .sql(")");
    audit_entries::table
        .filter(audit_entries::action.eq(action))
        .filter(about)
        .select(Seen::as_select())
        .load(&mut conn)
        .await
}
