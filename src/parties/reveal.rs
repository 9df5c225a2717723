//! Revealing who somebody is: for a purpose, on a ground, and never unseen.
//!
//! Without the person's consent it waits for a second officer, whose approval is for one officer, one person and one purpose, and
//! ends after some hours, or as soon as either of the two has no ground any more. In danger, or on a legal order, it is told at once; the auditor hears of it, and a second officer
//! signs afterwards; whoever was refused that signature once is told nothing in this way again without a second officer before.
//! How to reach somebody is not told for the record alone, unless they agreed to that.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::consent::{self, Answer, Asker, Basis, Lack, Purpose, Relation, Verdict, Whose};
use super::identity::Identity;
use super::{At, Keep, Matter, Named, Party, acting, consents_store, reveal_store as store, seal};
use crate::audit::{Event, What};
use crate::auth::policy::{Action, second_signers};
use crate::auth::{Role, Roles};
use crate::db::Tx;
use crate::error::{Error, Kind, Result};
use crate::users::{find_active, seen_is_current};
use crate::values::{PartyId, Reason, RevealId, UserId};
use crate::vault::{Place, key_id};

/// For how long an approval is good.
const BOX: TimeDelta = TimeDelta::hours(4);

/// For how long a focal point reads who came with the reports that they took.
const OWN: TimeDelta = TimeDelta::days(30);

/// A reveal, or a request for one.
#[derive(Debug, Clone, diesel::Queryable, diesel::Selectable)]
#[diesel(table_name = crate::db::schema::reveals, check_for_backend(diesel::pg::Pg))]
pub struct Reveal {
    /// Its id.
    pub id: RevealId,
    /// Of whom.
    pub party_id: PartyId,
    /// For what.
    pub purpose: Purpose,
    /// On what ground.
    pub basis: Basis,
    /// The approval that it was made under.
    pub under: Option<RevealId>,
    /// The consents that there were not.
    pub missing: Vec<String>,
    /// Why not.
    pub lack: Option<Lack>,
    /// Who asked.
    pub asked_by: UserId,
    /// When.
    pub asked_at: DateTime<Utc>,
    /// Why; sealed.
    pub reason: Vec<u8>,
    /// Who decided.
    pub decided_by: Option<UserId>,
    /// When.
    pub decided_at: Option<DateTime<Utc>>,
    /// What.
    pub approved: Option<bool>,
    /// Why; sealed.
    pub decision_reason: Option<Vec<u8>>,
    /// Until when whoever asked may read it.
    pub valid_until: Option<DateTime<Utc>>,
    /// Counts its changes.
    pub version: i32,
}

impl Reveal {
    /// Whether a second person has to decide about it: before, or afterwards.
    fn wants_decision(&self) -> bool {
        self.under.is_none() && matches!(self.basis, Basis::SecondPerson | Basis::Danger | Basis::LegalOrder)
    }
}

/// Who somebody is, as it is told.
#[derive(Debug, Clone)]
pub struct Told {
    /// The reveal that this is.
    pub reveal: RevealId,
    /// Who, by pseudonym.
    pub party: Party,
    /// For what.
    pub purpose: Purpose,
    /// On what ground.
    pub basis: Basis,
    /// Until when it may be read again without another approval.
    pub valid_until: Option<DateTime<Utc>>,
    /// Who they are.
    pub identity: Identity,
    /// Whether it is known how to reach them, and not told for this purpose.
    pub contact_withheld: bool,
    /// Which version of that it is.
    pub version: i32,
}

/// What comes of asking.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It is told.
    Told(Box<Told>),
    /// It waits for a second person.
    Waits(Box<Read>),
}

/// A reveal with its words.
#[derive(Debug, Clone)]
pub struct Read {
    /// The reveal.
    pub reveal: Reveal,
    /// Of whom, by pseudonym.
    pub pseudonym: String,
    /// Why; nothing once it was erased.
    pub reason: Option<String>,
    /// Why it was decided so.
    pub decision_reason: Option<String>,
    /// The conditions under which the person agreed.
    pub conditions: Vec<String>,
}

