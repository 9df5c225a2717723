//! Retention: how long the record of a matter is kept, what holds it, and how it is erased.
//!
//! Belongs here: when a record falls due ([`rule`], pure), the list of what does ([`due`]), legal [`holds`], and [`erasures`],
//! which two persons sign. Does not belong here: what is erased; each feature forgets its own.
//! May touch: its own stores, [`crate::cases`], [`crate::complaints`], [`crate::users`], and [`Tx`]. Knows no HTTP.
//!
//! Nothing is ever erased by itself. A hold beats everything: it and an erasure lock the same row first, and the database
//! refuses to destroy a key under a hold whatever the program asks for.

pub mod due;
mod due_http;
mod due_store;
pub mod erasures;
mod erasures_http;
mod erasures_store;
pub mod holds;
mod holds_http;
mod holds_store;
pub(crate) mod http;
pub mod rule;

use chrono::{DateTime, Utc};

use crate::audit::{Event, What};
use crate::cases::{self, Case};
use crate::complaints::{self, Complaint, Status};
use crate::db::Tx;
use crate::error::{Error, Kind, Result};
use crate::values::{CaseId, ComplaintId, MatterId};
use crate::vault::Place;

/// What a hold or an erasure is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// A case with all its complaints.
    Case(CaseId),
    /// A complaint that has no case.
    Complaint(ComplaintId),
}

/// The same, found and held until the transaction ends.
enum Subject {
    Case(Box<Case>),
    Complaint(Box<Complaint>),
}

impl Subject {
    async fn lock(tx: &mut Tx, about: About) -> Result<Self> {
        Ok(match about {
            About::Case(id) => Self::Case(Box::new(cases::lock(tx, id).await?)),
            About::Complaint(id) => Self::Complaint(Box::new(complaints::lock(tx, id).await?)),
        })
    }

    /// The row of a hold or an erasure names one of the two.
    async fn lock_of(tx: &mut Tx, case: Option<CaseId>, complaint: Option<ComplaintId>) -> Result<Self> {
        match (case, complaint) {
            (Some(case), _) => Self::lock(tx, About::Case(case)).await,
            (None, Some(complaint)) => Self::lock(tx, About::Complaint(complaint)).await,
            (None, None) => Err(Error::not_found()),
        }
    }

    /// Refuses a complaint that belongs to a case: what is done is done to all of a matter.
    fn whole(&self) -> Result<()> {
        match self {
            Self::Complaint(complaint) if complaint.case_id.is_some() => Err(Error::new(
                Kind::WrongMoment,
                "this complaint belongs to a case; ask for the case, with all that belongs to it",
            )),
            _ => Ok(()),
        }
    }

    fn ids(&self) -> (Option<CaseId>, Option<ComplaintId>) {
        match self {
            Self::Case(case) => (Some(case.id), None),
            Self::Complaint(complaint) => (None, Some(complaint.id)),
        }
    }

    fn matter(&self) -> MatterId {
        match self {
            Self::Case(case) => case.matter_id,
            Self::Complaint(complaint) => complaint.matter_id,
        }
    }

    fn category(&self) -> &str {
        match self {
            Self::Case(case) => &case.category,
            Self::Complaint(complaint) => &complaint.category,
        }
    }

    fn flags(&self) -> Vec<&str> {
        match self {
            Self::Case(case) => case.flags(),
            Self::Complaint(complaint) => complaint.flags(),
        }
    }

    /// When it ended, if it did.
    fn over_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Case(case) => case.closed_at.filter(|_| case.stage.is_over()),
            Self::Complaint(complaint) => complaint
                .assessed_at
                .filter(|_| matches!(complaint.status, Status::Closed | Status::ReferredOut)),
        }
    }

    fn event(&self, what: What) -> Event {
        event(what, self.ids(), self.matter())
    }
}

fn event(what: What, ids: (Option<CaseId>, Option<ComplaintId>), matter: MatterId) -> Event {
    match ids {
        (Some(case), _) => Event::case(what, case, matter),
        (None, Some(complaint)) => Event::complaint(what, complaint, matter),
        (None, None) => Event::register(what),
    }
}

/// Seals what an officer wrote, with the data key of the matter.
async fn seal(tx: &mut Tx, matter: MatterId, place: Place, text: &str) -> Result<Vec<u8>> {
    let key = tx.data_key(matter.uuid()).await?;
    Ok(key.seal(place, text.as_bytes())?)
}

/// Opens what officers wrote, in the order given; `None` where the key was destroyed.
async fn open(tx: &mut Tx, sealed: &[(Place, &[u8])]) -> Result<Vec<Option<String>>> {
    let keys = tx.keys_of(sealed.iter().map(|(_, bytes)| Some(*bytes))).await?;
    sealed.iter().map(|(place, bytes)| keys.text(*place, Some(bytes))).collect()
}
