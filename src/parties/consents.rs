//! What a person agreed to: written down once, taken back at any time, and the newest word counts.
//!
//! Consent is free, informed and can be withdrawn at any moment; what a child agrees to takes its caregiver too, unless the caregiver
//! is accused or unsafe (United Nations protocol on assistance to victims, 12 December 2019).

use chrono::{DateTime, Utc};

use super::consent::{Answer, GivenBy, Said, Whose};
use super::standing::{Standing, standing};
use super::{At, Named, Party, acting, consents_store as store, reveal, seal};
use crate::audit::{Event, What};
use crate::auth::policy::Action;
use crate::db::Tx;
use crate::error::{Error, Kind, Result};
use crate::values::{ComplaintId, ConsentId, MatterId, PartyId, Reason, UserId, text_enum};
use crate::vault::Place;

text_enum! {
    /// How a consent was given.
    How {
        /// On paper, or in what was handed in.
        Written = "written",
        /// By word of mouth.
        Verbal = "verbal",
    }
}

/// A word of consent, or against it, as it is stored.
#[derive(Debug, Clone, diesel::Queryable, diesel::Selectable)]
#[diesel(table_name = crate::db::schema::consents, check_for_backend(diesel::pg::Pg))]
pub struct Consent {
    /// Its id.
    pub id: ConsentId,
    /// Whose.
    pub party_id: PartyId,
    /// To what; a word of the policy.
    pub purpose: String,
    /// For whom; nothing means for everybody whom the purpose is for.
    pub recipient: Option<String>,
    /// What was said.
    pub answer: Answer,
    /// Under what condition; sealed.
    pub condition: Option<Vec<u8>>,
    /// Who said it.
    pub given_by: GivenBy,
    /// Whether a child agreed.
    pub assent: Option<bool>,
    /// How.
    pub how: How,
    /// When.
    pub at: DateTime<Utc>,
    /// Which officer wrote it down.
    pub recorded_by: Option<UserId>,
    /// The consent that this takes back.
    pub withdraws: Option<ConsentId>,
}

impl From<&Consent> for Said {
    fn from(consent: &Consent) -> Self {
        Self {
            id: consent.id.uuid(),
            purpose: consent.purpose.clone(),
            recipient: consent.recipient.clone(),
            answer: consent.answer,
            given_by: consent.given_by,
            assent: consent.assent,
            recorded_by: consent.recorded_by,
            at: consent.at,
        }
    }
}

/// A consent with its words and with what has become of it.
#[derive(Debug, Clone)]
pub struct Read {
    /// As it is stored.
    pub row: Consent,
    /// The condition.
    pub condition: Option<String>,
    /// When it was taken back.
    pub withdrawn_at: Option<DateTime<Utc>>,
    /// Whether anything may be done on its ground now.
    pub stands: bool,
}

/// What an officer writes down.
#[derive(Debug, Clone)]
pub struct New {
    /// To what; a word of the policy.
    pub purpose: String,
    /// For whom.
    pub recipient: Option<String>,
    /// What was said.
    pub answer: Answer,
    /// Under what condition.
    pub condition: Option<Reason>,
    /// Who said it.
    pub given_by: GivenBy,
    /// Whether a child agreed.
    pub assent: Option<bool>,
    /// How.
    pub how: How,
}

fn condition_at(id: ConsentId) -> Place {
    Place::new("consents", "condition", id.uuid())
}

/// All that a person said, oldest first.
pub(super) async fn of_party(tx: &mut Tx, party: &Party) -> Result<Vec<Read>> {
    let rows = store::of_party(tx, party.id).await?;
    let said: Vec<Said> = rows.iter().map(Said::from).collect();
    let whose = Whose { role: party.role, child: party.child, said: &said };
    let taken_back: Vec<(ConsentId, DateTime<Utc>)> =
        rows.iter().filter_map(|row| row.withdraws.map(|of| (of, row.at))).collect();
    let mut read = Vec::with_capacity(rows.len());
    for row in rows {
        let condition = match &row.condition {
            Some(sealed) => reveal::text(tx, sealed, condition_at(row.id)).await?,
            None => None,
        };
        let withdrawn_at = taken_back.iter().find(|(of, _)| *of == row.id).map(|(_, at)| *at);
        let to: Vec<&str> = row.recipient.as_deref().into_iter().collect();
        let standing = standing(&whose, &row.purpose, &to, None);
        let newest = said.iter().rfind(|said| said.purpose == row.purpose && said.recipient == row.recipient);
        let stands = newest.is_some_and(|newest| newest.id == row.id.uuid())
            && matches!(standing, Standing::Granted | Standing::Conditional);
        read.push(Read { row, condition, withdrawn_at, stands });
    }
    Ok(read)
}

