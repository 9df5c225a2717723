//! SQL of what outside witnesses signed.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::db::schema::log_cosignatures;
use crate::db::statement::{Fixed, Text};

/// The size of the largest tree that this witness is known to have signed.
pub(super) async fn last_cosigned(mut conn: &AsyncPgConnection, witness: &str) -> QueryResult<Option<u64>> {
    let size: Option<i64> = log_cosignatures::table
        .filter(log_cosignatures::witness.eq(witness))
        .order(log_cosignatures::size.desc())
        .select(log_cosignatures::size)
        .first(&mut conn)
        .await
        .optional()?;
    Ok(size.and_then(|size| u64::try_from(size).ok()))
}

/// Who signed the checkpoint of this size, by their keys.
pub(super) async fn cosigners(mut conn: &AsyncPgConnection, size: u64) -> QueryResult<Vec<String>> {
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    log_cosignatures::table
        .filter(log_cosignatures::size.eq(size))
        .select(log_cosignatures::witness)
        .load(&mut conn)
        .await
}

struct Keep;
impl Text for Keep {
    const GIVEN: &'static str = "size, witness, line, at";
    // Another node may have asked, too.
    const SQL: &'static str = " insert into log_cosignatures (size, witness, line, at) \
         select size, witness, line, at from given on conflict (size, witness) do nothing";
    type Row = ();
}

/// Keeps a verified cosignature under the checkpoint of that size.
pub(super) async fn keep(
    mut conn: &AsyncPgConnection,
    size: u64,
    witness: &str,
    line: &str,
    at: DateTime<Utc>,
) -> QueryResult<usize> {
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let binds = (
        size.into_sql::<sql::BigInt>(),
        witness.into_sql::<sql::Text>(),
        line.into_sql::<sql::Text>(),
        at.into_sql::<sql::Timestamptz>(),
    );
    Fixed::with(Keep, binds).execute(&mut conn).await
}
