//! Where the bytes of evidence are kept: a directory of this machine, or an object store that speaks S3.
//!
//! An object is called by the ids of its file and of its segment, and by nothing that anybody said. What it holds is sealed
//! before it comes here; see `chunks`.

use std::error::Error as StdError;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use tokio::sync::{Semaphore, SemaphorePermit};
use uuid::Uuid;

use crate::error::{Error, Kind, Result};
use crate::values::EvidenceId;

/// The most bytes of a file: 2 GiB.
pub const LARGEST: u64 = 2 * 1024 * 1024 * 1024;
/// How many bytes of a disk are left free: the database may live on it too.
const LEFT_FREE: u64 = 64 * 1024 * 1024;
/// How many files are taken apart in memory at once.
const TAKEN_APART: usize = 2;
/// After how many seconds an upload that found no room may be tried again.
const ROOM_MAY_COME: u32 = 60;

/// Where bytes are kept.
#[derive(Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    below: Path,
    /// The directory, if it is one.
    directory: Option<PathBuf>,
    /// How many bytes of its disk are left free.
    left_free: Arc<AtomicU64>,
    /// The most bytes of a file.
    largest: u64,
    hands: Arc<Semaphore>,
}

/// A store, where in it, and the directory that it is, if it is one.
type Place = (Arc<dyn ObjectStore>, Path, Option<PathBuf>);

/// Why there is no answer from the store.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    /// The object is not there: somebody removed it.
    #[error("an object of the evidence store is gone")]
    Gone,
    /// The store does not answer just now.
    #[error("the evidence store does not answer")]
    Away(#[source] object_store::Error),
}

impl Blobs {
    /// The store at `url`, or else the directory `evidence` in `data_dir`; files of at most `largest` bytes. `file:///…` is a
    /// directory, `s3://bucket/…` a bucket, whose address and credentials come from the environment (`AWS_…`).
    ///
    /// The error is a sentence for whoever starts the server; it repeats nothing of the environment.
    pub fn open(url: Option<&str>, data_dir: &FsPath, largest: u64) -> Result<Self, String> {
        let largest = largest.min(LARGEST);
        let (store, below, directory): Place = match url {
            None => Self::directory(data_dir.join("evidence"))?,
            Some(url) => match url.split_once("://") {
                Some(("file", path)) if path.starts_with('/') => Self::directory(PathBuf::from(path))?,
                Some(("s3", place)) => Self::bucket(place)?,
                _ => return Err("it must begin with file:/// or s3://".to_owned()),
            },
        };
        let (left_free, hands) = (Arc::new(AtomicU64::new(LEFT_FREE)), Arc::new(Semaphore::new(TAKEN_APART)));
        Ok(Self { store, below, directory, left_free, largest, hands })
    }

