//! A copy of a file without metadata: evidence of its own beside the file, which stays as it is.

use bytes::Bytes;

use aws_lc_rs::digest::{SHA256, digest};

use super::chunks::{FileKey, Sealer, Segment};
use super::reading::{Reader, Unreadable};
use super::strip::Format;
use super::{
    Evidence, Found, Given, Home, Row, State, custody, download, hex, metadata, sealed, store, uploads,
};
use crate::audit::{Event, What};
use crate::coa::Policy;
use crate::db::{Caller, Tx};
use crate::error::{Error, Result};
use crate::temwen::Temwen;
use crate::values::{CaseId, EvidenceId, MatterId};

/// A copy that was made, sealed and brought to the store; not yet in the database.
pub(super) struct Copy {
    id: EvidenceId,
    of: EvidenceId,
    key: FileKey,
    given: Given,
    found: Found,
    size: i64,
    segments: Vec<Segment>,
}

fn cannot(why: &str) -> Error {
    Error::fault("evidence", format!("no copy without metadata can be made of it: {why}"))
}

/// Makes the copy. Whoever asks has read the file from now on.
pub(super) async fn make(temwen: &Temwen, caller: &Caller, case: CaseId, file: EvidenceId) -> Result<Copy> {
    let open = async |tx: &mut Tx| {
        let case = super::case(tx, &temwen.policy, case, true).await?;
        let row = super::of_case(tx, &case, file).await?;
        if row.stage == State::Forgotten {
            return Err(cannot("it was erased"));
        }
        let source = super::source(tx, &row).await?;
        custody::append(tx, file, custody::Deed::Viewed).await?;
        tx.record(Event::case(What::EvidenceRead, case.id, case.matter_id).with("evidence", file.uuid()));
        Ok((super::open(tx, row, None).await?, source))
    };
    let (original, source) = temwen.db.write(caller, "evidence.strip", open).await?;
    let (Some(given), Some(found)) = (original.given, original.found) else {
        return Err(cannot("nothing is known of it"));
    };
    let format = found
        .media
        .as_deref()
        .and_then(Format::of)
        .ok_or_else(|| cannot("it is no JPEG, PNG, WebP, PDF, Office or OpenDocument file"))?;
    if source.size > metadata::EXAMINED {
        return Err(cannot("it has more than 32 MiB"));
    }
    let _turn = temwen.evidence.turn()?;
    let range = 0..source.size;
    let read = async {
        let sha256 = super::unhex(&found.sha256);
        Reader::new(temwen.evidence.clone(), source, range, sha256)?.all().await
    };
    let bytes: Result<_, Unreadable> = read.await;
    let bytes = match bytes {
        Ok(bytes) => Bytes::from(bytes.to_vec()),
        Err(unreadable) => return Err(download::noted(temwen, caller, file, unreadable).await),
    };
    // What takes such files apart may stumble over what somebody made for it to.
    let plain = tokio::task::spawn_blocking(move || format.strip(bytes)).await.ok().flatten();
    let plain = plain.filter(|plain| !plain.is_empty());
    let plain = plain.ok_or_else(|| cannot("it is not what it seems, or it unpacks to too much"))?;
    keep(temwen, file, given, found, plain).await
}

/// Seals the copy and brings it to the store.
async fn keep(temwen: &Temwen, of: EvidenceId, given: Given, found: Found, plain: Bytes) -> Result<Copy> {
    let (id, key) = (EvidenceId::new(), FileKey::make()?);
    let sha256 = hex(digest(&SHA256, &plain).as_ref());
    let mut segments = Vec::new();
    let (mut at, size) = (0_u64, plain.len() as u64);
    while at < size {
        let mut sealer = Sealer::begin(&key, id, size, at)?;
        let from = usize::try_from(at).map_err(Error::internal)?;
        let rest = plain.get(from..).unwrap_or_default();
        sealer.push(rest.get(..sealer.room()).unwrap_or(rest))?;
        let (segment, object) = sealer.finish()?;
        if let Err(error) = temwen.evidence.put(id, segment.id, object).await {
            temwen.evidence.clear(id, &[]).await?;
            return Err(error);
        }
        at += segment.length;
        segments.push(segment);
    }
    let given = Given { media: found.media.clone(), sha256: None, ..given };
    let found = Found { sha256, media: found.media, risks: Vec::new() };
    let size = i64::try_from(size).map_err(Error::internal)?;
    Ok(Copy { id, of, key, given, found, size, segments })
}

impl Copy {
    /// Its id.
    pub(super) fn id(&self) -> EvidenceId {
        self.id
    }

    /// Puts it into the database, as the case's own.
    pub(super) async fn store(
        &self,
        tx: &mut Tx,
        policy: &Policy,
        case: CaseId,
    ) -> Result<(Evidence, MatterId)> {
        let case = super::case(tx, policy, case, true).await?;
        super::of_case(tx, &case, self.of).await?;
        let key = tx.data_key(case.matter_id.uuid()).await?;
        let derived = Some((self.id, self.of, &self.key));
        let home = Home::Case(case.id);
        uploads::insert(tx, home, &key, &self.given, self.size, None, derived).await?;
        let until = tx.now();
        let found = sealed(&key, "known", self.id, &self.found)?;
        let kept = store::add(tx, self.id, 0, &self.segments, until).await?
            && store::end(tx, self.id, State::Kept, Some(found)).await?;
        if !kept {
            return Err(Error::internal("a fresh copy was not fresh"));
        }
        custody::append(tx, self.of, custody::Deed::Derived).await?;
        custody::append(tx, self.id, custody::Deed::Received).await?;
        tx.record(
            Event::case(What::EvidenceDerived, case.id, case.matter_id)
                .with("evidence", self.id.uuid())
                .with("from", self.of.uuid()),
        );
        let row: Row = super::of_case(tx, &case, self.id).await?;
        let evidence = super::open(tx, row, None).await?;
        Ok((evidence, case.matter_id))
    }
}