fn reason_at(id: RevealId) -> Place {
    Place::new("reveals", "reason", id.uuid())
}

fn decision_at(id: RevealId) -> Place {
    Place::new("reveals", "decision_reason", id.uuid())
}

/// Asks who somebody is.
pub async fn reveal(
    tx: &mut Tx,
    keep: Keep<'_>,
    at: At,
    named: &Named,
    purpose: Purpose,
    reason: &Reason,
) -> Result<Outcome> {
    let matter = super::hold(tx, at).await?;
    let party = super::party(tx, &matter, named).await?;
    let asker = asker(tx, keep, &matter, &party).await?;
    let said = consents_store::said(tx, party.id).await?;
    let whose = Whose { role: party.role, child: party.child, said: &said };
    let verdict = match consent::judge(&asker, &whose, purpose) {
        Verdict::Told(Basis::Danger | Basis::LegalOrder)
            if store::refused_afterwards(tx, asker.user).await? =>
        {
            Verdict::Second { missing: Vec::new(), lack: Lack::RefusedBefore }
        }
        verdict => verdict,
    };
    match &verdict {
        Verdict::Never => return Err(Error::forbidden()),
        Verdict::Refused => {
            let why = "the person has said no to this; only danger to life or to a child, or a legal order, goes before that";
            return Err(Error::new(Kind::Forbidden, why));
        }
        Verdict::Told(_) | Verdict::Second { .. } => {}
    }
    let Some((version, identity)) = seal::newest(tx, &party).await? else {
        return Err(Error::new(Kind::WrongMoment, "nothing is known of who this is"));
    };
    let told = |reveal: RevealId, basis: Basis, valid_until: Option<DateTime<Utc>>| {
        let mut identity = identity;
        let withheld = purpose == Purpose::Record && basis != Basis::Consent;
        let contact = if withheld { identity.contact.take() } else { None };
        Outcome::Told(Box::new(Told {
            reveal,
            party: party.clone(),
            purpose,
            basis,
            valid_until,
            identity,
            contact_withheld: contact.is_some(),
            version,
        }))
    };
    let new = store::New {
        party: &party,
        purpose,
        by: asker.user,
        basis: Basis::SecondPerson,
        under: None,
        missing: &[],
        lack: None,
    };
    match verdict {
        Verdict::Told(basis) => {
            let id = keep_reveal(tx, &store::New { basis, ..new }, reason).await?;
            tx.record(revealed(&matter, &party, id, purpose, basis));
            if matches!(basis, Basis::Danger | Basis::LegalOrder) {
                tx.record(
                    event(What::RevealNotified, &matter, &party, id, purpose).with("basis", basis.as_str()),
                );
            }
            Ok(told(id, basis, None))
        }
        Verdict::Second { missing, lack } => {
            let newest =
                said.iter().filter(|said| missing.contains(&said.purpose.as_str())).map(|said| said.at).max();
            let mut approved = None;
            for one in store::approved(tx, &new, newest).await? {
                if second_still_counts(tx, keep, &matter, one.by).await? {
                    approved = Some(one);
                    break;
                }
            }
            if let Some(store::Approved { id: under, until, .. }) = approved {
                let id = keep_reveal(tx, &store::New { under: Some(under), ..new }, reason).await?;
                tx.record(
                    revealed(&matter, &party, id, purpose, Basis::SecondPerson).with("under", under.uuid()),
                );
                return Ok(told(id, Basis::SecondPerson, Some(until)));
            }
            let waiting = match store::waiting(tx, &store::New { lack: Some(lack), ..new }).await? {
                Some(waiting) => waiting,
                None => {
                    keep_reveal(tx, &store::New { missing: &missing, lack: Some(lack), ..new }, reason)
                        .await?
                }
            };
            tx.record(
                event(What::RevealAsked, &matter, &party, waiting, purpose).with("lack", lack.as_str()),
            );
            let reveal = store::find(tx, waiting).await?.ok_or_else(Error::not_found)?;
            Ok(Outcome::Waits(Box::new(Read {
                reveal,
                pseudonym: party.pseudonym.clone(),
                reason: Some(reason.as_str().to_owned()),
                decision_reason: None,
                conditions: Vec::new(),
            })))
        }
        Verdict::Never | Verdict::Refused => Err(Error::forbidden()),
    }
}

