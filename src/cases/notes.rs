//! Internal notes on a case. Written once; a correction is another note.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{lock, notes_store as store, search};
use crate::audit::{Event, Seen, What};
use crate::auth::policy::{self, Action};
use crate::db::data_keys::Keys;
use crate::db::{Caller, Tx};
use crate::error::{Error, Result};
use crate::log;
use crate::temwen::Temwen;
use crate::values::{CaseId, MatterId, NoteId, UserId, Words};
use crate::vault::DataKey;

/// A note.
#[derive(Debug, Clone)]
pub struct Note {
    /// Its id.
    pub id: NoteId,
    /// Who wrote it.
    pub author_id: UserId,
    /// What it says; `None` once it was erased.
    pub text: Option<String>,
    /// When it was written.
    pub written_at: DateTime<Utc>,
}

/// What was done in a case and with its complaints, oldest first, each with its place in the log once it has one: also what was done with a complaint before it joined.
pub async fn timeline(
    tx: &mut Tx,
    case: CaseId,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> Result<Vec<(Seen, Option<i64>)>> {
    let (matter, joined) = store::matter_of(tx, case).await?.ok_or_else(Error::not_found)?;
    tx.allow(Action::ReadTimeline)?;
    tx.record(Event::case(What::TimelineRead, case, matter));
    // From whom a matter is hidden is for those who may hide it.
    let walls = tx.allow(Action::PutUpWall).is_ok();
    let without: &[&str] = if walls {
        &[]
    } else {
        &[
            What::WallPutUp.as_str(),
            What::WallsRead.as_str(),
            What::WallsFollowed.as_str(),
            What::LiftingProposed.as_str(),
            What::LiftingConfirmed.as_str(),
        ]
    };
    let entries = store::entries(tx, matter, &joined, without, after, rows).await?;
    let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
    let places: HashMap<_, _> = log::places(tx, &ids).await?.into_iter().collect();
    let with_place = |entry: Seen| {
        let place = places.get(&entry.id).copied();
        (entry, place)
    };
    Ok(entries.into_iter().map(with_place).collect())
}

/// The notes of a case, oldest first. That they were read is recorded.
pub async fn read(
    temwen: &Temwen,
    caller: &Caller,
    case: CaseId,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> Result<Vec<Note>> {
    if !policy::allows(&caller.actor, Action::Notes) {
        return Err(Error::forbidden());
    }
    let entry = Event::case_read(What::NotesRead, case);
    let read = async |conn: &_| store::of_case(conn, case, after, rows).await;
    let (sealed, key) =
        temwen.db.read_recorded(caller, "cases.notes", entry, read).await?.ok_or_else(Error::not_found)?;
    let keys = Keys::new(temwen.db.vault(), [key]);
    sealed.into_iter().map(|note| note.open(&keys)).collect()
}

/// Writes a note.
pub async fn write(tx: &mut Tx, register: &DataKey, case: CaseId, words: &Words) -> Result<(Note, MatterId)> {
    let case = lock(tx, case).await?;
    tx.allow(Action::Notes)?;
    let author = tx.actor().user().ok_or_else(Error::forbidden)?;
    let note = store::insert(tx, &case, author, words).await?;
    search::add_note(tx, register, case.id, words.as_str()).await?;
    tx.record(Event::case(What::NoteWritten, case.id, case.matter_id).with("note", note.id.uuid()));
    Ok((note, case.matter_id))
}
