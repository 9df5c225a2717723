//! A file comes in: begun, continued as often as it takes, and checked when it is whole.
//!
//! Nothing is held between requests: an upload goes on from the offset that the database knows, and of two requests that bring
//! the same bytes the first to be kept wins. Bytes are sealed before they leave memory, also those of a half-finished upload.

use chrono::TimeDelta;

use super::chunks::FileKey;
use super::reading::{Reader, Source};
use super::{Found, Given, Home, Row, State, custody, hex, metadata, sealed, store, unhex};
use crate::audit::What;
use crate::auth::policy::{self, Action};
use crate::coa::Policy;
use crate::db::{Caller, Tx, data_keys};
use crate::error::{Error, Kind, Result};
use crate::temwen::Temwen;
use crate::values::{EvidenceId, MatterId};
use crate::vault::DataKey;

/// How long an upload may rest before it is given up: 24 hours.
pub(super) const PATIENCE: TimeDelta = TimeDelta::hours(24);
/// How many uploads may be under way for one case or complaint.
const AT_ONCE: i64 = 16;
/// The most bytes that a reporter may give to a complaint: 8 GiB.
const FROM_A_REPORTER: i64 = 8 * 1024 * 1024 * 1024;
/// A file that somebody wants to give.
#[derive(Debug, Clone)]
pub struct Announced {
    /// What they say of it.
    pub given: Given,
    /// How many bytes it has.
    pub size: u64,
    /// Which file it takes the place of.
    pub supersedes: Option<EvidenceId>,
}

/// Begins an upload.
pub async fn begin(
    tx: &mut Tx,
    policy: &Policy,
    home: Home,
    announced: &Announced,
    most: u64,
) -> Result<(Row, MatterId)> {
    let (matter, key) = match home {
        Home::Case(id) => {
            let case = super::case(tx, policy, id, true).await?;
            (case.matter_id, tx.data_key(case.matter_id.uuid()).await?)
        }
        Home::Complaint(id) => {
            let complaint = crate::complaints::lock(tx, id).await?;
            tx.allow(Action::GiveEvidence)?;
            (complaint.matter_id, tx.data_key(id.uuid()).await?)
        }
    };
    if announced.size > most {
        return Err(too_large(most));
    }
    let size = i64::try_from(announced.size).map_err(|_| too_large(most))?;
    let (arriving, bytes) = store::weight(tx, home).await?;
    if arriving >= AT_ONCE {
        let detail = "too many uploads are under way here; finish them, or give them up";
        return Err(Error::new(Kind::WrongMoment, detail));
    }
    if matches!(home, Home::Complaint(_)) && bytes.saturating_add(size) > FROM_A_REPORTER {
        return Err(Error::new(Kind::TooLarge, "a complaint takes at most 8 GiB of files"));
    }
    if let (Some(before), Home::Case(case)) = (announced.supersedes, home) {
        let there = store::of_case(tx, case, before).await?.filter(|row| row.stage == State::Kept);
        there.ok_or_else(|| Error::fault("Upload-Metadata/supersedes", "is no file of this case"))?;
    }
    let row = insert(tx, home, &key, &announced.given, size, announced.supersedes, None).await?;
    tx.record(row.event(What::EvidenceBegun, matter).with("size", size));
    Ok((row, matter))
}

/// Puts a file into the database of which nothing has arrived yet.
pub(super) async fn insert(
    tx: &mut Tx,
    home: Home,
    key: &DataKey,
    given: &Given,
    size: i64,
    supersedes: Option<EvidenceId>,
    derived: Option<(EvidenceId, EvidenceId, &FileKey)>,
) -> Result<Row> {
    let fresh = FileKey::make()?;
    let (id, derived_from, own) = match derived {
        Some((id, from, own)) => (id, Some(from), own),
        None => (EvidenceId::new(), None, &fresh),
    };
    let place = crate::vault::Place::new(super::TABLE, "key", id.uuid());
    let new = store::New {
        id,
        home,
        uploaded_by: tx.actor().user(),
        key: key.seal(place, own.bytes())?,
        given: sealed(key, "given", id, given)?,
        size,
        supersedes,
        derived_from,
        expires_at: tx.now() + PATIENCE,
    };
    store::insert(tx, new).await
}

fn too_large(most: u64) -> Error {
    Error::new(Kind::TooLarge, format!("a file may have at most {most} bytes"))
}

pub(super) fn over() -> Error {
    Error::new(
        Kind::Expired,
        "this upload is over: it was not finished in time, was given up, or was refused",
    )
}

pub(super) fn elsewhere() -> Error {
    Error::new(Kind::WrongMoment, "the upload is not at this offset; ask where it is, and go on from there")
}

