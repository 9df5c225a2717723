//! SQL of notes, and of a case's place in the audit record.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::notes::Note;
use crate::audit;
use crate::db::Tx;
use crate::db::schema::{cases, complaints, notes};
use crate::error::Result;
use crate::values::{CaseId, ComplaintId, MatterId, NoteId, UserId, Words};

pub(super) async fn insert(tx: &mut Tx, case: CaseId, author: UserId, words: &Words) -> Result<Note> {
    let row = (
        notes::id.eq(NoteId::new()),
        notes::case_id.eq(case),
        notes::author_id.eq(author),
        notes::text.eq(words.as_str()),
        notes::written_at.eq(tx.now()),
    );
    tx.ask(async |mut conn| {
        diesel::insert_into(notes::table)
            .values(row)
            .returning(Note::as_returning())
            .get_result(&mut conn)
            .await
    })
    .await
}

/// The notes of a case, oldest first; `None` if whoever acts may not know of it.
pub async fn of_case(
    conn: &AsyncPgConnection,
    case: CaseId,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> QueryResult<Option<Vec<Note>>> {
    let there = async {
        let mut conn = conn;
        cases::table.find(case).select(cases::id).first::<CaseId>(&mut conn).await.optional()
    };
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
            .select(Note::as_select())
            .load(&mut conn)
            .await
    };
    let (there, written) = futures_util::join!(there, written);
    Ok(there?.zip(Some(written?)).map(|(_, notes)| notes))
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
