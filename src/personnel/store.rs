//! SQL of the walls and the routing that follow from who is named in a matter.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::Routing;
use crate::db::statement::{Fixed, Text};
use crate::values::MatterId;

struct PutUpWalls;
impl Text for PutUpWalls {
    const GIVEN: &'static str = "matter, at";
    const SQL: &'static str = " select p.walled, p.outside, p.rerouted, p.without_officer from given, put_up_walls(given.matter, given.at) p";
    type Row = (sql::Integer, sql::Bool, sql::Bool, sql::Bool);
}

/// Puts up the walls that follow from the parties of a matter as they are now, and routes it outside those concerned: one
/// statement. To be asked in the transaction that added or changed a party, after it; of a matter without parties it does nothing.
pub async fn put_up_walls(mut conn: &AsyncPgConnection, matter: MatterId, at: DateTime<Utc>) -> QueryResult<Routing> {
    let binds = (matter.into_sql::<sql::Uuid>(), at.into_sql::<sql::Timestamptz>());
    let (walled, outside, rerouted, without_officer) = Fixed::with(PutUpWalls, binds).get_result(&mut conn).await?;
    Ok(Routing { walled, outside, rerouted, without_officer })
}
