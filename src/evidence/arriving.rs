//! Bytes of one request, on their way into the store.
//!
//! They are sealed as they come, brought to the store a segment at a time, and put on record now and then; what is not on
//! record has not arrived.

use std::time::{Duration, Instant};

use aws_lc_rs::digest::{Algorithm, Context, SHA256};

use super::chunks::{FileKey, SEGMENT, Sealer, Segment};
use super::reading::hash;
use super::uploads::{PATIENCE, elsewhere, find, finish, over};
use super::{Home, Row, State, store};
use crate::audit::What;
use crate::db::{Caller, Tx};
use crate::error::{Error, Kind, Result};
use crate::temwen::Temwen;
use crate::values::EvidenceId;
use crate::vault::DataKey;

/// After so many segments, or so long, what arrived is put on record: what breaks off later goes on from there.
const KEPT_AFTER: usize = 8;
const KEPT_EVERY: Duration = Duration::from_secs(30);
/// The most segments of a file: who sends it byte by byte is not heard to the end.
const MOST_SEGMENTS: usize = 4096;

/// The hash that a request's own bytes must have.
pub(super) struct Checksum {
    /// Over which algorithm.
    pub(super) algorithm: &'static Algorithm,
    /// What it must give.
    pub(super) expected: Vec<u8>,
}

/// Bytes of one request, on their way into the store.
pub(super) struct Arriving {
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
    pub(super) async fn at(
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
    pub(super) fn room(&self) -> u64 {
        self.row.size().saturating_sub(self.at)
    }

    /// Takes bytes as they come.
    pub(super) async fn take(&mut self, mut bytes: &[u8]) -> Result<()> {
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
        let (segment, object) = sealer.finish()?;
        debug_assert!(segment.length <= SEGMENT, "a segment is too long");
        // What could not be put is not there: the upload goes on before it.
        if let Err(error) = self.temwen.evidence.put(self.row.id, segment.id, object).await {
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
    pub(super) async fn give_back(mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        self.discard(&waiting).await;
    }

    /// The request broke off, or something went wrong: what arrived is kept, unless it was to be checked as a whole.
    pub(super) async fn break_off(mut self) -> Result<()> {
        if self.checksum.is_some() {
            self.give_back().await;
            return Ok(());
        }
        self.put().await?;
        self.keep().await
    }

    /// The request came to its end. The offset from which the upload goes on, and until when.
    pub(super) async fn end(mut self) -> Result<Row> {
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