/// An upload and the key that its file is sealed with, for whoever began it.
pub(super) async fn find(
    temwen: &Temwen,
    caller: &Caller,
    home: Home,
    id: EvidenceId,
) -> Result<(Row, DataKey)> {
    let ever = |psea| policy::allows(&caller.actor, Action::KeepEvidence { psea });
    let may = match home {
        Home::Case(_) => ever(false) || ever(true),
        Home::Complaint(_) => policy::allows(&caller.actor, Action::GiveEvidence),
    };
    if !may {
        return Err(Error::forbidden());
    }
    let known = temwen.db.read(caller, async |conn| store::upload(conn, home, id).await).await?;
    let row = known.ok_or_else(Error::not_found)?;
    if row.uploaded_by != caller.actor.user() || row.derived_from.is_some() {
        return Err(Error::not_found());
    }
    let sealed_with = row.sealed_with()?;
    let wrapped = temwen.db.read(caller, async |conn| data_keys::one(conn, sealed_with).await).await?;
    let wrapped = wrapped.ok_or_else(|| Error::internal("a file has no data key"))?;
    Ok((row, temwen.db.vault().unwrap(&wrapped)?))
}

/// Whether the caller may give files to a case.
pub async fn may_give(temwen: &Temwen, caller: &Caller, case: crate::values::CaseId) -> Result<()> {
    let ever = |psea| policy::allows(&caller.actor, Action::KeepEvidence { psea });
    if !(ever(false) || ever(true)) {
        return Err(Error::forbidden());
    }
    let there = temwen.db.read(caller, async |conn| store::knows_case(conn, case).await).await?;
    if there { Ok(()) } else { Err(Error::not_found()) }
}

/// Where an upload stands, for whoever began it; over if it is not finished and will not be.
pub async fn standing(temwen: &Temwen, caller: &Caller, home: Home, id: EvidenceId) -> Result<Row> {
    let (row, _) = find(temwen, caller, home, id).await?;
    match row.stage {
        State::Kept => Ok(row),
        State::Arriving if temwen.clock.now() < row.expires_at => Ok(row),
        _ => Err(over()),
    }
}

/// Ends an upload that is not wanted any more; its bytes are removed at once.
pub async fn give_up(temwen: &Temwen, caller: &Caller, home: Home, id: EvidenceId) -> Result<()> {
    let (row, _) = find(temwen, caller, home, id).await?;
    if row.stage == State::Kept {
        return Err(Error::new(Kind::WrongMoment, "this file is evidence now, and stays"));
    }
    end(temwen, caller, &row, State::GivenUp, None, What::EvidenceGivenUp).await?;
    temwen.evidence.clear(row.id, &[]).await?;
    Ok(())
}

/// Gives an upload its end, and puts it on record.
async fn end(
    temwen: &Temwen,
    caller: &Caller,
    row: &Row,
    state: State,
    found: Option<Vec<u8>>,
    what: What,
) -> Result<()> {
    let work = async |tx: &mut Tx| {
        let matter = store::matter_of(tx, row).await?.ok_or_else(Error::not_found)?;
        if !store::end(tx, row.id, state, found).await? {
            return Err(over());
        }
        if state == State::Kept {
            custody::append(tx, row.id, custody::Deed::Received).await?;
        }
        tx.record(row.event(what, matter));
        Ok(())
    };
    temwen.db.write(caller, "evidence.end", work).await
}

/// All of a file has arrived: it is looked at, compared with what was announced, and kept or refused.
pub(super) async fn finish(
    temwen: &Temwen,
    caller: &Caller,
    row: &Row,
    key: &DataKey,
    sha256: Option<[u8; 32]>,
) -> Result<()> {
    let given = row.given(key)?;
    let segments = temwen.db.read(caller, async |conn| store::segments_of(conn, row.id).await).await?;
    let source = || -> Result<Source> {
        Ok(Source { id: row.id, key: row.key(key)?, size: row.size(), segments: segments.clone() })
    };
    let sha256 = match sha256 {
        Some(sha256) => sha256,
        None => Reader::new(temwen.evidence.clone(), source()?, 0..row.size(), None)?.sha256().await?,
    };
    if given.sha256.as_deref().and_then(unhex).is_some_and(|claimed| claimed != sha256) {
        end(temwen, caller, row, State::Refused, None, What::EvidenceRefused).await?;
        temwen.evidence.clear(row.id, &[]).await?;
        return Err(Error::fault(
            "Upload-Metadata/sha256",
            "is not the hash of the bytes that arrived; nothing of them was kept",
        ));
    }
    let looked = metadata::look(temwen, source()?, &given).await?;
    let found = Found { sha256: hex(&sha256), media: looked.media, risks: looked.risks };
    let found = sealed(key, "known", row.id, &found)?;
    end(temwen, caller, row, State::Kept, Some(found), What::EvidenceReceived).await
}
