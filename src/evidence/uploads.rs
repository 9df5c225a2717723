//! A file comes in: begun, continued as often as it takes, and checked when it is whole.
//!
//! Nothing is held between requests: an upload goes on from the offset that the database knows, and of two requests that bring
//! the same bytes the first to be kept wins. Bytes are sealed before they leave memory, also those of a half-finished upload.

use std::time::{Duration, Instant};

use aws_lc_rs::digest::{Algorithm, Context, SHA256};
use chrono::TimeDelta;

use super::chunks::{FileKey, SEGMENT, Sealer, Segment};
use super::reading::{Reader, Source, hash};
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
const PATIENCE: TimeDelta = TimeDelta::hours(24);
/// How many uploads may be under way for one case or complaint.
const AT_ONCE: i64 = 16;
/// The most bytes that a reporter may give to a complaint: 8 GiB.
const FROM_A_REPORTER: i64 = 8 * 1024 * 1024 * 1024;
/// After so many segments, or so long, what arrived is put on record: what breaks off later goes on from there.
const KEPT_AFTER: usize = 8;
const KEPT_EVERY: Duration = Duration::from_secs(30);
/// The most segments of a file: who sends it byte by byte is not heard to the end.
const MOST_SEGMENTS: usize = 4096;

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

fn over() -> Error {
    Error::new(
        Kind::Expired,
        "this upload is over: it was not finished in time, was given up, or was refused",
    )
}

fn elsewhere() -> Error {
    Error::new(Kind::WrongMoment, "the upload is not at this offset; ask where it is, and go on from there")
}

/// An upload and the key that its file is sealed with, for whoever began it.
async fn find(temwen: &Temwen, caller: &Caller, home: Home, id: EvidenceId) -> Result<(Row, DataKey)> {
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
            custody::append(tx, row.id, custody::What::Received).await?;
        }
        tx.record(row.event(what, matter));
        Ok(())
    };
    temwen.db.write(caller, "evidence.end", work).await
}

/// The hash that a request's own bytes must have.
pub struct Checksum {
    /// Over which algorithm.
    pub algorithm: &'static Algorithm,
    /// What it must give.
    pub expected: Vec<u8>,
}

/// Bytes of one request, on their way into the store.
pub struct Arriving {
    temwen: Temwen,
    caller: Caller,
    row: Row,
    key: FileKey,
    data_key: DataKey,
    /// The offset of the next byte.
    at: u64,
    /// Up to where it is on record.
    kept: u64,
    kept_at: Instant,
    /// In the store, and not on record yet.
    waiting: Vec<Segment>,
    sealer: Option<Sealer>,
    /// The hash of all of it, if all of it comes in this request.
    whole: Option<Context>,
    checksum: Option<(Context, Vec<u8>)>,
}

impl Arriving {
    /// Goes on with an upload at `offset`.
    pub async fn at(
        temwen: &Temwen,
        caller: &Caller,
        home: Home,
        id: EvidenceId,
        offset: u64,
        checksum: Option<Checksum>,
    ) -> Result<Self> {
        let (row, data_key) = find(temwen, caller, home, id).await?;
        if row.stage == State::Kept {
            return Err(elsewhere());
        }
        if row.stage != State::Arriving || row.expires_at <= temwen.clock.now() {
            return Err(over());
        }
        if row.arrived() != offset {
            return Err(elsewhere());
        }
        Ok(Self {
            temwen: temwen.clone(),
            caller: caller.clone(),
            key: row.key(&data_key)?,
            data_key,
            at: offset,
            kept: offset,
            kept_at: Instant::now(),
            waiting: Vec::new(),
            sealer: None,
            whole: (offset == 0).then(|| Context::new(&SHA256)),
            checksum: checksum.map(|sum| (Context::new(sum.algorithm), sum.expected)),
            row,
        })
    }

    /// How many bytes it still takes.
    pub fn room(&self) -> u64 {
        self.row.size().saturating_sub(self.at)
    }

