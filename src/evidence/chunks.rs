//! How a file's bytes are sealed: in chunks, each of which opens by itself and only where it belongs.
//!
//! A file has a random key of its own. What is kept of it are *segments*, one object of the store each; a segment has a fresh
//! random id and its own key, made from the file's key and that id (HKDF-SHA-256), so that no nonce is ever used twice, also
//! when an upload breaks off and the same bytes come again. Within a segment, chunks of 64 KiB are sealed with AES-256-GCM;
//! the nonce counts, and the associated data is the file's id, the chunk's place in the file and whether it is the last one of
//! its segment, or of the file. So a chunk that is changed, cut off, moved, or taken from another file does not open.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::values::EvidenceId;

/// The most bytes of a chunk.
pub(super) const CHUNK: u64 = 64 * 1024;
/// What sealing adds to a chunk.
const TAG: u64 = 16;
/// The most bytes of a segment.
pub(super) const SEGMENT: u64 = 8 * 1024 * 1024;

/// A part of a file, and the object that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    /// Its id, and the object's name.
    pub(super) id: Uuid,
    /// The place of its first byte in the file.
    pub(super) start: u64,
    /// How many bytes of the file it holds.
    pub(super) length: u64,
}

impl Segment {
    /// How many bytes its object has.
    pub(super) fn sealed_length(self) -> u64 {
        self.length + self.length.div_ceil(CHUNK) * TAG
    }

    /// Where the chunks `first..end` stand in its object.
    pub(super) fn sealed_range(self, first: u64, end: u64) -> std::ops::Range<u64> {
        first * (CHUNK + TAG)..(end * (CHUNK + TAG)).min(self.sealed_length())
    }
}

/// What does not open was changed, cut off or moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

/// The key of one file.
pub(super) struct FileKey(Zeroizing<[u8; 32]>);

impl FileKey {
    /// A fresh one.
    pub(super) fn make() -> Result<Self> {
        let mut key = Zeroizing::new([0; 32]);
        SystemRandom::new().fill(key.as_mut()).map_err(|_| Error::internal("no randomness"))?;
        Ok(Self(key))
    }

    /// One that was kept.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let key = bytes.try_into().map_err(|_| Error::internal("a file's key has another length"))?;
        Ok(Self(Zeroizing::new(key)))
    }

    /// To be sealed.
    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_ref()
    }

    /// The key of one segment.
    fn of_segment(&self, file: EvidenceId, segment: Uuid) -> Result<LessSafeKey> {
        let file = file.uuid();
        let info: [&[u8]; 3] = [b"temwen evidence segment v1", file.as_bytes(), segment.as_bytes()];
        let prk = Salt::new(HKDF_SHA256, segment.as_bytes()).extract(self.bytes());
        let okm = prk.expand(&info, &AES_256_GCM).map_err(|_| Error::internal("no key of a segment"))?;
        Ok(LessSafeKey::new(UnboundKey::from(okm)))
    }
}

/// Whether a chunk ends something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    No = 0,
    OfSegment = 1,
    OfFile = 2,
}

fn last(at_end_of_segment: bool, end: u64, size: u64) -> Last {
    match at_end_of_segment {
        false => Last::No,
        true if end == size => Last::OfFile,
        true => Last::OfSegment,
    }
}

fn nonce(index: u64) -> Nonce {
    let mut nonce = [0; 12];
    for (to, from) in nonce.iter_mut().skip(4).zip(index.to_be_bytes()) {
        *to = from;
    }
    Nonce::assume_unique_for_key(nonce)
}

/// Which file, which place in it, and whether it ends something.
fn bound_to(file: EvidenceId, at: u64, last: Last) -> Aad<Vec<u8>> {
    let mut data = file.uuid().as_bytes().to_vec();
    data.extend_from_slice(&at.to_be_bytes());
    data.push(last as u8);
    Aad::from(data)
}

