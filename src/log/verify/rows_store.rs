//! SQL of the verification: rows and what the log says of them.

use diesel::prelude::*;
use diesel::sql_types as sql;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection as _};
use serde_json::Value;
use uuid::Uuid;

use super::tables::Key;
use super::verify_store::{Asked, View};
use crate::db::schema::{audit_entries, log_queue};

/// A row, and the state that the index has of it; either may be missing.
#[derive(Debug, QueryableByName)]
pub(super) struct Pair {
    /// The row's key.
    #[diesel(sql_type = sql::Text)]
    pub(super) id: String,
    #[diesel(sql_type = sql::Nullable<sql::Json>)]
    pub(super) looks: Option<Value>,
    #[diesel(sql_type = sql::Nullable<sql::BigInt>)]
    pub(super) place: Option<i64>,
    #[diesel(sql_type = sql::Nullable<sql::Text>)]
    pub(super) state: Option<String>,
    /// Whether the entry at that place says the same.
    #[diesel(sql_type = sql::Bool)]
    pub(super) founded: bool,
}

/// Rows of a table and states of them, each in order and after what was seen of each; at most `limit` of either.
pub(super) async fn pairs(
    mut conn: &View,
    (table, key): (&str, Key),
    (after_row, after_state): (&str, &str),
    limit: i64,
) -> Asked<Vec<Pair>> {
    let after = if after_row.is_empty() { "$1 = ''".to_owned() } else { key.compared(">", "$1") };
    diesel::sql_query(format!(
        "with t as materialized (select {} as key, row_to_json(r) as looks from {table} r where {after} order by {} limit $4), \
             s as materialized (select id, place, state from log_states where kind = $3 and id > $2 order by id limit $4) \
         select coalesce(t.key, s.id) as id, t.looks, s.place, s.state, exists (select from log_places p \
             join audit_entries e on e.id = p.entry_id, unnest(e.changes) as line \
             where p.place = s.place and starts_with(line, concat_ws(' ', $3, s.id, s.state, ''))) as founded \
         from t full join s on s.id = t.key",
        key.of_row(),
        key.order(),
    ))
    .bind::<sql::Text, _>(after_row)
    .bind::<sql::Text, _>(after_state)
    .bind::<sql::Text, _>(table)
    .bind::<sql::BigInt, _>(limit)
    .load(&mut conn)
    .await
}

/// A row again, with all that is said of it at the same moment.
#[derive(Debug, QueryableByName)]
pub(super) struct Again {
    #[diesel(sql_type = sql::Text)]
    pub(super) id: String,
    #[diesel(sql_type = sql::Json)]
    pub(super) looks: Value,
    #[diesel(sql_type = sql::Nullable<sql::BigInt>)]
    pub(super) place: Option<i64>,
    #[diesel(sql_type = sql::Nullable<sql::Text>)]
    pub(super) state: Option<String>,
    /// What the last of the entries says of it that have no place yet.
    #[diesel(sql_type = sql::Nullable<sql::Text>)]
    pub(super) waiting: Option<String>,
}

/// These rows again.
pub(super) async fn again(mut conn: &View, (table, key): (&str, Key), ids: &[&str]) -> Asked<Vec<Again>> {
    diesel::sql_query(format!(
        "with said as materialized (select distinct on (2) split_part(line, ' ', 3) as state, split_part(line, ' ', 2) as id \
             from log_queue q join audit_entries e on e.id = q.entry_id, unnest(e.changes) with ordinality as c (line, n) \
             where split_part(line, ' ', 1) = $2 order by 2, q.turn desc, n desc) \
         select w.id, row_to_json(r) as looks, s.place, s.state, said.state as waiting \
         from unnest($1) as w (id) join {table} r on {} left join log_states s on s.kind = $2 and s.id = w.id \
             left join said on said.id = w.id",
        key.compared("=", "w.id"),
    ))
    .bind::<sql::Array<sql::Text>, _>(ids)
    .bind::<sql::Text, _>(table)
    .load(&mut conn)
    .await
}

/// What the index says of a row.
#[derive(Debug, QueryableByName)]
pub(super) struct Indexed {
    #[diesel(sql_type = sql::Text)]
    pub(super) kind: String,
    #[diesel(sql_type = sql::Text)]
    pub(super) id: String,
    #[diesel(sql_type = sql::BigInt)]
    pub(super) place: i64,
    #[diesel(sql_type = sql::Text)]
    pub(super) state: String,
}

/// What the index says of these rows.
pub(super) async fn states(mut conn: &View, kinds: &[&str], ids: &[&str]) -> Asked<Vec<Indexed>> {
    diesel::sql_query(
        "select s.kind, s.id, s.place, s.state from unnest($1, $2) as w (kind, id) join log_states s on s.kind = w.kind and s.id = w.id",
    )
    .bind::<sql::Array<sql::Text>, _>(kinds)
    .bind::<sql::Array<sql::Text>, _>(ids)
    .load(&mut conn)
    .await
}

/// A change whose entry says that the row was something else before than the entry before had left.
#[derive(Debug, QueryableByName)]
pub(super) struct Link {
    #[diesel(sql_type = sql::Text)]
    pub(super) kind: String,
    #[diesel(sql_type = sql::Text)]
    pub(super) id: String,
    #[diesel(sql_type = sql::Uuid)]
    pub(super) entry: Uuid,
    #[diesel(sql_type = sql::Nullable<sql::BigInt>)]
    pub(super) place: Option<i64>,
    /// What it was before, according to the entry.
    #[diesel(sql_type = sql::Text)]
    pub(super) was: String,
    /// What the entry before had left.
    #[diesel(sql_type = sql::Nullable<sql::Text>)]
    pub(super) left: Option<String>,
}

/// Every such change, as far as anybody wants to read of it. All entries are gone through once and sorted, on disk if need be.
pub(super) async fn broken_chains(mut conn: &View) -> Asked<Vec<Link>> {
    conn.batch_execute("set local enable_seqscan = on; set local enable_hashjoin = on").await?;
    let links = diesel::sql_query(
        "with placed as (select p.place, 0::bigint as turn, p.entry_id from log_places p \
             union all select null, q.turn, q.entry_id from log_queue q \
                 where not exists (select from log_places p where p.entry_id = q.entry_id)), \
         said as (select p.place, p.turn, c.n, e.id as entry, split_part(c.line, ' ', 1) collate \"C\" as kind, \
                 split_part(c.line, ' ', 2) collate \"C\" as id, split_part(c.line, ' ', 3) as state, split_part(c.line, ' ', 4) as was \
             from placed p join audit_entries e on e.id = p.entry_id, unnest(e.changes) with ordinality as c (line, n)), \
         chained as (select *, lag(state) over (partition by kind, id order by place nulls last, turn, n) as before from said) \
         select kind, id, entry, place, was, before as left from chained where was <> coalesce(before, '-') \
         order by place nulls last, turn, n limit 10000",
    )
    .load(&mut conn)
    .await?;
    conn.batch_execute("set local enable_seqscan = off; set local enable_hashjoin = off").await?;
    Ok(links)
}

/// What entries without a place say of rows: each entry's turn and changes, in the order of their turns.
pub(super) async fn said_while_waiting(
    mut conn: &View,
    after: i64,
    limit: i64,
) -> Asked<Vec<(i64, Vec<String>)>> {
    log_queue::table
        .inner_join(audit_entries::table.on(audit_entries::id.eq(log_queue::entry_id)))
        .filter(log_queue::turn.gt(after))
        .order(log_queue::turn)
        .limit(limit)
        .select((log_queue::turn, audit_entries::changes))
        .load(&mut conn)
        .await
}
