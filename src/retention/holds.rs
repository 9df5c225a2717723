//! Legal holds: while one lasts, nothing of the matter is erased.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::holds_store::{self as store, Row};
use super::{About, Subject, event, open, seal};
use crate::audit::{Event, What};
use crate::auth::policy::Action;
use crate::db::Tx;
use crate::error::{Error, Kind, Result};
use crate::users::seen_is_current;
use crate::values::{CaseId, ComplaintId, HoldId, MatterId, Reason, UserId};
use crate::vault::Place;

/// A legal hold.
#[derive(Debug, Clone)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// The case that it holds.
    pub case_id: Option<CaseId>,
    /// The complaint that it holds, with the case that the complaint joins.
    pub complaint_id: Option<ComplaintId>,
    /// Why; `None` once the matter was erased.
    pub reason: Option<String>,
    /// Who set it.
    pub set_by: UserId,
    /// When.
    pub set_at: DateTime<Utc>,
    /// Who ended it.
    pub ended_by: Option<UserId>,
    /// When.
    pub ended_at: Option<DateTime<Utc>>,
    /// Why; `None` once the matter was erased.
    pub end_reason: Option<String>,
    /// Counts its changes.
    pub version: i32,
}

impl Hold {
    fn of(row: &Row, reason: Option<String>, end_reason: Option<String>) -> Self {
        let Row { id, case_id, complaint_id, set_by, set_at, ended_by, ended_at, version, .. } = *row;
        Self { id, case_id, complaint_id, reason, set_by, set_at, ended_by, ended_at, end_reason, version }
    }
}

fn reason_of(id: HoldId) -> Place {
    Place::new("legal_holds", "reason", id.uuid())
}

fn end_reason_of(id: HoldId) -> Place {
    Place::new("legal_holds", "end_reason", id.uuid())
}

/// Puts a matter under a legal hold.
pub async fn set(tx: &mut Tx, about: About, reason: &Reason) -> Result<(Hold, MatterId)> {
    let subject = Subject::lock(tx, about).await?;
    tx.allow(Action::Hold)?;
    subject.whole()?;
    let matter = subject.matter();
    let id = HoldId::new();
    let sealed = seal(tx, matter, reason_of(id), reason.as_str()).await?;
    let row = store::insert(tx, id, subject.ids(), &sealed).await?;
    tx.record(subject.event(What::HoldSet).with("hold", id.uuid()));
    Ok((Hold::of(&row, Some(reason.as_str().to_owned()), None), matter))
}

/// Ends a hold, which nobody does who set it.
pub async fn end(tx: &mut Tx, id: HoldId, seen: i32, reason: &Reason) -> Result<Hold> {
    let held = store::find(tx, id).await?.ok_or_else(Error::not_found)?;
    // The matter first, as all do who hold it or erase it; then the hold itself, as it is now.
    let subject = Subject::lock_of(tx, held.case_id, held.complaint_id).await?;
    tx.allow(Action::Hold)?;
    let second = tx.actor().user().ok_or_else(Error::forbidden)?;
    let held = store::lock(tx, id).await?.ok_or_else(Error::not_found)?;
    if held.set_by == second {
        return Err(Error::new(Kind::Forbidden, "whoever set a hold does not end it"));
    }
    seen_is_current(seen, held.version)?;
    if held.ended_at.is_some() {
        return Err(Error::new(Kind::WrongMoment, "this hold was ended already"));
    }
    let matter = subject.matter();
    let sealed = seal(tx, matter, end_reason_of(id), reason.as_str()).await?;
    let ended = store::end(tx, id, second, &sealed).await?;
    tx.record(subject.event(What::HoldEnded).with("hold", id.uuid()).with("set_by", held.set_by.uuid()));
    let why = open(tx, &[(reason_of(id), &ended.reason)]).await?.pop().flatten();
    Ok(Hold::of(&ended, why, Some(reason.as_str().to_owned())))
}

/// Holds, oldest first; only those that last (true) or have ended (false). Their reasons tell of the matter, so that they
/// were read is recorded for each.
pub async fn read(
    tx: &mut Tx,
    lasting: Option<bool>,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> Result<Vec<Hold>> {
    tx.allow(Action::ReadRetention)?;
    let found = tx.ask(async |conn| store::list(conn, lasting, after, rows).await).await?;
    let mut sealed = Vec::with_capacity(2 * found.len());
    for (row, _) in &found {
        sealed.push((reason_of(row.id), row.reason.as_slice()));
        sealed.extend(row.end_reason.as_deref().map(|bytes| (end_reason_of(row.id), bytes)));
    }
    let mut texts = open(tx, &sealed).await?.into_iter();
    for (row, matter) in &found {
        let ids = (row.case_id, row.complaint_id);
        tx.record(event(What::HoldsRead, ids, *matter).with("hold", row.id.uuid()));
    }
    if found.is_empty() {
        tx.record(Event::register(What::HoldsRead));
    }
    Ok(found
        .into_iter()
        .map(|(row, _)| {
            let reason = texts.next().flatten();
            let end_reason = if row.end_reason.is_some() { texts.next().flatten() } else { None };
            Hold::of(&row, reason, end_reason)
        })
        .collect())
}