async fn keep_reveal(tx: &mut Tx, new: &store::New<'_>, reason: &Reason) -> Result<RevealId> {
    let id = RevealId::new();
    let reason = seal::seal_text(tx, new.party, reason_at(id), reason.as_str()).await?;
    store::insert(tx, id, new, reason).await?;
    Ok(id)
}

fn event(what: What, matter: &Matter, party: &Party, id: RevealId, purpose: Purpose) -> Event {
    matter.about(what, party).with("reveal", id.uuid()).with("purpose", purpose.as_str())
}

fn revealed(matter: &Matter, party: &Party, id: RevealId, purpose: Purpose, basis: Basis) -> Event {
    event(What::PartyRevealed, matter, party, id, purpose).with("basis", basis.as_str())
}

/// Who asks, and what they have to do with the matter and the person.
async fn asker(tx: &mut Tx, keep: Keep<'_>, matter: &Matter, party: &Party) -> Result<Asker> {
    let user = acting(tx)?;
    let roles = tx.actor().officer().map(|officer| officer.roles).unwrap_or_default();
    as_asker(tx, keep, matter, party, user, roles).await
}

async fn as_asker(
    tx: &mut Tx,
    keep: Keep<'_>,
    matter: &Matter,
    party: &Party,
    user: UserId,
    roles: Roles,
) -> Result<Asker> {
    let part = store::part(tx, matter.id, party.complaint_id, user).await?;
    // A focal point's own reports are theirs for a time only; whoever takes complaints in at a desk keeps them at hand.
    let fresh = roles.has(Role::IntakeOfficer) || part.received_at.is_some_and(|at| at + OWN > tx.now());
    let relation = Relation {
        assigned: part.assigned,
        own: part.own && fresh,
        handed_in: part.own,
        psea: matter.is_psea(keep.policy),
        country: matter.country.clone(),
    };
    Ok(Asker { user, roles, relation })
}

