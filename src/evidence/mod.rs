//! Evidence: files, what is known of them, and their chain of custody.
//!
//! A file comes in by the tus protocol ([`uploads`]), is sealed in chunks before it leaves memory (`chunks`) and kept where
//! [`blobs`] says. It is never replaced: another one supersedes it, and a copy without metadata stands beside it
//! ([`stripped`]). Whoever opens it is in its chain of custody ([`custody`]) before the first byte leaves. [`upkeep`] reads
//! every file again from time to time, and removes what is not to be kept.
//! May touch: its own stores, [`crate::cases`], [`crate::complaints`], [`Tx`]. Knows no HTTP.

mod arriving;
pub mod blobs;
mod chunks;
pub mod custody;
mod custody_http;
mod custody_store;
mod download;
mod file_http;
pub(crate) mod http;
mod metadata;
mod reading;
mod reporter_http;
pub(crate) mod store;
mod strip;
pub mod stripped;
mod stripped_http;
mod tus_http;
pub mod upkeep;
mod upkeep_store;
pub mod uploads;
mod uploads_http;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::chunks::FileKey;
use self::metadata::Risk;
use self::reading::Source;
use crate::audit::{Event, What};
use crate::auth::policy::Action;
use crate::cases;
use crate::coa::Policy;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::values::{CaseId, ComplaintId, EvidenceId, MatterId, UserId, text_enum};
use crate::vault::{self, DataKey, Place};

const TABLE: &str = "evidence";

text_enum! {
    /// How far a file has come.
    State {
        /// Some of it is still to come.
        Arriving = "arriving",
        /// It is there, whole.
        Kept = "kept",
        /// It was not the file that was announced; nothing of it is kept.
        Refused = "refused",
        /// It did not come in time; nothing of it is kept.
        Expired = "expired",
        /// Whoever began it gave it up; nothing of it is kept.
        GivenUp = "given_up",
        /// It was erased with its matter.
        Forgotten = "forgotten",
    }
}

/// What a file hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// A case: an officer gave it.
    Case(CaseId),
    /// A complaint: its reporter gave it.
    Complaint(ComplaintId),
}

/// A file as it is stored: what was said of it and what was found in it are sealed.
#[derive(Debug, Clone, diesel::Queryable, diesel::Selectable)]
#[diesel(table_name = crate::db::schema::evidence, check_for_backend(diesel::pg::Pg))]
pub struct Row {
    /// Its id.
    pub id: EvidenceId,
    /// The case that it was given to.
    pub case_id: Option<CaseId>,
    /// The complaint that its reporter gave it to.
    pub complaint_id: Option<ComplaintId>,
    /// How far it has come.
    pub stage: State,
    /// The officer who gave it.
    pub uploaded_by: Option<UserId>,
    /// Its own key, sealed.
    pub key: Vec<u8>,
    /// What was said of it, sealed.
    pub given: Vec<u8>,
    /// What was found in it, sealed.
    pub known: Option<Vec<u8>>,
    /// How many bytes it has.
    pub size: i64,
    /// How many of them are there.
    pub arrived: i64,
    /// Which file it takes the place of.
    pub supersedes: Option<EvidenceId>,
    /// Which file it is a copy of, without metadata.
    pub derived_from: Option<EvidenceId>,
    /// When its upload began.
    pub begun_at: DateTime<Utc>,
    /// Until when it is to be whole.
    pub expires_at: DateTime<Utc>,
    /// When it was whole.
    pub received_at: Option<DateTime<Utc>>,
    /// When it was last found to be what it was.
    pub checked_at: Option<DateTime<Utc>>,
    /// When it was found to be something else.
    pub damaged_at: Option<DateTime<Utc>>,
}

/// What was said of a file by whoever gave it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Given {
    /// Its name: one line, never a path.
    pub name: String,
    /// Its media type, as claimed.
    pub media: Option<String>,
    /// Its SHA-256, as claimed: 64 hexadecimal digits.
    pub sha256: Option<String>,
}

/// What was found in a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Found {
    /// SHA-256 over its plain bytes: 64 hexadecimal digits.
    pub sha256: String,
    /// Its media type by its first bytes; `None` if they are no known one's.
    pub media: Option<String>,
    /// What it tells besides what it shows.
    pub risks: Vec<Risk>,
}

/// A file, opened for whoever may read of it.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// As stored.
    pub row: Row,
    /// What was said of it; `None` once it was erased.
    pub given: Option<Given>,
    /// What was found in it.
    pub found: Option<Found>,
    /// The file that took its place.
    pub superseded_by: Option<EvidenceId>,
}