    fn directory(path: PathBuf) -> Result<Place, String> {
        use std::os::unix::fs::DirBuilderExt as _;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|error| format!("{} cannot be made: {error}", path.display()))?;
        let store = LocalFileSystem::new_with_prefix(&path)
            .map_err(|_| format!("{} is not a directory that can be used", path.display()))?
            // What is acknowledged is on the disk.
            .with_fsync(true);
        Ok((Arc::new(store), Path::default(), Some(path)))
    }

    fn bucket(place: &str) -> Result<Place, String> {
        let (bucket, below) = place.split_once('/').unwrap_or((place, ""));
        if bucket.is_empty() {
            return Err("it names no bucket".to_owned());
        }
        let store = AmazonS3Builder::from_env().with_bucket_name(bucket).build().map_err(|_| {
            "the environment (AWS_REGION, AWS_ENDPOINT, AWS_ACCESS_KEY_ID, …) does not say how to reach it".to_owned()
        })?;
        let below = Path::parse(below.trim_matches('/')).map_err(|_| "its path cannot be used".to_owned())?;
        Ok((Arc::new(store), below, None))
    }

    /// The most bytes that a file may have.
    pub fn largest(&self) -> u64 {
        self.largest
    }

    /// Leaves so many bytes of the disk free.
    pub fn leave_free(&self, bytes: u64) {
        self.left_free.store(bytes, Ordering::Relaxed);
    }

    /// A turn at taking a file apart in memory; not more than a few at once.
    pub(super) fn turn(&self) -> Result<SemaphorePermit<'_>> {
        self.hands.try_acquire().map_err(|_| Error::unavailable(5))
    }

    fn folder(&self, file: EvidenceId) -> Path {
        self.below.clone().join(file.to_string())
    }

    fn object(&self, file: EvidenceId, segment: Uuid) -> Path {
        self.folder(file).join(segment.to_string())
    }

    /// Keeps an object; it is durable when this is done.
    pub(super) async fn put(&self, file: EvidenceId, segment: Uuid, sealed: Vec<u8>) -> Result<()> {
        if let Some(directory) = &self.directory
            && let Ok(disk) = nix::sys::statvfs::statvfs(directory)
        {
            let free = disk.blocks_available().saturating_mul(disk.fragment_size());
            if free < self.left_free.load(Ordering::Relaxed).saturating_add(sealed.len() as u64) {
                return Err(no_room());
            }
        }
        let object = self.object(file, segment);
        let put = self.store.put(&object, sealed.into());
        put.await.map(|_| ()).map_err(|error| if is_full(&error) { no_room() } else { away(error) })
    }

    /// A part of an object.
    pub(super) async fn part(
        &self,
        file: EvidenceId,
        segment: Uuid,
        range: Range<u64>,
    ) -> Result<Bytes, Lost> {
        let (object, end) = (self.object(file, segment), range.end);
        match self.store.get_range(&object, range).await {
            Ok(bytes) => Ok(bytes),
            Err(object_store::Error::NotFound { .. }) => Err(Lost::Gone),
            // What was cut off is reported as a range beyond the end, in words of the store's own.
            Err(error) => match self.store.head(&object).await {
                Ok(there) if there.size < end => Ok(Bytes::new()),
                Err(object_store::Error::NotFound { .. }) => Err(Lost::Gone),
                _ => Err(Lost::Away(error)),
            },
        }
    }

    /// Removes one object, if it is there.
    pub(super) async fn remove(&self, file: EvidenceId, segment: Uuid) -> Result<()> {
        match self.store.delete(&self.object(file, segment)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(away(error)),
        }
    }

    /// Removes all of a file's objects but those of these segments; how many.
    pub(super) async fn clear(&self, file: EvidenceId, but: &[Uuid]) -> Result<usize> {
        let keep: Vec<Path> = but.iter().map(|segment| self.object(file, *segment)).collect();
        let folder = self.folder(file);
        let there: Vec<_> = self.store.list(Some(&folder)).try_collect().await.map_err(away)?;
        let mut removed = 0;
        for object in there.into_iter().filter(|object| !keep.contains(&object.location)) {
            match self.store.delete(&object.location).await {
                Ok(()) => removed += 1,
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(away(error)),
            }
        }
        if let Some(directory) = self.directory.as_ref().filter(|_| but.is_empty()) {
            // With whatever a write left behind that was killed half-way.
            let folder = directory.join(file.to_string());
            match tokio::fs::remove_dir_all(&folder).await {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(Error::unavailable(5).because(error));
                }
                _ => {}
            }
        }
        Ok(removed)
    }
}

fn away(error: object_store::Error) -> Error {
    Error::unavailable(5).because(error)
}

/// The disk is full: what arrived before is kept, and the upload goes on when there is room.
fn no_room() -> Error {
    Error::new(Kind::NoRoom, "there is no room for this file just now; what arrived before is kept")
        .after(ROOM_MAY_COME)
}

/// Whether a disk was full, as far as the causes tell.
fn is_full(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let full = error.downcast_ref::<std::io::Error>().is_some_and(|error| {
            matches!(
                error.kind(),
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
            )
        });
        if full {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_full_disk_is_told_from_another_fault() {
        let of = |kind: ErrorKind| object_store::Error::Generic {
            store: "LocalFileSystem",
            source: Box::new(std::io::Error::from(kind)),
        };
        assert!(is_full(&of(ErrorKind::StorageFull)));
        assert!(!is_full(&of(ErrorKind::PermissionDenied)));
        assert_eq!(no_room().kind(), Kind::NoRoom);
        assert_eq!(no_room().retry_after(), Some(60));
    }

    #[test]
    fn a_store_is_named_by_its_address() {
        let dir = tempfile::tempdir().unwrap();
        for bad in ["", "evidence", "http://x/y", "s3://", "file://relative", "s3:///path"] {
            assert!(Blobs::open(Some(bad), dir.path(), LARGEST).is_err(), "{bad}");
        }
        Blobs::open(None, dir.path(), LARGEST).unwrap();
        let mode = std::fs::metadata(dir.path().join("evidence")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[tokio::test]
    async fn what_is_cut_off_or_gone_is_told_from_a_store_that_is_away() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(None, dir.path(), LARGEST).unwrap();
        let (file, segment) = (EvidenceId::new(), Uuid::now_v7());
        assert!(matches!(blobs.part(file, segment, 0..5).await, Err(Lost::Gone)));
        blobs.put(file, segment, b"sealed".to_vec()).await.unwrap();
        assert_eq!(&blobs.part(file, segment, 0..6).await.unwrap()[..], b"sealed");
        // Cut off: less than was asked for, which then does not open.
        let object = dir.path().join("evidence").join(file.to_string()).join(segment.to_string());
        std::fs::write(&object, b"").unwrap();
        assert!(blobs.part(file, segment, 0..6).await.unwrap().is_empty());
        assert_eq!(blobs.clear(file, &[segment]).await.unwrap(), 0);
        assert_eq!(blobs.clear(file, &[]).await.unwrap(), 1);
        assert!(!object.parent().unwrap().exists());
    }
}
