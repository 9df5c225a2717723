//! Reading a file back: piece by piece, each opened and checked before it is handed on.

use std::ops::Range;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use zeroize::Zeroizing;

use super::blobs::{Blobs, Lost};
use super::chunks::{CHUNK, FileKey, Opener, Segment};
use crate::error::{Error, Kind, Result};
use crate::values::EvidenceId;

/// How many chunks are fetched at once: 2 MiB.
const AT_ONCE: u64 = 32;

/// What is needed to read a file.
pub(super) struct Source {
    /// Which one.
    pub(super) id: EvidenceId,
    /// Its key.
    pub(super) key: FileKey,
    /// How many bytes it has.
    pub(super) size: u64,
    /// What it consists of, in order.
    pub(super) segments: Vec<Segment>,
}

impl Source {
    /// Whether the segments make up the whole file, without a gap.
    pub(super) fn is_whole(&self) -> bool {
        let end = self
            .segments
            .iter()
            .try_fold(0, |at, segment| (segment.start == at).then_some(at + segment.length));
        end == Some(self.size)
    }
}

/// Why a file cannot be read on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    /// Its bytes are not those that were kept.
    #[error("the bytes of a file are not those that were kept: {0}")]
    Damaged(&'static str),
    /// The store does not answer just now.
    #[error("the evidence store does not answer")]
    Away(#[source] object_store::Error),
    /// Something of ours went wrong.
    #[error("a file could not be read")]
    Ours(#[source] Error),
}

impl From<Unreadable> for Error {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Damaged(_) => Self::new(
                Kind::Internal,
                "this file is damaged: its bytes are not those that were received. The fact is on record",
            )
            .because(unreadable),
            Unreadable::Away(_) => Self::unavailable(5).because(unreadable),
            Unreadable::Ours(error) => error,
        }
    }
}

/// Reads a part of a file, or all of it.
pub(super) struct Reader {
    blobs: Blobs,
    source: Source,
    at: u64,
    end: u64,
    /// All of it, from the first byte: then it must give this hash.
    expected: Option<(Context, [u8; 32])>,
}

impl Reader {
    /// The bytes `range` of a file. If they are all that it has, the last of them are handed out only when all of them
    /// together give the hash `sha256`.
    pub(super) fn new(
        blobs: Blobs,
        source: Source,
        range: Range<u64>,
        sha256: Option<[u8; 32]>,
    ) -> Result<Self, Unreadable> {
        if !source.is_whole() {
            return Err(Unreadable::Damaged("its parts do not make up the whole"));
        }
        let whole = range.start == 0 && range.end == source.size;
        let expected = sha256.filter(|_| whole).map(|sha256| (Context::new(&SHA256), sha256));
        Ok(Self { blobs, source, at: range.start, end: range.end, expected })
    }

    /// The next bytes; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Unreadable> {
        if self.at >= self.end {
            return Ok(None);
        }
        let found = self.source.segments.iter().find(|s| s.start <= self.at && self.at < s.start + s.length);
        let segment = *found.ok_or(Unreadable::Damaged("a part is missing"))?;
        let within = self.at - segment.start;
        let first = within / CHUNK;
        let until = (self.end - segment.start).min(segment.length);
        let chunks = (until.div_ceil(CHUNK) - first).min(AT_ONCE);
        let range = segment.sealed_range(first, first + chunks);
        let wanted = range.end - range.start;
        let sealed = match self.blobs.part(self.source.id, segment.id, range).await {
            Ok(sealed) if sealed.len() as u64 == wanted => sealed,
            Ok(_) => return Err(Unreadable::Damaged("an object is shorter than it was")),
            Err(Lost::Gone) => return Err(Unreadable::Damaged("an object is gone")),
            Err(Lost::Away(error)) => return Err(Unreadable::Away(error)),
        };
        let opener = Opener::of(&self.source.key, self.source.id, self.source.size, segment)
            .map_err(Unreadable::Ours)?;
        let plain = opener.open(first, &sealed).map_err(|_| Unreadable::Damaged("a chunk does not open"))?;
        let skip = usize::try_from(within - first * CHUNK).unwrap_or(usize::MAX);
        let most = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let bytes = plain.get(skip..).unwrap_or_default();
        let bytes = bytes.get(..most).unwrap_or(bytes);
        self.at += bytes.len() as u64;
        if bytes.is_empty() {
            return Err(Unreadable::Damaged("an object is shorter than it was"));
        }
        if let Some((context, _)) = &mut self.expected {
            context.update(bytes);
        }
        if self.at == self.end
            && let Some((context, expected)) = self.expected.take()
            && context.finish().as_ref() != expected
        {
            return Err(Unreadable::Damaged("its hash is another"));
        }
        Ok(Some(Bytes::copy_from_slice(bytes)))
    }

    /// The hash of all of it.
    pub(super) async fn sha256(mut self) -> Result<[u8; 32], Unreadable> {
        let mut context = Context::new(&SHA256);
        while let Some(bytes) = self.next().await? {
            context.update(&bytes);
        }
        hash(context).map_err(Unreadable::Ours)
    }

    /// All of it in memory: for files of a known, small size.
    pub(super) async fn all(mut self) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
        let mut all = Zeroizing::new(Vec::with_capacity(usize::try_from(self.end - self.at).unwrap_or(0)));
        while let Some(bytes) = self.next().await? {
            all.extend_from_slice(&bytes);
        }
        Ok(all)
    }
}

/// The result of a SHA-256.
pub(super) fn hash(context: Context) -> Result<[u8; 32]> {
    context.finish().as_ref().try_into().map_err(|_| Error::internal("a hash has another length"))
}
