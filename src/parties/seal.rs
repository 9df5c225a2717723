//! Sealing who somebody is: what goes into the database of a person, and what is opened again.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::consent::{Answer, GivenBy};
use super::identity::Identity;
use super::{Party, PartyRole, pseudonym, store};
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::personnel;
use crate::values::{CaseId, ComplaintId, ConsentId, MatterId, PartyId, UserId};
use crate::vault::{self, DataKey, Place};

/// What a person came with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Belongs {
    /// A complaint that is being handed in.
    Complaint(ComplaintId),
    /// A case.
    Case(CaseId, MatterId),
}

/// A person, as they are first told of.
#[derive(Debug, Clone)]
pub(crate) struct NewParty {
    pub(crate) role: PartyRole,
    /// Their place among those of their role, from 1.
    pub(crate) position: i32,
    /// Whether the reporter's words are theirs.
    pub(crate) speaks: bool,
    pub(crate) sex: Option<String>,
    pub(crate) age_band: Option<String>,
    pub(crate) child: bool,
    pub(crate) country: Option<String>,
    pub(crate) identity: Identity,
    pub(crate) consents: Vec<NewConsent>,
}

impl NewParty {
    /// Somebody of whom nothing is known but their part.
    pub(crate) fn nobody(role: PartyRole) -> Self {
        Self {
            role,
            position: 1,
            speaks: false,
            sex: None,
            age_band: None,
            child: false,
            country: None,
            identity: Identity::default(),
            consents: Vec::new(),
        }
    }
}

/// What a person agreed to, or did not, as they handed a complaint in.
#[derive(Debug, Clone)]
pub(crate) struct NewConsent {
    pub(crate) purpose: String,
    pub(crate) granted: bool,
}

/// A row of `parties` with the rows that hang on it.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: PartyId,
    pub(super) offered: String,
    pub(super) new: NewParty,
}

/// Persons on their way into the database: sealed.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(super) matter: MatterId,
    pub(super) complaint: Option<ComplaintId>,
    pub(super) case: Option<CaseId>,
    pub(super) by: Option<UserId>,
    pub(super) at: DateTime<Utc>,
    pub(super) rows: Vec<Row>,
    pub(super) identities: Vec<(Uuid, PartyId, Vec<u8>)>,
    pub(super) marks: Vec<(PartyId, [u8; 32])>,
    pub(super) consents: Vec<(ConsentId, PartyId, String, Answer)>,
    /// An officer writes down what somebody said; whoever hands a complaint in writes themself.
    pub(super) how: &'static str,
    pub(super) given_by: GivenBy,
}

/// Seals persons with the key of what they came with.
pub(crate) fn prepare(
    parties: &[(PartyId, NewParty)],
    belongs: Belongs,
    key: &DataKey,
    register: &DataKey,
    by: Option<UserId>,
    at: DateTime<Utc>,
) -> Result<Prepared> {
    let (matter, complaint, case) = match belongs {
        Belongs::Complaint(id) => (MatterId::from(id.uuid()), Some(id), None),
        Belongs::Case(id, matter) => (matter, None, Some(id)),
    };
    let mut prepared = Prepared {
        matter,
        complaint,
        case,
        by,
        at,
        rows: Vec::with_capacity(parties.len()),
        identities: Vec::new(),
        marks: Vec::new(),
        consents: Vec::new(),
        how: if by.is_some() { "verbal" } else { "written" },
        given_by: GivenBy::Myself,
    };
    for (id, new) in parties {
        if new.identity != Identity::default() {
            let row = Uuid::now_v7();
            prepared.identities.push((row, *id, sealed(key, row, &new.identity)?));
        }
        prepared.marks.extend(marks(register, &new.identity).into_iter().map(|mark| (*id, mark)));
        for consent in &new.consents {
            let answer = if consent.granted { Answer::Yes } else { Answer::No };
            prepared.consents.push((ConsentId::new(), *id, consent.purpose.clone(), answer));
        }
        let offered = pseudonym::offered(new.role).map_err(Error::internal)?;
        prepared.rows.push(Row { id: *id, offered, new: new.clone() });
    }
    Ok(prepared)
}

fn place(row: Uuid) -> Place {
    Place::new("party_identities", "identity", row)
}

fn sealed(key: &DataKey, row: Uuid, identity: &Identity) -> Result<Vec<u8>> {
    let plain = zeroize::Zeroizing::new(serde_json::to_vec(identity).map_err(Error::internal)?);
    Ok(key.seal(place(row), &plain)?)
}

/// The id of whoever another register accuses under a number, in a case that was taken over: the same number in the same case is
/// the same person.
pub(crate) fn known_as(register: &DataKey, case: CaseId, number: &str) -> PartyId {
    let mark = register.mark("imported subject", &[case.uuid().as_bytes(), number.as_bytes()]);
    PartyId::from(Uuid::new_v8(mark.first_chunk().copied().unwrap_or_default()))
}

/// What somebody is known again by.
fn marks(register: &DataKey, identity: &Identity) -> Vec<[u8; 32]> {
    let mut marks = personnel::marks(register, identity.name.as_deref(), identity.service_number.as_deref());
    marks.extend(identity.unit.as_deref().and_then(|unit| personnel::unit_mark(register, unit)));
    marks.sort_unstable();
    marks.dedup();
    marks
}

/// A person as they are known now.
pub(super) struct Described<'a> {
    pub(super) identity: &'a Identity,
    pub(super) version: i32,
    pub(super) sex: Option<String>,
    pub(super) age_band: Option<String>,
    pub(super) country: Option<String>,
    pub(super) child: bool,
}

/// Stores it beside what was known before. The marks of before stay: a wall that followed from them stands.
pub(super) async fn describe(
    tx: &mut Tx,
    key: &DataKey,
    register: &DataKey,
    party: &Party,
    described: &Described<'_>,
) -> Result<()> {
    let row = Uuid::now_v7();
    let identity = sealed(key, row, described.identity)?;
    let marks = marks(register, described.identity);
    store::describe(tx, party, described, (row, identity), &marks).await
}

/// Who a person is by the newest version, and its number; nothing if nothing is known.
pub(super) async fn newest(tx: &mut Tx, party: &Party) -> Result<Option<(i32, Identity)>> {
    let Some((row, version, identity)) = store::newest_identity(tx, party.id).await? else { return Ok(None) };
    let key = vault::key_id(&identity).ok_or_else(|| Error::internal("an identity that is not sealed"))?;
    let key = tx.data_key(key).await?;
    let plain = key.open(place(row), &identity)?;
    Ok(Some((
        version,
        serde_json::from_slice(&plain).map_err(|_| Error::internal("an identity that cannot be read"))?,
    )))
}

/// A text of this room, sealed with the key of a person.
pub(super) async fn seal_text(tx: &mut Tx, party: &Party, place: Place, text: &str) -> Result<Vec<u8>> {
    let key = tx.data_key(party.key()).await?;
    Ok(key.seal(place, text.as_bytes())?)
}
