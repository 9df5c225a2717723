//! Erasure: two persons, one after the other, let go of a matter whose time has come.
//!
//! What is destroyed are the keys. Rows, entries, digests and receipts stay, so that everything can still be checked; what was
//! sealed with those keys is noise from then on, here and in every copy that was ever made of it.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use uuid::Uuid;

use super::erasures_store::{self as store, Row};
use super::rule::{self, Due, Term};
use super::{About, Subject, event, open, seal};
use crate::audit::{Event, MOST_CHANGES, What};
use crate::auth::policy::{self, Action};
use crate::coa::Policy;
use crate::db::Tx;
use crate::error::{Error, Kind, Result};
use crate::evidence;
use crate::parties;
use crate::users::{find_active, seen_is_current};
use crate::values::{CaseId, ComplaintId, ErasureId, MatterId, Reason, UserId};
use crate::vault::Place;
use crate::words;

/// An erasure that waits for its second person, or did.
#[derive(Debug, Clone)]
pub struct Erasure {
    /// Its id.
    pub id: ErasureId,
    /// The case that it is about.
    pub case_id: Option<CaseId>,
    /// The complaint that it is about.
    pub complaint_id: Option<ComplaintId>,
    /// The retention class that decided.
    pub class: String,
    /// Since when the matter is due.
    pub due_at: DateTime<Utc>,
    /// When those accused left the mission's service, on the word of both persons.
    pub service_ended_on: Option<NaiveDate>,
    /// Why; `None` once it was carried out.
    pub reason: Option<String>,
    /// By whom.
    pub proposed_by: UserId,
    /// When.
    pub proposed_at: DateTime<Utc>,
    /// Who signed or refused.
    pub decided_by: Option<UserId>,
    /// When.
    pub decided_at: Option<DateTime<Utc>>,
    /// Which of the two.
    pub approved: Option<bool>,
    /// Why; `None` once it was carried out.
    pub decision_reason: Option<String>,
    /// Counts its changes.
    pub version: i32,
}

impl Erasure {
    fn of(row: Row, reason: Option<String>, decision_reason: Option<String>) -> Self {
        Self {
            id: row.id,
            case_id: row.case_id,
            complaint_id: row.complaint_id,
            class: row.class,
            due_at: row.due_at,
            service_ended_on: row.service_ended_on,
            reason,
            proposed_by: row.proposed_by,
            proposed_at: row.proposed_at,
            decided_by: row.decided_by,
            decided_at: row.decided_at,
            approved: row.approved,
            decision_reason,
            version: row.version,
        }
    }
}

/// What an erasure is proposed with.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Why.
    pub reason: Reason,
    /// When those accused left the mission's service, where the register does not know it.
    pub service_ended_on: Option<NaiveDate>,
}

fn reason_of(id: ErasureId) -> Place {
    Place::new("erasures", "reason", id.uuid())
}

fn decision_reason_of(id: ErasureId) -> Place {
    Place::new("erasures", "decision_reason", id.uuid())
}

fn not_now(why: &str) -> Error {
    Error::new(Kind::WrongMoment, why)
}

/// Proposes to erase a matter. Nothing is erased until another person signs.
pub async fn propose(
    tx: &mut Tx,
    policy: &Policy,
    about: About,
    wanted: &Wanted,
) -> Result<(Erasure, MatterId)> {
    let subject = Subject::lock(tx, about).await?;
    tx.allow(Action::ProposeErasure)?;
    let term = may_go(tx, policy, &subject, wanted.service_ended_on).await?;
    let matter = subject.matter();
    let id = ErasureId::new();
    let sealed = seal(tx, matter, reason_of(id), wanted.reason.as_str()).await?;
    let new = store::New {
        id,
        matter,
        ids: subject.ids(),
        class: &term.class.word,
        due_at: due_of(&term, tx.now()),
        service_ended_on: wanted.service_ended_on,
        reason: &sealed,
    };
    let row = store::insert(tx, &new).await?;
    tx.record(told(&subject, What::ErasureProposed, &row));
    Ok((Erasure::of(row, Some(wanted.reason.as_str().to_owned()), None), matter))
}

fn told(subject: &Subject, what: What, row: &Row) -> Event {
    let day = |day: NaiveDate| day.to_string();
    subject
        .event(what)
        .with("erasure", row.id.uuid())
        .with("class", row.class.as_str())
        .with("due_at", row.due_at)
        .with_some("service_ended_on", row.service_ended_on.map(day).as_deref())
        .with("proposed_by", row.proposed_by.uuid())
}

fn due_of(term: &Term<'_>, otherwise: DateTime<Utc>) -> DateTime<Utc> {
    match term.due {
        Due::At(due) => due,
        Due::WhenServiceEnds => otherwise,
    }
}

/// The term of a matter that may be erased now, or why it may not. Asked when it is proposed, and again when it is signed.
async fn may_go<'p>(
    tx: &mut Tx,
    policy: &'p Policy,
    subject: &Subject,
    stated: Option<NaiveDate>,
) -> Result<Term<'p>> {
    subject.whole()?;
    let standing = store::standing(tx, subject.matter()).await?;
    if standing.held {
        return Err(not_now("a legal hold keeps this matter: nothing of it is erased while that lasts"));
    }
    let over_at =
        subject.over_at().ok_or_else(|| not_now("this matter is not over; only what is over is erased"))?;
    if standing.unread > 0 {
        return Err(not_now(
            "a complaint of this matter was never read, or never assessed; what nobody has read is not erased",
        ));
    }
    let service_ended = match (standing.service_ended, stated) {
        (Some(_), Some(_)) => {
            return Err(Error::fault("/service_ended_on", "is known to the register itself; leave it out"));
        }
        (Some(known), None) => Some(known),
        // The whole of that day was served.
        (None, Some(day)) => Some(last_moment(day)),
        (None, None) => None,
    };
    let term = rule::term(policy, subject.category(), &subject.flags(), over_at, service_ended)
        .ok_or_else(|| not_now("the policy does not say how long this matter is kept; so it is kept"))?;
    match term.due {
        Due::WhenServiceEnds => Err(not_now(
            "this matter is kept until those accused have left the mission's service and for years after; that they have left is not known",
        )),
        Due::At(_) if !term.is_due(tx.now()) => {
            Err(not_now("the time for which this matter is kept is not over"))
        }
        Due::At(_) => Ok(term),
    }
}

