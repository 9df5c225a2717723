//! SQL of notes, and of a case's place in the audit record.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::Case;
use super::notes::Note;
use crate::audit;
use crate::db::Tx;
use crate::db::data_keys::{self, Keys};
use crate::db::schema::{cases, complaints, notes};
use crate::error::Result;
use crate::values::{CaseId, ComplaintId, MatterId, NoteId, UserId, Words};
use crate::vault::{Place, WrappedKey};

/// Where the words of a note stand.
fn place(id: NoteId) -> Place {
    Place::new("notes", "text", id.uuid())
}

pub(super) async fn insert(tx: &mut Tx, case: &Case, author: UserId, words: &Words) -> Result<Note> {
    let id = NoteId::new();
    let key = tx.data_key(case.matter_id.uuid()).await?;
    let written_at = tx.now();
    let row = (
        notes::id.eq(id),
        notes::case_id.eq(case.id),
        notes::author_id.eq(author),
        notes::text_sealed.eq(key.seal(place(id), words.as_str().as_bytes())?),
        notes::written_at.eq(written_at),
    );
    tx.ask(async |mut conn| diesel::insert_into(notes::table).values(row).execute(&mut conn).await).await?;
    Ok(Note { id, author_id: author, text: Some(words.as_str().to_owned()), written_at })
}

/// A note as it is stored.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = notes, check_for_backend(diesel::pg::Pg))]
pub(super) struct SealedNote {
    id: NoteId,
    author_id: UserId,
    text_sealed: Option<Vec<u8>>,
    written_at: DateTime<Utc>,
}

impl SealedNote {
    /// Opens it with the key of its case.
    pub(super) fn open(self, keys: &Keys) -> Result<Note> {
        let text = keys.text(place(self.id), self.text_sealed.as_deref())?;
        Ok(Note { id: self.id, author_id: self.author_id, text, written_at: self.written_at })
    }
}

/// The notes of a case, oldest first, and its key; `None` if whoever acts may not know of it.
pub(super) async fn of_case(
    conn: &AsyncPgConnection,
    case: CaseId,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> QueryResult<Option<(Vec<SealedNote>, WrappedKey)>> {
    let written = async {
        let mut conn = conn;
        let mut query = notes::table.filter(notes::case_id.eq(case)).into_boxed();
        if let Some((at, id)) = after {
            query = query.filter(
                notes::written_at.gt(at).or(notes::written_at.eq(at).and(notes::id.gt(NoteId::from(id)))),
            );
        }
        query
            .order((notes::written_at, notes::id))
            .limit(rows)
            .select(SealedNote::as_select())
            .load(&mut conn)
            .await
    };
    let (key, written) = futures_util::join!(data_keys::of_case(conn, case), written);
    Ok(Some(written?).zip(key?))
}

/// The matter of a case, and the complaints in it; `None` if whoever acts may not know of it.
pub(super) async fn matter_of(tx: &mut Tx, case: CaseId) -> Result<Option<(MatterId, Vec<ComplaintId>)>> {
    let matter = async |conn: &AsyncPgConnection| {
        let mut conn = conn;
        cases::table.find(case).select(cases::matter_id).first::<MatterId>(&mut conn).await.optional()
    };
    let joined = async |conn: &AsyncPgConnection| {
        let mut conn = conn;
        complaints::table
            .filter(complaints::case_id.eq(case))
            .select(complaints::id)
            .limit(500)
            .load(&mut conn)
            .await
    };
    let (matter, joined) = tx.ask(async |conn| Ok(futures_util::join!(matter(conn), joined(conn)))).await?;
    let (matter, joined) = (matter.map_err(crate::db::tx::refused)?, joined.map_err(crate::db::tx::refused)?);
    Ok(matter.map(|matter| (matter, joined)))
}

/// Their entries, oldest first.
pub(super) async fn entries(
    tx: &mut Tx,
    matter: MatterId,
    joined: &[ComplaintId],
    without: &[&str],
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> Result<Vec<audit::Seen>> {
    tx.ask(async |conn| audit::of_matter(conn, matter, joined, without, after, rows).await).await
}
