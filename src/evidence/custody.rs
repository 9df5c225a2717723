//! The chain of custody: who had a file, when and where. Only ever added to; most of it by the register itself.

use chrono::{DateTime, TimeDelta, Utc};

use super::custody_store as store;
use crate::audit::{Event, What};
use crate::coa::Policy;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::values::{CaseId, CustodyEventId, EvidenceId, MatterId, Reason, UserId, text_enum};
use crate::vault::Place;

const TABLE: &str = "custody_events";
/// How far a clock of somebody's own may be ahead of ours: five minutes.
const AHEAD: TimeDelta = TimeDelta::minutes(5);

text_enum! {
    /// What happened to a file.
    Deed {
        /// It was taken from where it was found.
        Collected = "collected",
        /// It came into the register, whole.
        Received = "received",
        /// Its content, or a part of it, was handed out by the register.
        Viewed = "viewed",
        /// It was copied outside of the register.
        Copied = "copied",
        /// A copy without metadata was made of it.
        Derived = "derived",
        /// It was given to somebody.
        HandedOver = "handed_over",
        /// It came back.
        Returned = "returned",
        /// It was read again and is what it was.
        Verified = "verified",
        /// It was found to be something else.
        Damaged = "damaged",
    }
}

impl Deed {
    /// Whether somebody tells of it; all else the register sees for itself.
    pub fn is_told(self) -> bool {
        matches!(self, Self::Collected | Self::Copied | Self::HandedOver | Self::Returned)
    }
}

/// An event as it is stored.
#[derive(Debug, Clone, diesel::Queryable, diesel::Selectable)]
#[diesel(table_name = crate::db::schema::custody_events, check_for_backend(diesel::pg::Pg))]
pub struct Row {
    /// Its id.
    pub id: CustodyEventId,
    /// What happened.
    pub kind: Deed,
    /// What kind of actor it was, or tells of it.
    pub actor_kind: String,
    /// Which officer.
    pub actor_id: Option<UserId>,
    /// When it happened.
    pub happened_at: DateTime<Utc>,
    /// When it was put on record.
    pub recorded_at: DateTime<Utc>,
    /// Where, sealed.
    pub place: Option<Vec<u8>>,
    /// What else is to be said, sealed.
    pub note: Option<Vec<u8>>,
}

/// An event in a file's chain of custody.
#[derive(Debug, Clone)]
pub struct Link {
    /// As stored.
    pub row: Row,
    /// Where.
    pub place: Option<String>,
    /// What else is to be said.
    pub note: Option<String>,
}

/// What somebody tells of a file.
#[derive(Debug, Clone)]
pub struct Told {
    /// What happened.
    pub deed: Deed,
    /// When; now unless given.
    pub at: Option<DateTime<Utc>>,
    /// Where.
    pub place: Option<Reason>,
    /// What else is to be said, such as to whom it was given.
    pub note: Option<Reason>,
}

/// Adds what the register sees for itself.
pub(super) async fn append(tx: &mut Tx, file: EvidenceId, deed: Deed) -> Result<()> {
    let at = tx.now();
    store::insert(tx, CustodyEventId::new(), file, deed, at, None, None).await.map(|_| ())
}

/// Adds what somebody tells.
pub async fn tell(
    tx: &mut Tx,
    policy: &Policy,
    case: CaseId,
    file: EvidenceId,
    told: &Told,
) -> Result<(Link, MatterId)> {
    let case = super::case(tx, policy, case, true).await?;
    let row = super::of_case(tx, &case, file).await?;
    if !told.deed.is_told() {
        return Err(Error::fault("/kind", "is seen by the register itself and is not to be told"));
    }
    if told.at.is_some_and(|at| at > tx.now() + AHEAD) {
        return Err(Error::fault("/happened_at", "must not lie in the future"));
    }
    let key = tx.data_key(row.sealed_with()?).await?;
    let id = CustodyEventId::new();
    let seal = |column: &'static str, words: &Option<Reason>| {
        words
            .as_ref()
            .map(|words| key.seal(Place::new(TABLE, column, id.uuid()), words.as_str().as_bytes()))
            .transpose()
    };
    let (place, note) = (seal("place", &told.place)?, seal("note", &told.note)?);
    let at = told.at.unwrap_or(tx.now());
    let stored = store::insert(tx, id, file, told.deed, at, place, note).await?;
    tx.record(
        Event::case(What::CustodyRecorded, case.id, case.matter_id)
            .with("evidence", file.uuid())
            .with("kind", told.deed.as_str()),
    );
    let plain = |words: &Option<Reason>| words.as_ref().map(|words| words.as_str().to_owned());
    Ok((Link { row: stored, place: plain(&told.place), note: plain(&told.note) }, case.matter_id))
}

/// The chain of custody of a file, oldest first.
pub async fn read(
    tx: &mut Tx,
    policy: &Policy,
    case: CaseId,
    file: EvidenceId,
    after: Option<(DateTime<Utc>, uuid::Uuid)>,
    rows: i64,
) -> Result<Vec<Link>> {
    let case = super::case(tx, policy, case, false).await?;
    let row = super::of_case(tx, &case, file).await?;
    let erased = row.stage == super::State::Forgotten;
    let key = if erased { None } else { Some(tx.data_key(row.sealed_with()?).await?) };
    let mut links = Vec::new();
    for row in store::of_file(tx, file, after, rows).await? {
        let open = |column: &'static str, sealed: &Option<Vec<u8>>| match (sealed, &key) {
            (Some(sealed), Some(key)) => {
                key.open_text(Place::new(TABLE, column, row.id.uuid()), sealed).map(Some)
            }
            _ => Ok(None),
        };
        let (place, note) = (open("place", &row.place)?, open("note", &row.note)?);
        links.push(Link { row, place, note });
    }
    tx.record(Event::case(What::CustodyRead, case.id, case.matter_id).with("evidence", file.uuid()));
    Ok(links)
}
