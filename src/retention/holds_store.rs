//! SQL of legal holds.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::db::Tx;
use crate::db::schema::{cases, complaints, legal_holds};
use crate::error::{Error, Result};
use crate::values::{CaseId, ComplaintId, HoldId, MatterId, UserId};

/// A hold as it is stored: its reasons sealed.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = legal_holds, check_for_backend(diesel::pg::Pg))]
pub(super) struct Row {
    pub(super) id: HoldId,
    pub(super) complaint_id: Option<ComplaintId>,
    pub(super) case_id: Option<CaseId>,
    pub(super) reason: Vec<u8>,
    pub(super) set_by: UserId,
    pub(super) set_at: DateTime<Utc>,
    pub(super) ended_by: Option<UserId>,
    pub(super) ended_at: Option<DateTime<Utc>>,
    pub(super) end_reason: Option<Vec<u8>>,
    pub(super) version: i32,
}

pub(super) async fn insert(
    tx: &mut Tx,
    id: HoldId,
    (case, complaint): (Option<CaseId>, Option<ComplaintId>),
    reason: &[u8],
) -> Result<Row> {
    let by = tx.actor().user().ok_or_else(Error::forbidden)?;
    let row = (
        legal_holds::id.eq(id),
        legal_holds::case_id.eq(case),
        legal_holds::complaint_id.eq(complaint),
        legal_holds::reason.eq(reason),
        legal_holds::set_by.eq(by),
        legal_holds::set_at.eq(tx.now()),
    );
    tx.ask(async |mut conn| {
        diesel::insert_into(legal_holds::table)
            .values(row)
            .returning(Row::as_returning())
            .get_result(&mut conn)
            .await
    })
    .await
}

pub(super) async fn find(tx: &mut Tx, id: HoldId) -> Result<Option<Row>> {
    tx.ask(async |mut conn| {
        legal_holds::table.find(id).select(Row::as_select()).first(&mut conn).await.optional()
    })
    .await
}

pub(super) async fn lock(tx: &mut Tx, id: HoldId) -> Result<Option<Row>> {
    tx.ask(async |mut conn| {
        legal_holds::table.find(id).for_update().select(Row::as_select()).first(&mut conn).await.optional()
    })
    .await
}

pub(super) async fn end(tx: &mut Tx, id: HoldId, by: UserId, reason: &[u8]) -> Result<Row> {
    let set = (
        legal_holds::ended_by.eq(by),
        legal_holds::ended_at.eq(tx.now()),
        legal_holds::end_reason.eq(reason),
        legal_holds::version.eq(legal_holds::version + 1),
    );
    tx.ask(async |mut conn| {
        diesel::update(legal_holds::table.find(id))
            .set(set)
            .returning(Row::as_returning())
            .get_result(&mut conn)
            .await
    })
    .await
}

/// Holds, oldest first, each with its matter; only those that last (true) or have ended (false).
pub(super) async fn list(
    mut conn: &AsyncPgConnection,
    lasting: Option<bool>,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> QueryResult<Vec<(Row, MatterId)>> {
    let mut query = legal_holds::table.left_join(cases::table).left_join(complaints::table).into_boxed();
    match lasting {
        Some(true) => query = query.filter(legal_holds::ended_at.is_null()),
        Some(false) => query = query.filter(legal_holds::ended_at.is_not_null()),
        None => {}
    }
    if let Some((at, id)) = after {
        query = query.filter(legal_holds::set_at.ge(at)).filter(
            legal_holds::set_at
                .gt(at)
                .or(legal_holds::set_at.eq(at).and(legal_holds::id.gt(HoldId::from(id)))),
        );
    }
    query
        .order((legal_holds::set_at, legal_holds::id))
        .limit(rows)
        .select((Row::as_select(), cases::matter_id.nullable(), complaints::matter_id.nullable()))
        .load::<(Row, Option<MatterId>, Option<MatterId>)>(&mut conn)
        .await
        .map(|rows| rows.into_iter().filter_map(|(row, one, other)| Some((row, one.or(other)?))).collect())
}