/// Seals one segment, as its bytes come.
pub(super) struct Sealer {
    key: LessSafeKey,
    file: EvidenceId,
    size: u64,
    segment: Segment,
    chunk: Zeroizing<Vec<u8>>,
    sealed: Vec<u8>,
}

impl Sealer {
    /// A segment of `file`, of `size` bytes in all, that begins at `start`.
    pub(super) fn begin(key: &FileKey, file: EvidenceId, size: u64, start: u64) -> Result<Self> {
        let mut random = [0; 16];
        SystemRandom::new().fill(&mut random).map_err(|_| Error::internal("no randomness"))?;
        let id = uuid::Builder::from_random_bytes(random).into_uuid();
        let chunk = Zeroizing::new(Vec::with_capacity(usize::try_from(CHUNK).unwrap_or_default()));
        Ok(Self {
            key: key.of_segment(file, id)?,
            file,
            size,
            segment: Segment { id, start, length: 0 },
            chunk,
            sealed: Vec::new(),
        })
    }

    /// How many bytes it can still take.
    pub(super) fn room(&self) -> usize {
        usize::try_from(SEGMENT.saturating_sub(self.segment.length)).unwrap_or_default()
    }

    /// Takes bytes: no more than there is room for.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<()> {
        let most = usize::try_from(CHUNK).unwrap_or_default();
        while !bytes.is_empty() {
            if self.chunk.len() == most {
                // More follows, so it is not the last.
                self.seal(false)?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(most - self.chunk.len()));
            self.chunk.extend_from_slice(now);
            self.segment.length += now.len() as u64;
            bytes = later;
        }
        Ok(())
    }

    fn seal(&mut self, ends: bool) -> Result<()> {
        let end = self.segment.start + self.segment.length;
        let at = end - self.chunk.len() as u64;
        let index = (at - self.segment.start) / CHUNK;
        let from = self.sealed.len();
        self.sealed.extend_from_slice(&self.chunk);
        let plain = self.sealed.get_mut(from..).unwrap_or_default();
        let bound = bound_to(self.file, at, last(ends, end, self.size));
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce(index), bound, plain)
            .map_err(|_| Error::internal("a chunk could not be sealed"))?;
        self.sealed.extend_from_slice(tag.as_ref());
        self.chunk.clear();
        Ok(())
    }

    /// The segment, and its object's bytes.
    pub(super) fn finish(mut self) -> Result<(Segment, Vec<u8>)> {
        self.seal(true)?;
        Ok((self.segment, self.sealed))
    }
}

/// Opens chunks of one segment.
pub(super) struct Opener {
    key: LessSafeKey,
    file: EvidenceId,
    size: u64,
    segment: Segment,
}

impl Opener {
    /// Of a segment of `file`, of `size` bytes in all.
    pub(super) fn of(key: &FileKey, file: EvidenceId, size: u64, segment: Segment) -> Result<Self> {
        Ok(Self { key: key.of_segment(file, segment.id)?, file, size, segment })
    }

    /// The plain bytes of the chunks from `first` on.
    pub(super) fn open(&self, first: u64, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Broken> {
        let mut plain = Zeroizing::new(Vec::with_capacity(sealed.len()));
        let whole = usize::try_from(CHUNK + TAG).unwrap_or_default();
        for (index, chunk) in (first..).zip(sealed.chunks(whole)) {
            let at = index * CHUNK;
            let length = (chunk.len() as u64).checked_sub(TAG).ok_or(Broken)?;
            let ends = at + length == self.segment.length;
            let (at, end) = (self.segment.start + at, self.segment.start + at + length);
            let bound = bound_to(self.file, at, last(ends, end, self.size));
            let from = plain.len();
            plain.extend_from_slice(chunk);
            let part = plain.get_mut(from..).unwrap_or_default();
            let opened = self.key.open_in_place(nonce(index), bound, part).map_err(|_| Broken)?.len();
            plain.truncate(from + opened);
        }
        Ok(plain)
    }
}

#[cfg(test)]
#[path = "chunks_tests.rs"]
mod tests;