/// Reveals and requests for them, oldest first; only those that wait for a decision (true) or do not (false). Their reasons tell
/// of the matter, so that they were read is recorded for each.
pub async fn list(
    tx: &mut Tx,
    waiting: Option<bool>,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> Result<Vec<Read>> {
    tx.allow(Action::ReadReveals)?;
    let found = store::list(tx, waiting, after, rows).await?;
    let mut read = Vec::with_capacity(found.len());
    for (reveal, party) in found {
        let matter = store::matter_of(tx, &party).await?.ok_or_else(Error::not_found)?;
        tx.record(event(What::RevealsRead, &matter, &party, reveal.id, reveal.purpose));
        read.push(opened(tx, reveal, &party).await?);
    }
    if read.is_empty() {
        tx.record(Event::register(What::RevealsRead));
    }
    Ok(read)
}

/// A reveal with its words, as far as they were not erased.
async fn opened(tx: &mut Tx, reveal: Reveal, party: &Party) -> Result<Read> {
    let mut conditions = Vec::new();
    if reveal.lack == Some(Lack::Conditional) {
        let missing: Vec<&str> = reveal.missing.iter().map(String::as_str).collect();
        for consent in super::consents::of_party(tx, party).await? {
            if consent.row.answer == Answer::Conditional && missing.contains(&consent.row.purpose.as_str()) {
                conditions.extend(consent.condition);
            }
        }
    }
    let reason = text(tx, &reveal.reason, reason_at(reveal.id)).await?;
    let decision_reason = match &reveal.decision_reason {
        Some(sealed) => text(tx, sealed, decision_at(reveal.id)).await?,
        None => None,
    };
    Ok(Read { reveal, pseudonym: party.pseudonym.clone(), reason, decision_reason, conditions })
}

/// Opens a text of this room; nothing once its key was destroyed.
pub(super) async fn text(tx: &mut Tx, sealed: &[u8], place: Place) -> Result<Option<String>> {
    let id = key_id(sealed).ok_or_else(|| Error::internal("a text that is not sealed"))?;
    match tx.data_key(id).await {
        Ok(key) => Ok(Some(key.open_text(place, sealed)?)),
        Err(error) if error.kind() == Kind::Erased => Ok(None),
        Err(error) => Err(error),
    }
}

/// Approves or refuses what another officer asked for; signs what was revealed in danger or on a legal order.
pub async fn decide(
    tx: &mut Tx,
    keep: Keep<'_>,
    id: RevealId,
    seen: i32,
    approve: bool,
    reason: &Reason,
) -> Result<Read> {
    // The matter first, as everywhere, and then what hangs on it.
    let party = store::whose(tx, id).await?.ok_or_else(Error::not_found)?;
    let at = store::matter_of(tx, &party).await?.ok_or_else(Error::not_found)?.at;
    let matter = super::hold(tx, at).await?;
    let reveal = store::lock(tx, id).await?.ok_or_else(Error::not_found)?;
    let party = super::store::hold(tx, party.id).await?.ok_or_else(Error::not_found)?;
    tx.allow(Action::SecondSign { psea: matter.is_psea(keep.policy) })?;
    if reveal.asked_by == acting(tx)? {
        return Err(Error::new(Kind::Forbidden, "whoever asked cannot be the second person"));
    }
    seen_is_current(seen, reveal.version)?;
    if reveal.decided_at.is_some() {
        return Err(Error::new(Kind::WrongMoment, "this was decided already"));
    }
    if !reveal.wants_decision() {
        return Err(Error::new(Kind::WrongMoment, "this needs no second person"));
    }
    if approve && reveal.basis == Basis::SecondPerson {
        still_stands(tx, keep, &matter, &party, &reveal).await?;
    }
    let until = (approve && reveal.basis == Basis::SecondPerson).then(|| tx.now() + BOX);
    let sealed = seal::seal_text(tx, &party, decision_at(id), reason.as_str()).await?;
    let decided = store::decide(tx, id, approve, sealed, until).await?;
    let what = if approve { What::RevealApproved } else { What::RevealRefused };
    tx.record(
        event(what, &matter, &party, id, decided.purpose)
            .with("asked_by", decided.asked_by.uuid())
            .with("basis", decided.basis.as_str()),
    );
    opened(tx, decided, &party).await
}

/// Whether what was asked can still be approved: whoever asked still works here and may ask this, and the person has not said no
/// themself since.
async fn still_stands(
    tx: &mut Tx,
    keep: Keep<'_>,
    matter: &Matter,
    party: &Party,
    reveal: &Reveal,
) -> Result<()> {
    let Some(user) = find_active(tx, reveal.asked_by).await? else {
        return Err(Error::new(Kind::WrongMoment, "whoever asked has no account any more; refuse it"));
    };
    let said = consents_store::said(tx, party.id).await?;
    let asker = as_asker(tx, keep, matter, party, reveal.asked_by, user.roles()).await?;
    let whose = Whose { role: party.role, child: party.child, said: &said };
    let verdict = consent::judge(&asker, &whose, reveal.purpose);
    if verdict == Verdict::Never || store::is_walled(tx, reveal.asked_by, matter.id).await? {
        return Err(Error::new(Kind::WrongMoment, "whoever asked has no ground to any more; refuse it"));
    }
    // What was asked before anybody wrote of a no is decided by somebody who saw nothing of it.
    let unheard = matches!(verdict, Verdict::Second { lack: Lack::Refused, .. })
        && !matches!(reveal.lack, Some(Lack::Refused | Lack::RefusedBefore));
    if unheard || verdict == Verdict::Refused {
        return Err(Error::new(Kind::WrongMoment, "the person has said no since; refuse it"));
    }
    Ok(())
}

/// Whether an approval still counts: the second officer may still sign this, and may still know of the matter.
async fn second_still_counts(tx: &mut Tx, keep: Keep<'_>, matter: &Matter, second: UserId) -> Result<bool> {
    let roles = find_active(tx, second).await?.map(|user| user.roles());
    let may = roles.is_some_and(|roles| roles.any(second_signers(matter.is_psea(keep.policy))));
    Ok(may && !store::is_walled(tx, second, matter.id).await?)
}
