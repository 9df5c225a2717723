//! A file's content is handed out: on record before the first byte leaves, checked before each of them does.

use std::ops::Range;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::try_unfold;

use super::reading::{Reader, Source, Unreadable};
use super::{Evidence, State, custody, store, unhex};
use crate::audit::{Event, What};
use crate::coa::Policy;
use crate::db::{Caller, Tx};
use crate::error::{Error, Kind, Result};
use crate::temwen::Temwen;
use crate::values::{CaseId, EvidenceId};

/// Which bytes are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// All of them.
    All,
    /// From one to another, both included.
    Between(u64, u64),
    /// So many at the end.
    Last(u64),
    /// None that there could be.
    Nothing,
}

impl Asked {
    /// These bytes of a file of `size`; `None` if there are no such bytes.
    fn of(self, size: u64) -> Option<Range<u64>> {
        match self {
            Self::All => Some(0..size),
            Self::Between(from, to) if from < size => Some(from..to.saturating_add(1).min(size)),
            Self::Last(last) if last > 0 => Some(size.saturating_sub(last)..size),
            _ => None,
        }
    }
}

/// A file that is about to be handed out.
pub(super) struct Opened {
    /// What is known of it.
    pub(super) evidence: Evidence,
    /// Which of its bytes.
    pub(super) range: Range<u64>,
    source: Source,
}

/// Opens a file for whoever may read it: from now on they have viewed it. `size` gets its size, also when the range is refused;
/// one that came with another version than `if_range` names is as if it was not asked for.
pub(super) async fn open(
    tx: &mut Tx,
    policy: &Policy,
    case: CaseId,
    file: EvidenceId,
    asked: Asked,
    if_range: Option<&str>,
    size: &mut u64,
) -> Result<Opened> {
    let case = super::case(tx, policy, case, false).await?;
    let row = super::of_case(tx, &case, file).await?;
    if row.stage == State::Forgotten {
        return Err(Error::new(Kind::Erased, "this file was erased with its matter"));
    }
    *size = row.size();
    let source = super::source(tx, &row).await?;
    let evidence = super::open(tx, row, None).await?;
    let version = evidence.found.as_ref().map(|found| format!("\"{}\"", found.sha256));
    let asked = if if_range.is_some() && if_range != version.as_deref() { Asked::All } else { asked };
    let range = asked.of(*size).ok_or_else(|| {
        Error::new(
            Kind::RangeNotSatisfiable,
            format!("ask for one range within the {size} bytes of this file"),
        )
    })?;
    custody::append(tx, file, custody::Deed::Viewed).await?;
    tx.record(Event::case(What::EvidenceDownloaded, case.id, case.matter_id).with("evidence", file.uuid()));
    Ok(Opened { evidence, range, source })
}

/// The bytes of an opened file, each of them checked. What is not as it was ends the stream, and is put on record.
/// The first bytes are read before this returns, so that a file that cannot be read at all is an error and not a short answer.
pub(super) async fn content(
    temwen: &Temwen,
    caller: &Caller,
    opened: Opened,
) -> Result<impl Stream<Item = Result<Bytes>> + use<>> {
    let Opened { evidence, range, source } = opened;
    let file = evidence.row.id;
    let sha256 = evidence.found.as_ref().and_then(|found| unhex(&found.sha256));
    let (temwen, caller) = (temwen.clone(), caller.clone());
    let reader = Reader::new(temwen.evidence.clone(), source, range, sha256);
    let mut reader = match reader {
        Ok(reader) => reader,
        Err(unreadable) => return Err(noted(&temwen, &caller, file, unreadable).await),
    };
    let first = match reader.next().await {
        Ok(first) => first,
        Err(unreadable) => return Err(noted(&temwen, &caller, file, unreadable).await),
    };
    Ok(try_unfold((reader, first, temwen, caller), move |(mut reader, ready, temwen, caller)| async move {
        let Some(ready) = ready else { return Ok(None) };
        match reader.next().await {
            Ok(next) => Ok(Some((ready, (reader, next, temwen, caller)))),
            Err(unreadable) => Err(noted(&temwen, &caller, file, unreadable).await),
        }
    }))
}

/// Puts damage on record; a store that is away for a moment is none.
pub(super) async fn noted(
    temwen: &Temwen,
    caller: &Caller,
    file: EvidenceId,
    unreadable: Unreadable,
) -> Error {
    if let Unreadable::Damaged(_) = unreadable
        && let Err(error) = damaged(temwen, caller, file).await
    {
        return error;
    }
    unreadable.into()
}

/// A file is not what it was: an entry, an event in its chain of custody, and a mark that every list shows.
pub(super) async fn damaged(temwen: &Temwen, caller: &Caller, file: EvidenceId) -> Result<()> {
    metrics::counter!("temwen_evidence_damaged_total").increment(1);
    let work = async |tx: &mut Tx| {
        let row = store::lock(tx, file).await?.ok_or_else(Error::not_found)?;
        let matter = store::matter_of(tx, &row).await?.ok_or_else(Error::not_found)?;
        if row.damaged_at.is_none() {
            store::mark_damaged(tx, file).await?;
            custody::append(tx, file, custody::Deed::Damaged).await?;
        }
        tx.record(row.event(What::EvidenceDamaged, matter));
        Ok(())
    };
    // It is the register that finds this, whoever asked for the file.
    temwen.db.write(&caller.as_system("evidence"), "evidence.damaged", work).await
}
