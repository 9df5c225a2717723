//! SQL of what happens to files by itself.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{Row, State};
use crate::db::Tx;
use crate::db::schema::evidence;
use crate::error::Result;
use crate::values::EvidenceId;

/// Uploads whose time is over, and those of which all has been there for a minute.
pub(super) async fn unfinished(
    mut conn: &AsyncPgConnection,
    now: DateTime<Utc>,
    most: i64,
) -> QueryResult<Vec<Row>> {
    // A last byte that was kept moved the end of the time, so the minute runs from there.
    let whole = evidence::arrived
        .eq(evidence::size)
        .and(evidence::expires_at.lt(now + chrono::TimeDelta::hours(24) - chrono::TimeDelta::minutes(1)));
    evidence::table
        .filter(evidence::stage.eq(State::Arriving))
        .filter(evidence::expires_at.le(now).or(whole))
        .order(evidence::expires_at)
        .limit(most)
        .select(Row::as_select())
        .load(&mut conn)
        .await
}

/// Ends an upload whose time is over; `false` if it went on or ended meanwhile.
pub(super) async fn expire(tx: &mut Tx, id: EvidenceId) -> Result<bool> {
    let now = tx.now();
    tx.ask(async |mut conn| {
        let here = evidence::table
            .find(id)
            .filter(evidence::stage.eq(State::Arriving))
            .filter(evidence::expires_at.le(now));
        diesel::update(here).set(evidence::stage.eq(State::Expired)).execute(&mut conn).await
    })
    .await
    .map(|ended| ended == 1)
}

/// Files of which there may be bytes in the store that are not to be kept.
pub(super) async fn to_clear(
    mut conn: &AsyncPgConnection,
    settled: DateTime<Utc>,
    most: i64,
) -> QueryResult<Vec<Row>> {
    evidence::table
        .filter(evidence::stage.ne(State::Arriving).and(evidence::cleared_at.is_null()))
        .filter(evidence::stage.ne(State::Kept).or(evidence::received_at.lt(settled)))
        .order(evidence::begun_at)
        .limit(most)
        .select(Row::as_select())
        .load(&mut conn)
        .await
}

/// Nothing is in the store that should not be; `false` if the file was erased meanwhile.
pub(super) async fn cleared(tx: &mut Tx, id: EvidenceId, state: State) -> Result<bool> {
    let now = tx.now();
    tx.ask(async |mut conn| {
        let here = evidence::table.find(id).filter(evidence::stage.eq(state));
        diesel::update(here).set(evidence::cleared_at.eq(now)).execute(&mut conn).await
    })
    .await
    .map(|cleared| cleared == 1)
}

/// Files that were not read since `before`.
pub(super) async fn to_check(
    mut conn: &AsyncPgConnection,
    before: DateTime<Utc>,
    most: i64,
) -> QueryResult<Vec<Row>> {
    evidence::table
        .filter(evidence::stage.eq(State::Kept).and(evidence::damaged_at.is_null()))
        .filter(evidence::checked_at.lt(before))
        .order(evidence::checked_at)
        .limit(most)
        .select(Row::as_select())
        .load(&mut conn)
        .await
}

/// A file was read, and is what it was; `false` if it was erased meanwhile.
pub(super) async fn checked(tx: &mut Tx, id: EvidenceId) -> Result<bool> {
    let now = tx.now();
    tx.ask(async |mut conn| {
        let here = evidence::table.find(id).filter(evidence::stage.eq(State::Kept));
        diesel::update(here).set(evidence::checked_at.eq(now)).execute(&mut conn).await
    })
    .await
    .map(|checked| checked == 1)
}
