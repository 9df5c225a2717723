//! SQL of the verification: rows and what the log says of them.

use diesel::prelude::*;
use diesel::sql_types as sql;
use diesel_async::RunQueryDsl;
use serde_json::Value;

use super::tables::Key;
use super::verify_store::{Asked, View};

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
         select coalesce(t.key, s.id) as id, t.looks, s.place, s.state, coalesce((select concat_ws(' ', $3, s.id, s.state) = any (e.changes) \
             from log_places p join audit_entries e on e.id = p.entry_id where p.place = s.place), false) as founded \
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
