//! SQL of proposals.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use super::proposals::{Proposal, ProposalKind};
use crate::db::Tx;
use crate::db::schema::proposals;
use crate::error::{Error, Kind, Result};
use crate::values::{CaseId, ComplaintId, MatterId, ProposalId, Reason, UserId};

pub(super) struct New<'a> {
    pub(super) kind: ProposalKind,
    pub(super) complaint: Option<ComplaintId>,
    pub(super) case: Option<CaseId>,
    pub(super) matter: MatterId,
    pub(super) payload: Value,
    pub(super) reason: &'a Reason,
    pub(super) by: UserId,
    pub(super) seen: i32,
}

pub(super) async fn insert(tx: &mut Tx, new: &New<'_>) -> Result<Proposal> {
    let row = (
        proposals::id.eq(ProposalId::new()),
        proposals::matter_id.eq(new.matter),
        proposals::complaint_id.eq(new.complaint),
        proposals::case_id.eq(new.case),
        proposals::kind.eq(new.kind),
        proposals::payload.eq(&new.payload),
        proposals::reason.eq(new.reason.as_str()),
        proposals::proposed_by.eq(new.by),
        proposals::proposed_at.eq(tx.now()),
        proposals::seen_version.eq(new.seen),
    );
    tx.ask_for(
        async |mut conn| {
            diesel::insert_into(proposals::table)
                .values(row)
                .returning(Proposal::as_returning())
                .get_result(&mut conn)
                .await
        },
        |error| match error {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => {
                Error::new(Kind::Exists, "a change of this waits for a second officer already")
            }
            other => crate::db::tx::refused(other),
        },
    )
    .await
}

pub(super) async fn lock(tx: &mut Tx, id: ProposalId) -> Result<Option<Proposal>> {
    tx.ask(async |mut conn| {
        proposals::table.find(id).for_update().select(Proposal::as_select()).first(&mut conn).await.optional()
    })
    .await
}

pub(super) async fn decide(
    tx: &mut Tx,
    id: ProposalId,
    by: UserId,
    approve: bool,
    reason: &Reason,
) -> Result<Proposal> {
    let set = (
        proposals::decided_by.eq(by),
        proposals::decided_at.eq(tx.now()),
        proposals::approved.eq(approve),
        proposals::decision_reason.eq(reason.as_str()),
        proposals::version.eq(proposals::version + 1),
    );
    tx.ask(async |mut conn| {
        diesel::update(proposals::table.find(id))
            .set(set)
            .returning(Proposal::as_returning())
            .get_result(&mut conn)
            .await
    })
    .await
}

/// Proposals, oldest first; only those that wait (true) or are decided (false).
pub(super) async fn list(
    mut conn: &AsyncPgConnection,
    waiting: Option<bool>,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> QueryResult<Vec<Proposal>> {
    let mut query = proposals::table.into_boxed();
    match waiting {
        Some(true) => query = query.filter(proposals::decided_at.is_null()),
        Some(false) => query = query.filter(proposals::decided_at.is_not_null()),
        None => {}
    }
    if let Some((at, id)) = after {
        query = query.filter(proposals::proposed_at.ge(at)).filter(
            proposals::proposed_at
                .gt(at)
                .or(proposals::proposed_at.eq(at).and(proposals::id.gt(ProposalId::from(id)))),
        );
    }
    query
        .order((proposals::proposed_at, proposals::id))
        .limit(rows)
        .select(Proposal::as_select())
        .load(&mut conn)
        .await
}
