//! Versions of a narrative with passages taken out, beside the sealed original, which stays as it was.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{lock, redaction_store as store, said_in};
use crate::audit::{Event, What};
use crate::auth::policy::Action;
use crate::db::{Caller, Tx};
use crate::error::{Error, Result};
use crate::temwen::Temwen;
use crate::values::{ComplaintId, Faults, MatterId, Reason, RedactionId, UserId};
use crate::vault::Place;

/// What stands in the place of a passage, however long it was.
pub const TAKEN_OUT: &str = "█████";
/// The most passages of one version.
pub const MOST_PASSAGES: usize = 500;

/// A part of a narrative, in bytes of its UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Passage {
    /// Its first byte.
    pub from: usize,
    /// The byte after its last.
    pub to: usize,
}

/// A version with passages taken out.
#[derive(Debug, Clone)]
pub struct Redaction {
    /// Its id.
    pub id: RedactionId,
    /// Counts the versions of a complaint, from 1.
    pub version: i32,
    /// What is left.
    pub text: String,
    /// How many passages were taken out.
    pub passages: i32,
    /// Why.
    pub reason: String,
    /// Who made it.
    pub author_id: UserId,
    /// When.
    pub made_at: DateTime<Utc>,
}

/// A version as it is stored.
#[derive(Debug, Clone, diesel::Queryable, diesel::Selectable)]
#[diesel(table_name = crate::db::schema::redactions, check_for_backend(diesel::pg::Pg))]
pub(super) struct Sealed {
    pub(super) id: RedactionId,
    pub(super) version: i32,
    pub(super) text: Vec<u8>,
    pub(super) passages: i32,
    pub(super) reason: Vec<u8>,
    pub(super) author_id: UserId,
    pub(super) made_at: DateTime<Utc>,
}

/// Where the text of a version is sealed.
pub(super) fn text_of(id: RedactionId) -> Place {
    Place::new("redactions", "text", id.uuid())
}

/// Where the reason for a version is sealed.
pub(super) fn reason_of(id: RedactionId) -> Place {
    Place::new("redactions", "reason", id.uuid())
}

/// `text` without `passages`, which may come in any order.
///
/// # Errors
/// Every passage that lies outside, is empty, cuts a character apart, or lies on another.
pub fn without(text: &str, passages: &[Passage]) -> Result<String> {
    let mut faults = Faults::default();
    if passages.is_empty() || passages.len() > MOST_PASSAGES {
        faults.add("/passages", "must be 1 to 500 passages");
    }
    let mut ordered: Vec<(usize, Passage)> = passages.iter().copied().enumerate().collect();
    ordered.sort_by_key(|(_, passage)| *passage);
    let (mut left, mut end) = (String::with_capacity(text.len()), 0);
    for (place, Passage { from, to }) in ordered {
        let at = format!("/passages/{place}");
        if from >= to {
            faults.add(at, "must end after it begins");
        } else if to > text.len() {
            faults.add(at, "must lie within the narrative");
        } else if !text.is_char_boundary(from) || !text.is_char_boundary(to) {
            faults.add(at, "must not cut a character apart: count the bytes of UTF-8");
        } else if from < end {
            faults.add(at, "must not lie on another passage");
        } else {
            left.push_str(text.get(end..from).unwrap_or_default());
            left.push_str(TAKEN_OUT);
            end = to;
        }
    }
    faults.check()?;
    left.push_str(text.get(end..).unwrap_or_default());
    Ok(left)
}