fn last_moment(day: NaiveDate) -> DateTime<Utc> {
    day.checked_add_days(Days::new(1)).unwrap_or(day).and_time(NaiveTime::MIN).and_utc()
}

/// Signs or refuses what another person proposed. Signed, it is carried out at once, if it still can be.
pub async fn decide(
    tx: &mut Tx,
    policy: &Policy,
    id: ErasureId,
    seen: i32,
    approve: bool,
    reason: &Reason,
) -> Result<Erasure> {
    let waits = store::find(tx, id).await?.ok_or_else(Error::not_found)?;
    // The matter first, as all do who hold it or erase it: whoever sets a hold at this moment is waited for, or waits.
    let subject = Subject::lock_of(tx, waits.case_id, waits.complaint_id).await?;
    tx.allow(Action::SignErasure)?;
    let second = tx.actor().user().ok_or_else(Error::forbidden)?;
    let waits = store::lock(tx, id).await?.ok_or_else(Error::not_found)?;
    if waits.proposed_by == second {
        return Err(Error::new(Kind::Forbidden, "whoever proposed it cannot give the second signature"));
    }
    seen_is_current(seen, waits.version)?;
    if waits.decided_at.is_some() {
        return Err(not_now("this erasure was decided already"));
    }
    let matter = subject.matter();
    if approve {
        if matter != waits.matter_id {
            return Err(not_now(
                "the matter was changed since this was proposed; refuse it and propose anew",
            ));
        }
        may_go(tx, policy, &subject, waits.service_ended_on).await?;
        first_still_counts(tx, waits.proposed_by, matter).await?;
    }
    let sealed = seal(tx, matter, decision_reason_of(id), reason.as_str()).await?;
    let why = open(tx, &[(reason_of(id), &waits.reason)]).await?.pop().flatten();
    let decided = store::decide(tx, id, second, approve, &sealed).await?;
    if approve {
        tx.record(told(&subject, What::MatterErased, &decided));
        let changed = forget_everything(tx, matter).await?;
        // A case of hundreds of complaints takes more than one entry to tell what became of them all.
        for _ in 0..changed / MOST_CHANGES {
            tx.record(told(&subject, What::MatterErased, &decided).with("continued", true));
        }
    } else {
        tx.record(told(&subject, What::ErasureRefused, &decided));
    }
    Ok(Erasure::of(decided, why, Some(reason.as_str().to_owned())))
}

/// Whether the first signature counts: that officer still may propose this, and still may know of the matter.
async fn first_still_counts(tx: &mut Tx, first: UserId, matter: MatterId) -> Result<()> {
    let roles = find_active(tx, first).await?.map(|user| user.roles());
    let may = roles.is_some_and(|roles| roles.any(&policy::ERASURES_ARE_PROPOSED_BY));
    if !may || store::is_walled(tx, first, matter).await? {
        return Err(not_now("whoever proposed this may not sign any more; refuse it and propose anew"));
    }
    Ok(())
}

/// Destroys the keys of a matter, and with them all that was sealed; then what stands beside it in other forms. How many rows
/// were changed. This is the one place where anything of a matter is destroyed.
async fn forget_everything(tx: &mut Tx, matter: MatterId) -> Result<usize> {
    // Whoever is writing to the matter at this moment is waited for, so that nothing comes after.
    store::lock_complaints(tx, matter).await?;
    let keys = store::destroy_keys(tx, matter).await?;
    tx.ask(async |conn| words::forget(conn, matter).await).await?;
    store::forget_first_answers(tx, matter).await?;
    tx.ask(async |conn| parties::forget(conn, matter).await).await?;
    // Their bytes are sealed with keys of their own, under those that are gone; they are removed soon after.
    Ok(keys + evidence::forget(tx, matter).await?)
}

/// Erasures, oldest first; only those that wait (true) or are decided (false). Their reasons tell of the matter, so that they
/// were read is recorded for each.
pub async fn read(
    tx: &mut Tx,
    waiting: Option<bool>,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> Result<Vec<Erasure>> {
    tx.allow(Action::ReadRetention)?;
    let found = tx.ask(async |conn| store::list(conn, waiting, after, rows).await).await?;
    let mut sealed = Vec::with_capacity(2 * found.len());
    for (row, _) in &found {
        sealed.push((reason_of(row.id), row.reason.as_slice()));
        sealed.extend(row.decision_reason.as_deref().map(|bytes| (decision_reason_of(row.id), bytes)));
    }
    let mut texts = open(tx, &sealed).await?.into_iter();
    for (row, matter) in &found {
        let ids = (row.case_id, row.complaint_id);
        tx.record(event(What::ErasuresRead, ids, *matter).with("erasure", row.id.uuid()));
    }
    if found.is_empty() {
        tx.record(Event::register(What::ErasuresRead));
    }
    Ok(found
        .into_iter()
        .map(|(row, _)| {
            let reason = texts.next().flatten();
            let decided = if row.decision_reason.is_some() { texts.next().flatten() } else { None };
            Erasure::of(row, reason, decided)
        })
        .collect())
}