    /// Takes bytes as they come.
    pub async fn take(&mut self, mut bytes: &[u8]) -> Result<()> {
        if bytes.len() as u64 > self.room() {
            return Err(Error::new(Kind::TooLarge, "more bytes came than the file was said to have"));
        }
        if let Some((context, _)) = &mut self.checksum {
            context.update(bytes);
        }
        if let Some(context) = &mut self.whole {
            context.update(bytes);
        }
        while !bytes.is_empty() {
            let sealer = match &mut self.sealer {
                Some(sealer) => sealer,
                none => none.insert(Sealer::begin(&self.key, self.row.id, self.row.size(), self.at)?),
            };
            let (now, later) = bytes.split_at(bytes.len().min(sealer.room()));
            sealer.push(now)?;
            self.at += now.len() as u64;
            bytes = later;
            let full = sealer.room() == 0;
            if full || self.kept_at.elapsed() >= KEPT_EVERY {
                self.put().await?;
                let due = self.waiting.len() >= KEPT_AFTER || self.kept_at.elapsed() >= KEPT_EVERY;
                if due && self.checksum.is_none() {
                    self.keep().await?;
                }
            }
        }
        Ok(())
    }

    /// Brings what is sealed to the store.
    async fn put(&mut self) -> Result<()> {
        let Some(sealer) = self.sealer.take() else { return Ok(()) };
        let (segment, sealed) = sealer.finish()?;
        debug_assert!(segment.length <= SEGMENT, "a segment is too long");
        // What could not be put is not there: the upload goes on before it.
        if let Err(error) = self.temwen.evidence.put(self.row.id, segment.id, sealed).await {
            self.at = segment.start;
            self.whole = None;
            return Err(error);
        }
        self.waiting.push(segment);
        Ok(())
    }

    /// Puts on record what is in the store.
    async fn keep(&mut self) -> Result<()> {
        self.kept_at = Instant::now();
        let Some(last) = self.waiting.last() else { return Ok(()) };
        let to = last.start + last.length;
        let (row, waiting) = (&self.row, std::mem::take(&mut self.waiting));
        let from = i64::try_from(self.kept).unwrap_or(i64::MAX);
        let work = async |tx: &mut Tx| {
            let matter = store::matter_of(tx, row).await?.ok_or_else(Error::not_found)?;
            let locked = store::lock(tx, row.id).await?.ok_or_else(Error::not_found)?;
            if locked.stage != State::Arriving {
                return Err(over());
            }
            if store::count(tx, row.id).await? + waiting.len() > MOST_SEGMENTS {
                return Err(Error::new(Kind::TooLarge, "the file came in too many small parts; begin again"));
            }
            if !store::add(tx, row.id, from, &waiting, tx.now() + PATIENCE).await? {
                return Err(elsewhere());
            }
            let size = i64::try_from(to).unwrap_or(i64::MAX);
            tx.record(row.event(What::EvidenceArrived, matter).with("offset", size));
            Ok(())
        };
        let kept = self.temwen.db.write(&self.caller, "evidence.arrive", work).await;
        if let Err(error) = kept {
            // Somebody else was first, or it is over. If instead nobody knows whether it was kept, the objects stay until the
            // upload has its end.
            if matches!(error.kind(), Kind::WrongMoment | Kind::Expired | Kind::TooLarge) {
                self.discard(&waiting).await;
            }
            return Err(error);
        }
        self.kept = to;
        Ok(())
    }

    async fn discard(&self, segments: &[Segment]) {
        for segment in segments {
            // Whatever stays here is removed when the upload has its end.
            let _ = self.temwen.evidence.remove(self.row.id, segment.id).await;
        }
    }

    /// More came than was announced: nothing of it that is not on record is kept.
    pub async fn give_back(mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        self.discard(&waiting).await;
    }

    /// The request broke off, or something went wrong: what arrived is kept, unless it was to be checked as a whole.
    pub async fn break_off(mut self) -> Result<()> {
        if self.checksum.is_some() {
            self.give_back().await;
            return Ok(());
        }
        self.put().await?;
        self.keep().await
    }

    /// The request came to its end. The offset from which the upload goes on, and until when.
    pub async fn end(mut self) -> Result<Row> {
        if let Some((context, expected)) = self.checksum.take()
            && context.finish().as_ref() != expected
        {
            self.sealer = None;
            let waiting = std::mem::take(&mut self.waiting);
            self.discard(&waiting).await;
            let detail =
                "the bytes are not those that Upload-Checksum names; nothing of this request was kept";
            return Err(Error::new(Kind::ChecksumMismatch, detail));
        }
        self.put().await?;
        self.keep().await?;
        self.row.arrived = i64::try_from(self.kept).unwrap_or(i64::MAX);
        self.row.expires_at = self.temwen.clock.now() + PATIENCE;
        if self.kept == self.row.size() {
            let sha256 = self.whole.take().map(hash).transpose()?;
            finish(&self.temwen, &self.caller, &self.row, &self.data_key, sha256).await?;
        }
        Ok(self.row)
    }
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
