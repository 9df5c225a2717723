//! What happens to files by itself: they are read again, what was not finished is ended, what is not to be kept is removed.

use chrono::TimeDelta;

use super::reading::{Reader, Source, Unreadable};
use super::{Row, State, custody, download, store, unhex, upkeep_store, uploads};
use crate::audit::What;
use crate::db::{Caller, Tx, data_keys};
use crate::error::{Error, Result};
use crate::temwen::Temwen;
use crate::vault::{DataKey, Fault};

const NAME: &str = "evidence";
/// How often each file is read again, whoever asks for it: every 30 days.
const CHECKED_EVERY: TimeDelta = TimeDelta::days(30);
/// How many files a step looks at.
const AT_ONCE: i64 = 4;
/// What lost a race to the store is removed so long after its file was begun at the earliest.
const SETTLED_AFTER: TimeDelta = TimeDelta::hours(1);

/// One step of it: how many files it did something about.
pub async fn step(temwen: &Temwen) -> Result<usize> {
    Ok(expire(temwen).await? + clear(temwen).await? + check(temwen).await?)
}

/// Ends uploads that were not finished in time, and finishes those of which all has arrived.
async fn expire(temwen: &Temwen) -> Result<usize> {
    let system = Caller::system(NAME);
    let now = temwen.clock.now();
    let due =
        temwen.db.read(&system, async |conn| upkeep_store::unfinished(conn, now, AT_ONCE).await).await?;
    let mut done = 0;
    for row in due {
        if row.arrived == row.size
            && let Some(key) = data_key(temwen, &row).await?
        {
            // A server that was killed between the last byte and its look at the whole: somebody still has to look.
            match uploads::finish(temwen, &system, &row, &key, None).await {
                Ok(()) => done += 1,
                Err(error) if error.kind() == crate::error::Kind::Invalid => done += 1,
                Err(error) => return Err(error),
            }
            continue;
        }
        let work = async |tx: &mut Tx| {
            let matter = store::matter_of(tx, &row).await?.ok_or_else(Error::not_found)?;
            if !upkeep_store::expire(tx, row.id).await? {
                return Err(Error::not_found());
            }
            tx.record(row.event(What::EvidenceExpired, matter));
            Ok(())
        };
        done += usize::from(happened(temwen.db.write(&system, "evidence.expire", work).await)?);
    }
    Ok(done)
}

/// Removes bytes that are not to be kept: of ended uploads, of erased files, and of what lost a race.
async fn clear(temwen: &Temwen) -> Result<usize> {
    let system = Caller::system(NAME);
    let settled = temwen.clock.now() - SETTLED_AFTER;
    let due =
        temwen.db.read(&system, async |conn| upkeep_store::to_clear(conn, settled, AT_ONCE).await).await?;
    let mut done = 0;
    for row in due {
        let keep = if row.stage == State::Kept {
            temwen.db.read(&system, async |conn| store::segments_of(conn, row.id).await).await?
        } else {
            Vec::new()
        };
        let keep: Vec<_> = keep.into_iter().map(|segment| segment.id).collect();
        let removed = temwen.evidence.clear(row.id, &keep).await?;
        let work = async |tx: &mut Tx| {
            let matter = store::matter_of(tx, &row).await?.ok_or_else(Error::not_found)?;
            if !upkeep_store::cleared(tx, row.id, row.stage).await? {
                return Err(Error::not_found());
            }
            let removed = i64::try_from(removed).unwrap_or(i64::MAX);
            tx.record(row.event(What::EvidenceCleared, matter).with("objects", removed));
            Ok(())
        };
        done += usize::from(happened(temwen.db.write(&system, "evidence.clear", work).await)?);
    }
    Ok(done)
}

/// Reads files again whose time has come.
async fn check(temwen: &Temwen) -> Result<usize> {
    let system = Caller::system(NAME);
    let before = temwen.clock.now() - CHECKED_EVERY;
    let due =
        temwen.db.read(&system, async |conn| upkeep_store::to_check(conn, before, AT_ONCE).await).await?;
    let mut done = 0;
    for row in due {
        // Erased while this step was on its way: there is nothing to read any more.
        let Some(key) = data_key(temwen, &row).await? else { continue };
        match as_received(temwen, &row, &key).await {
            Ok(()) => {
                let work = async |tx: &mut Tx| {
                    let matter = store::matter_of(tx, &row).await?.ok_or_else(Error::not_found)?;
                    if !upkeep_store::checked(tx, row.id).await? {
                        return Err(Error::not_found());
                    }
                    custody::append(tx, row.id, custody::Deed::Verified).await?;
                    tx.record(row.event(What::EvidenceVerified, matter));
                    Ok(())
                };
                happened(temwen.db.write(&system, "evidence.verify", work).await)?;
            }
            Err(Unreadable::Damaged(_)) => download::damaged(temwen, &system, row.id).await?,
            Err(unreadable) => return Err(unreadable.into()),
        }
        done += 1;
    }
    Ok(done)
}

/// Whether all bytes of a file are those that were received.
async fn as_received(temwen: &Temwen, row: &Row, key: &DataKey) -> std::result::Result<(), Unreadable> {
    let ours = Unreadable::Ours;
    let system = Caller::system(NAME);
    let segments =
        temwen.db.read(&system, async |conn| store::segments_of(conn, row.id).await).await.map_err(ours)?;
    let found = row.found(key).map_err(ours)?;
    let expected = found.and_then(|found| unhex(&found.sha256));
    let expected = expected.ok_or(Unreadable::Damaged("its hash is not known"))?;
    let source = Source { id: row.id, key: row.key(key).map_err(ours)?, size: row.size(), segments };
    let range = 0..row.size();
    let sha256 = Reader::new(temwen.evidence.clone(), source, range, None)?.sha256().await?;
    if sha256 == expected { Ok(()) } else { Err(Unreadable::Damaged("its hash is another")) }
}

/// The key that a file is sealed with; `None` once it was destroyed.
async fn data_key(temwen: &Temwen, row: &Row) -> Result<Option<DataKey>> {
    let id = row.sealed_with()?;
    let system = Caller::system(NAME);
    let found = temwen.db.read(&system, async |conn| data_keys::one(conn, id).await).await?;
    let wrapped = found.ok_or_else(|| Error::internal("a file has no data key"))?;
    match temwen.db.vault().unwrap(&wrapped) {
        Ok(key) => Ok(Some(key)),
        Err(Fault::Erased(_)) => Ok(None),
        Err(fault) => Err(fault.into()),
    }
}

/// Whether a step took place: somebody else may have been first.
fn happened(outcome: Result<()>) -> Result<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == crate::error::Kind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