impl Row {
    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        u64::try_from(self.size).unwrap_or_default()
    }

    /// How many of them are there.
    pub fn arrived(&self) -> u64 {
        u64::try_from(self.arrived).unwrap_or_default()
    }

    /// The data key that it is sealed with.
    fn sealed_with(&self) -> Result<Uuid> {
        vault::key_id(&self.key).ok_or_else(|| Error::internal("a file's key is not sealed"))
    }

    fn key(&self, key: &DataKey) -> Result<FileKey> {
        let bytes = key.open(Place::new(TABLE, "key", self.id.uuid()), &self.key)?;
        FileKey::from_bytes(&bytes)
    }

    fn given(&self, key: &DataKey) -> Result<Given> {
        let bytes = key.open(Place::new(TABLE, "given", self.id.uuid()), &self.given)?;
        serde_json::from_slice(&bytes).map_err(Error::internal)
    }

    fn found(&self, key: &DataKey) -> Result<Option<Found>> {
        let Some(known) = &self.known else { return Ok(None) };
        let bytes = key.open(Place::new(TABLE, "known", self.id.uuid()), known)?;
        serde_json::from_slice(&bytes).map(Some).map_err(Error::internal)
    }

    /// What happened to it, of its case or complaint.
    fn event(&self, what: What, matter: MatterId) -> Event {
        let event = match (self.case_id, self.complaint_id) {
            (Some(case), _) => Event::case(what, case, matter),
            (None, Some(complaint)) => Event::complaint(what, complaint, matter),
            (None, None) => Event::register(what).within(Some(matter)),
        };
        event.with("evidence", self.id.uuid())
    }
}

/// The hexadecimal digits of a hash.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut all, byte| {
        let _ = write!(all, "{byte:02x}");
        all
    })
}

/// The hash of 64 hexadecimal digits.
fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn sealed<T: Serialize>(key: &DataKey, column: &'static str, id: EvidenceId, value: &T) -> Result<Vec<u8>> {
    let bytes = zeroize::Zeroizing::new(serde_json::to_vec(value).map_err(Error::internal)?);
    Ok(key.seal(Place::new(TABLE, column, id.uuid()), &bytes)?)
}

/// A case whose files the caller may read, or add to; held until the transaction ends.
async fn case(tx: &mut Tx, policy: &Policy, id: CaseId, keep: bool) -> Result<cases::Case> {
    let case = cases::lock(tx, id).await?;
    let psea = case.is_psea(policy);
    tx.allow(if keep { Action::KeepEvidence { psea } } else { Action::ReadEvidence { psea } })?;
    Ok(case)
}

/// A file of a case, or of one of its complaints.
async fn of_case(tx: &mut Tx, case: &cases::Case, id: EvidenceId) -> Result<Row> {
    let row = store::of_case(tx, case.id, id).await?.ok_or_else(Error::not_found)?;
    match row.stage {
        State::Kept | State::Forgotten => Ok(row),
        _ => Err(Error::not_found()),
    }
}

/// Opens what is sealed of a file; nothing, once it was erased.
async fn open(tx: &mut Tx, row: Row, superseded_by: Option<EvidenceId>) -> Result<Evidence> {
    if row.stage == State::Forgotten {
        return Ok(Evidence { row, given: None, found: None, superseded_by });
    }
    let key = tx.data_key(row.sealed_with()?).await?;
    let (given, found) = (Some(row.given(&key)?), row.found(&key)?);
    Ok(Evidence { row, given, found, superseded_by })
}

/// What is needed to read a file's bytes.
async fn source(tx: &mut Tx, row: &Row) -> Result<Source> {
    let key = tx.data_key(row.sealed_with()?).await?;
    let segments = store::segments(tx, row.id).await?;
    Ok(Source { id: row.id, key: row.key(&key)?, size: row.size(), segments })
}

/// The files of a case and of its complaints, oldest first: kept ones, superseded ones and erased ones.
pub async fn list(
    tx: &mut Tx,
    policy: &Policy,
    id: CaseId,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> Result<Vec<Evidence>> {
    let case = case(tx, policy, id, false).await?;
    let mut all = Vec::new();
    for (row, superseded_by) in store::list(tx, case.id, after, rows).await? {
        all.push(open(tx, row, superseded_by).await?);
    }
    tx.record(Event::case(What::EvidenceRead, case.id, case.matter_id));
    Ok(all)
}

/// What is known of one file.
pub async fn read(tx: &mut Tx, policy: &Policy, id: CaseId, file: EvidenceId) -> Result<Evidence> {
    let case = case(tx, policy, id, false).await?;
    let row = of_case(tx, &case, file).await?;
    let superseded_by = store::superseding(tx, file).await?;
    tx.record(Event::case(What::EvidenceRead, case.id, case.matter_id).with("evidence", file.uuid()));
    open(tx, row, superseded_by).await
}

/// What a reporter is told of the files that they gave: that they are there.
pub async fn receipts(
    tx: &mut Tx,
    complaint: ComplaintId,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> Result<Vec<Evidence>> {
    let matter = crate::complaints::lock(tx, complaint).await?.matter_id;
    tx.allow(Action::GiveEvidence)?;
    let mut all = Vec::new();
    for row in store::of_complaint(tx, complaint, after, rows).await? {
        all.push(open(tx, row, None).await?);
    }
    tx.record(Event::complaint(What::EvidenceRead, complaint, matter));
    Ok(all)
}

/// Erases the files of a matter: they cannot be read from now on, and their bytes are removed by the next step of
/// [`upkeep`]. How many there were.
pub async fn forget(tx: &mut Tx, matter: MatterId) -> Result<usize> {
    let forgotten = store::forget(tx, matter).await?;
    tx.record(
        Event::register(What::EvidenceForgotten)
            .within(Some(matter))
            .with("count", i64::try_from(forgotten).unwrap_or(i64::MAX)),
    );
    Ok(forgotten)
}
