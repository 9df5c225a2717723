//! SQL of proposals.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use super::proposals::{Proposal, ProposalKind};
use crate::db::Tx;
use crate::db::data_keys::Keys;
use crate::db::schema::proposals;
use crate::error::{Error, Kind, Result};
use crate::values::{CaseId, ComplaintId, MatterId, ProposalId, Reason, UserId};
use crate::vault::Place;

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
    let id = ProposalId::new();
    let key = tx.data_key(new.matter.uuid()).await?;
    let row = (
        proposals::id.eq(id),
        proposals::matter_id.eq(new.matter),
        proposals::complaint_id.eq(new.complaint),
        proposals::case_id.eq(new.case),
        proposals::kind.eq(new.kind),
        proposals::payload.eq(&new.payload),
        proposals::reason_sealed.eq(key.seal(place("reason", id), new.reason.as_str().as_bytes())?),
        proposals::proposed_by.eq(new.by),
        proposals::proposed_at.eq(tx.now()),
        proposals::seen_version.eq(new.seen),
    );
    let sealed = tx
        .ask_for(
            async |mut conn| {
                diesel::insert_into(proposals::table)
                    .values(row)
                    .returning(SealedProposal::as_returning())
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
        .await?;
    opened(tx, sealed).await
}

/// Where the words of a proposal stand.
fn place(column: &'static str, id: ProposalId) -> Place {
    Place::new("proposals", column, id.uuid())
}

/// A proposal as it is stored.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = proposals, check_for_backend(diesel::pg::Pg))]
struct SealedProposal {
    id: ProposalId,
    matter_id: MatterId,
    complaint_id: Option<ComplaintId>,
    case_id: Option<CaseId>,
    kind: ProposalKind,
    payload: Value,
    reason_sealed: Option<Vec<u8>>,
    proposed_by: UserId,
    proposed_at: DateTime<Utc>,
    seen_version: i32,
    decided_by: Option<UserId>,
    decided_at: Option<DateTime<Utc>>,
    approved: Option<bool>,
    decision_reason_sealed: Option<Vec<u8>>,
    version: i32,
}

impl SealedProposal {
    fn open(self, keys: &Keys) -> Result<Proposal> {
        let reason = keys.text(place("reason", self.id), self.reason_sealed.as_deref())?;
        let decision = place("decision_reason", self.id);
        Ok(Proposal {
            id: self.id,
            matter_id: self.matter_id,
            complaint_id: self.complaint_id,
            case_id: self.case_id,
            kind: self.kind,
            payload: self.payload,
            reason,
            proposed_by: self.proposed_by,
            proposed_at: self.proposed_at,
            seen_version: self.seen_version,
            decided_by: self.decided_by,
            decided_at: self.decided_at,
            approved: self.approved,
            decision_reason: keys.some_text(decision, self.decision_reason_sealed.as_deref())?,
            version: self.version,
        })
    }
}

async fn opened(tx: &mut Tx, sealed: SealedProposal) -> Result<Proposal> {
    let keys =
        tx.keys_of([sealed.reason_sealed.as_deref(), sealed.decision_reason_sealed.as_deref()]).await?;
    sealed.open(&keys)
}

pub(super) async fn lock(tx: &mut Tx, id: ProposalId) -> Result<Option<Proposal>> {
    let sealed = tx
        .ask(async |mut conn| {
            let found = proposals::table.find(id).for_update().select(SealedProposal::as_select());
            found.first(&mut conn).await.optional()
        })
        .await?;
    match sealed {
        Some(sealed) => opened(tx, sealed).await.map(Some),
        None => Ok(None),
    }
}

pub(super) async fn decide(
    tx: &mut Tx,
    proposal: &Proposal,
    by: UserId,
    approve: bool,
    reason: &Reason,
) -> Result<Proposal> {
    let key = tx.data_key(proposal.matter_id.uuid()).await?;
    let place = place("decision_reason", proposal.id);
    let set = (
        proposals::decided_by.eq(by),
        proposals::decided_at.eq(tx.now()),
        proposals::approved.eq(approve),
        proposals::decision_reason_sealed.eq(key.seal(place, reason.as_str().as_bytes())?),
        proposals::version.eq(proposals::version + 1),
    );
    let sealed = tx
        .ask(async |mut conn| {
            diesel::update(proposals::table.find(proposal.id))
                .set(set)
                .returning(SealedProposal::as_returning())
                .get_result(&mut conn)
                .await
        })
        .await?;
    opened(tx, sealed).await
}

/// Proposals, oldest first; only those that wait (true) or are decided (false).
pub(super) async fn list(
    tx: &mut Tx,
    waiting: Option<bool>,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> Result<Vec<Proposal>> {
    let sealed = tx.ask(async |conn| list_sealed(conn, waiting, after, rows).await).await?;
    let words = sealed
        .iter()
        .flat_map(|each| [each.reason_sealed.as_deref(), each.decision_reason_sealed.as_deref()]);
    let keys = tx.keys_of(words).await?;
    sealed.into_iter().map(|each| each.open(&keys)).collect()
}

async fn list_sealed(
    mut conn: &AsyncPgConnection,
    waiting: Option<bool>,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> QueryResult<Vec<SealedProposal>> {
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
        .select(SealedProposal::as_select())
        .load(&mut conn)
        .await
}