/// What a person of a case said may be done.
pub async fn list(tx: &mut Tx, at: At, named: &Named) -> Result<Vec<Read>> {
    let matter = super::matter(tx, at).await?;
    let party = super::party(tx, &matter, named).await?;
    tx.allow(Action::KeepConsents)?;
    tx.record(matter.about(What::ConsentsRead, &party));
    of_party(tx, &party).await
}

/// Writes down what somebody said. Nothing that was said before is changed.
pub async fn write_down(tx: &mut Tx, at: At, named: &Named, new: &New) -> Result<(Read, MatterId)> {
    let matter = super::hold(tx, at).await?;
    let party = super::party(tx, &matter, named).await?;
    tx.allow(Action::KeepConsents)?;
    let by = acting(tx)?;
    let id = ConsentId::new();
    let condition = match &new.condition {
        Some(words) => Some(seal::seal_text(tx, &party, condition_at(id), words.as_str()).await?),
        None => None,
    };
    let row = Consent {
        id,
        party_id: party.id,
        purpose: new.purpose.clone(),
        recipient: new.recipient.clone(),
        answer: new.answer,
        condition,
        given_by: new.given_by,
        assent: new.assent,
        how: new.how,
        at: tx.now(),
        recorded_by: Some(by),
        withdraws: None,
    };
    store::insert(tx, &[row]).await?;
    tx.record(
        matter
            .about(What::ConsentWritten, &party)
            .with("consent", id.uuid())
            .with("purpose", new.purpose.as_str())
            .with("answer", new.answer.as_str())
            .with("given_by", new.given_by.as_str())
            .with_some("recipient", new.recipient.as_deref()),
    );
    let read = of_party(tx, &party).await?.into_iter().find(|read| read.row.id == id);
    Ok((read.ok_or_else(Error::not_found)?, matter.id))
}

/// Takes a consent back. From this moment it opens nothing to anybody.
pub async fn withdraw(tx: &mut Tx, at: At, named: &Named, consent: ConsentId, how: How) -> Result<Read> {
    let matter = super::hold(tx, at).await?;
    let party = super::party(tx, &matter, named).await?;
    let before = store::of_party(tx, party.id).await?;
    let given = before.iter().find(|row| row.id == consent).ok_or_else(Error::not_found)?;
    tx.allow(Action::KeepConsents)?;
    if !matches!(given.answer, Answer::Yes | Answer::Conditional) {
        return Err(Error::new(Kind::WrongMoment, "this is no consent that could be taken back"));
    }
    if before.iter().any(|row| row.withdraws == Some(consent)) {
        return Err(Error::new(Kind::WrongMoment, "this consent was taken back already"));
    }
    let row = Consent {
        id: ConsentId::new(),
        answer: Answer::Withdrawn,
        condition: None,
        how,
        at: tx.now(),
        recorded_by: Some(acting(tx)?),
        withdraws: Some(consent),
        ..given.clone()
    };
    store::insert(tx, &[row]).await?;
    tx.record(
        matter
            .about(What::ConsentWithdrawn, &party)
            .with("consent", consent.uuid())
            .with("purpose", given.purpose.as_str()),
    );
    let read = of_party(tx, &party).await?.into_iter().find(|read| read.row.id == consent);
    read.ok_or_else(Error::not_found)
}

/// What a reporter agreed to themself, or did not: their newest word for each purpose.
pub async fn of_reporter(tx: &mut Tx, complaint: ComplaintId) -> Result<Vec<Consent>> {
    let rows = store::of_reporter(tx, complaint).await?;
    tx.record(Event::complaint_read(What::ReporterRead, complaint));
    let mut newest: Vec<Consent> = Vec::new();
    for row in rows {
        newest.retain(|before| (&before.purpose, &before.recipient) != (&row.purpose, &row.recipient));
        newest.push(row);
    }
    Ok(newest)
}

/// The reporter says yes or no. A no ends at once what was allowed before.
pub async fn say(tx: &mut Tx, complaint: ComplaintId, purpose: &str, granted: bool) -> Result<Consent> {
    tx.allow(Action::WriteToReporter)?;
    let (matter, parties) = store::speaking(tx, complaint).await?.ok_or_else(Error::not_found)?;
    let rows: Vec<Consent> = parties
        .into_iter()
        .map(|party| Consent {
            id: ConsentId::new(),
            party_id: party,
            purpose: purpose.to_owned(),
            recipient: None,
            answer: if granted { Answer::Yes } else { Answer::No },
            condition: None,
            given_by: GivenBy::Myself,
            assent: None,
            how: How::Written,
            at: tx.now(),
            recorded_by: None,
            withdraws: None,
        })
        .collect();
    store::insert(tx, &rows).await?;
    for row in &rows {
        tx.record(
            Event::complaint(What::ConsentWritten, complaint, matter)
                .with("party", row.party_id.uuid())
                .with("consent", row.id.uuid())
                .with("purpose", purpose)
                .with("answer", row.answer.as_str()),
        );
    }
    rows.into_iter().next().ok_or_else(Error::not_found)
}
