//! What was said in a complaint, sealed and opened.

use super::submission::Submission;
use super::{Complaint, Said, redaction_store, store};
use crate::audit::{Event, What};
use crate::auth::policy::{self, Action};
use crate::db::{Caller, Tx};
use crate::error::{Error, Result};
use crate::parties::{self, Party};
use crate::temwen::Temwen;
use crate::values::ComplaintId;
use crate::vault::{DataKey, Fault, Place, Vault, WrappedKey};

/// Where a part of what was said stands.
fn place(column: &'static str, complaint: ComplaintId) -> Place {
    Place::new("submissions", column, complaint.uuid())
}

/// What was said in a complaint, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SealedWords {
    pub(crate) narrative: Vec<u8>,
    pub(crate) particulars: Vec<u8>,
    pub(crate) identities: Option<Vec<u8>>,
    /// The salt of the commitment to the narrative: destroyed together with it.
    pub(crate) salt: Vec<u8>,
}

impl SealedWords {
    /// Seals what `submission` says, for the complaint `id`.
    pub(crate) fn seal(
        key: &DataKey,
        id: ComplaintId,
        submission: &Submission,
        salt: &[u8; 32],
    ) -> Result<Self> {
        let identities = submission.identities()?;
        Self::of(
            key,
            id,
            submission.narrative.as_str(),
            submission.particulars()?.get(),
            identities.as_ref().map(|json| json.get()),
            salt,
        )
    }

    /// Seals these texts, for the complaint `id`.
    pub(crate) fn of(
        key: &DataKey,
        id: ComplaintId,
        narrative: &str,
        particulars: &str,
        identities: Option<&str>,
        salt: &[u8],
    ) -> Result<Self> {
        let seal = |column, text: &[u8]| key.seal(place(column, id), text);
        Ok(Self {
            narrative: seal("narrative", narrative.as_bytes())?,
            particulars: seal("particulars", particulars.as_bytes())?,
            identities: identities.map(|text| seal("identities", text.as_bytes())).transpose()?,
            salt: seal("salt", salt)?,
        })
    }
}

/// What was said in a complaint, as it was read: sealed, with the key that opens it.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(super) complaint: ComplaintId,
    pub(super) words: Option<SealedWords>,
    pub(super) key: WrappedKey,
}

impl Kept {
    /// Opens it; `None` if it was erased.
    pub(crate) fn open(&self, vault: &Vault) -> Result<Option<Said>> {
        let Some((words, key)) = self.with_key(vault)? else { return Ok(None) };
        let open = |column, sealed: &[u8]| key.open_text(place(column, self.complaint), sealed);
        Ok(Some(Said {
            narrative: open("narrative", &words.narrative)?,
            particulars: open("particulars", &words.particulars)?,
            identities: words.identities.as_ref().map(|sealed| open("identities", sealed)).transpose()?,
        }))
    }

    /// Opens the salt of the commitment; `None` if it was erased.
    pub(super) fn salt(&self, vault: &Vault) -> Result<Option<Vec<u8>>> {
        let Some((words, key)) = self.with_key(vault)? else { return Ok(None) };
        Ok(Some(key.open(place("salt", self.complaint), &words.salt)?.to_vec()))
    }

    fn with_key(&self, vault: &Vault) -> Result<Option<(&SealedWords, DataKey)>> {
        let words = self
            .words
            .as_ref()
            .ok_or_else(|| Error::unavailable(2).because("what was said in a complaint is not sealed yet"))?;
        match vault.unwrap(&self.key) {
            Ok(key) => Ok(Some((words, key))),
            Err(Fault::Erased(_)) => Ok(None),
            Err(fault) => Err(fault.into()),
        }
    }
}

/// What was said in a complaint that whoever acts may know of; `None` if they may not, or if it was erased.
pub(crate) async fn said_in(tx: &mut Tx, id: ComplaintId) -> Result<Option<Said>> {
    let kept = tx.ask(async |conn| store::said(conn, id).await).await?;
    kept.map_or(Ok(None), |kept| kept.open(tx.vault()))
}

/// A complaint as it was read.
#[derive(Debug)]
pub struct Read {
    /// How it is handled.
    pub complaint: Complaint,
    /// What was said in it; `None` if that was erased.
    pub said: Option<Said>,
    /// Its persons, by pseudonym.
    pub parties: Vec<Party>,
    /// How many versions of it have passages taken out.
    pub redactions: i32,
}

/// Reads a complaint with what was said in it. That it was read is itself recorded.
pub async fn read(temwen: &Temwen, caller: &Caller, id: ComplaintId) -> Result<Read> {
    if !policy::allows(&caller.actor, Action::ReadComplaint) {
        return Err(Error::forbidden());
    }
    let entry = Event::complaint_read(What::ComplaintRead, id);
    let read = async |conn: &_| {
        let (complaint, said, parties, redactions) = futures_util::join!(
            store::find(conn, id),
            store::said(conn, id),
            parties::of_complaint(conn, id),
            redaction_store::last_version(conn, id)
        );
        let (parties, redactions) = (parties?, redactions?);
        Ok(complaint?.zip(said?).map(|(complaint, said)| (complaint, said, parties, redactions)))
    };
    let (complaint, said, parties, redactions) = temwen
        .db
        .read_recorded(caller, "complaints.read", entry, read)
        .await?
        .ok_or_else(Error::not_found)?;
    Ok(Read { complaint, said: said.open(temwen.db.vault())?, parties, redactions })
}