/// Makes a version of a complaint's narrative without `passages`.
pub async fn make(
    tx: &mut Tx,
    id: ComplaintId,
    passages: &[Passage],
    reason: &Reason,
) -> Result<(Redaction, MatterId)> {
    let complaint = lock(tx, id).await?;
    tx.allow(Action::Redact)?;
    let author_id = tx.actor().user().ok_or_else(Error::forbidden)?;
    let key = tx.data_key(id.uuid()).await?;
    let said =
        said_in(tx, id).await?.ok_or_else(|| Error::internal("a complaint with a key says nothing"))?;
    let redaction = Redaction {
        id: RedactionId::new(),
        version: tx.ask(async |conn| store::last_version(conn, id).await).await? + 1,
        text: without(&said.narrative, passages)?,
        passages: i32::try_from(passages.len()).unwrap_or(i32::MAX),
        reason: reason.as_str().to_owned(),
        author_id,
        made_at: tx.now(),
    };
    let sealed = Sealed {
        id: redaction.id,
        version: redaction.version,
        text: key.seal(text_of(redaction.id), redaction.text.as_bytes())?,
        passages: redaction.passages,
        reason: key.seal(reason_of(redaction.id), redaction.reason.as_bytes())?,
        author_id,
        made_at: redaction.made_at,
    };
    store::insert(tx, id, sealed).await?;
    tx.record(
        Event::complaint(What::ComplaintRedacted, id, complaint.matter_id)
            .with("redaction", redaction.id.uuid())
            .with("version", redaction.version)
            .with("passages", redaction.passages),
    );
    Ok((redaction, complaint.matter_id))
}

/// The versions of a complaint's narrative, oldest first. That they were read is recorded.
pub async fn read(
    temwen: &Temwen,
    caller: &Caller,
    id: ComplaintId,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> Result<Vec<Redaction>> {
    let entry = Event::complaint_read(What::RedactionsRead, id);
    let read = async |conn: &_| store::of_complaint(conn, id, after, rows).await;
    let (wrapped, sealed) = temwen
        .db
        .read_recorded(caller, "complaints.redactions", entry, read)
        .await?
        .ok_or_else(Error::not_found)?;
    if sealed.is_empty() {
        return Ok(Vec::new());
    }
    let wrapped = wrapped.ok_or_else(|| Error::internal("a complaint has no data key"))?;
    let key = temwen.db.vault().unwrap(&wrapped)?;
    let open = |sealed: Sealed| {
        let Sealed { id, version, text, passages, reason, author_id, made_at } = sealed;
        let (text, reason) = (key.open_text(text_of(id), &text)?, key.open_text(reason_of(id), &reason)?);
        Ok(Redaction { id, version, text, passages, reason, author_id, made_at })
    };
    sealed.into_iter().map(open).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str, passages: &[(usize, usize)]) -> Result<String, Vec<String>> {
        let passages: Vec<Passage> = passages.iter().map(|&(from, to)| Passage { from, to }).collect();
        without(text, &passages)
            .map_err(|error| error.faults().iter().map(|fault| fault.pointer.clone()).collect())
    }

    #[test]
    fn passages_are_taken_out_whole_and_their_length_is_not_told() {
        assert_eq!(taken("Frè Jan te la.", &[(5, 8)]).unwrap(), "Frè █████ te la.");
        assert_eq!(taken("Frè Jan te la.", &[(9, 11), (0, 8)]).unwrap(), "█████ █████ la.");
        assert_eq!(taken("abc", &[(0, 1), (1, 3)]).unwrap(), "██████████");
        assert_eq!(taken("è", &[(0, 2)]).unwrap(), TAKEN_OUT);
    }

    #[test]
    fn every_wrong_passage_is_named() {
        assert_eq!(taken("Frè", &[(2, 3), (0, 5), (1, 1), (3, 2)]).unwrap_err().len(), 4);
        assert_eq!(taken("abcdef", &[(0, 3), (2, 4)]).unwrap_err(), ["/passages/1"]);
        assert_eq!(taken("abcdef", &[(0, 3), (0, 3)]).unwrap_err(), ["/passages/1"]);
        assert_eq!(taken("abc", &[]).unwrap_err(), ["/passages"]);
        assert_eq!(taken("abc", &[(0, usize::MAX)]).unwrap_err(), ["/passages/0"]);
        assert_eq!(taken(&"a".repeat(1000), &[(0, 1); 501]).unwrap_err().len(), 501);
    }
}
