//! SQL of files and of what they consist of.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::chunks::Segment;
use super::{Home, Row, State};
use crate::db::Tx;
use crate::db::schema::{cases, complaints, evidence, evidence_segments};
use crate::error::Result;
use crate::values::{CaseId, ComplaintId, EvidenceId, MatterId, UserId};

/// What a list shows: what is there, and what was erased.
const SHOWN: [State; 2] = [State::Kept, State::Forgotten];

/// A file on its way into the database.
pub(super) struct New {
    pub(super) id: EvidenceId,
    pub(super) home: Home,
    pub(super) uploaded_by: Option<UserId>,
    pub(super) key: Vec<u8>,
    pub(super) given: Vec<u8>,
    pub(super) size: i64,
    pub(super) supersedes: Option<EvidenceId>,
    pub(super) derived_from: Option<EvidenceId>,
    pub(super) expires_at: DateTime<Utc>,
}

pub(super) async fn insert(tx: &mut Tx, new: New) -> Result<Row> {
    let (case, complaint) = match new.home {
        Home::Case(case) => (Some(case), None),
        Home::Complaint(complaint) => (None, Some(complaint)),
    };
    let row = (
        evidence::id.eq(new.id),
        evidence::case_id.eq(case),
        evidence::complaint_id.eq(complaint),
        evidence::stage.eq(State::Arriving),
        evidence::uploaded_by.eq(new.uploaded_by),
        evidence::key.eq(new.key),
        evidence::given.eq(new.given),
        evidence::size.eq(new.size),
        evidence::supersedes.eq(new.supersedes),
        evidence::derived_from.eq(new.derived_from),
        evidence::begun_at.eq(tx.now()),
        evidence::expires_at.eq(new.expires_at),
    );
    tx.ask(async |mut conn| {
        diesel::insert_into(evidence::table)
            .values(row)
            .returning(Row::as_returning())
            .get_result(&mut conn)
            .await
    })
    .await
}

/// How many uploads are under way there, and how many bytes of files there are or are to be.
pub(super) async fn weight(tx: &mut Tx, home: Home) -> Result<(i64, i64)> {
    let here = match home {
        Home::Case(case) => evidence::table.filter(evidence::case_id.eq(case)).into_boxed(),
        Home::Complaint(complaint) => {
            evidence::table.filter(evidence::complaint_id.eq(complaint)).into_boxed()
        }
    };
    let live: Vec<(State, i64)> = tx
        .ask(async |mut conn| {
            here.filter(evidence::stage.eq_any([State::Arriving, State::Kept]))
                .select((evidence::stage, evidence::size))
                .load(&mut conn)
                .await
        })
        .await?;
    let arriving = live.iter().filter(|(state, _)| *state == State::Arriving).count();
    let bytes = live.iter().map(|(_, size)| size).sum();
    Ok((i64::try_from(arriving).unwrap_or(i64::MAX), bytes))
}

/// A file under way, or that was, as whoever gives it may know it.
pub(super) async fn upload(
    mut conn: &AsyncPgConnection,
    home: Home,
    id: EvidenceId,
) -> QueryResult<Option<Row>> {
    let query = evidence::table.find(id).select(Row::as_select()).into_boxed();
    let query = match home {
        Home::Case(case) => query.filter(evidence::case_id.eq(case)),
        Home::Complaint(complaint) => query.filter(evidence::complaint_id.eq(complaint)),
    };
    query.first(&mut conn).await.optional()
}

/// The same, held until the transaction ends.
pub(super) async fn lock(tx: &mut Tx, id: EvidenceId) -> Result<Option<Row>> {
    tx.ask(async |mut conn| {
        evidence::table.find(id).select(Row::as_select()).for_update().first(&mut conn).await.optional()
    })
    .await
}

/// Whether whoever acts may know of a case.
pub(super) async fn knows_case(mut conn: &AsyncPgConnection, case: CaseId) -> QueryResult<bool> {
    let there: Option<CaseId> =
        cases::table.find(case).select(cases::id).first(&mut conn).await.optional()?;
    Ok(there.is_some())
}

/// The matter of what a file hangs on.
pub(super) async fn matter_of(tx: &mut Tx, row: &Row) -> Result<Option<MatterId>> {
    let (case, complaint) = (row.case_id, row.complaint_id);
    tx.ask(async |mut conn| match (case, complaint) {
        (Some(case), _) => cases::table.find(case).select(cases::matter_id).first(&mut conn).await.optional(),
        (None, Some(complaint)) => {
            let found = complaints::table.find(complaint).select(complaints::matter_id);
            found.first(&mut conn).await.optional()
        }
        (None, None) => Ok(None),
    })
    .await
}

/// Adds what arrived; `false` if the upload is not at `from` any more.
pub(super) async fn add(
    tx: &mut Tx,
    id: EvidenceId,
    from: i64,
    segments: &[Segment],
    expires_at: DateTime<Utc>,
) -> Result<bool> {
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let to = segments.last().map_or(from, |last| signed(last.start + last.length));
    let rows: Vec<_> = segments
        .iter()
        .map(|segment| {
            (
                evidence_segments::id.eq(segment.id),
                evidence_segments::evidence_id.eq(id),
                evidence_segments::start.eq(signed(segment.start)),
                evidence_segments::length.eq(signed(segment.length)),
            )
        })
        .collect();
    tx.ask(async |mut conn| {
        let here = evidence::table
            .find(id)
            .filter(evidence::stage.eq(State::Arriving))
            .filter(evidence::arrived.eq(from));
        let moved = diesel::update(here)
            .set((evidence::arrived.eq(to), evidence::expires_at.eq(expires_at)))
            .execute(&mut conn)
            .await?;
        if moved == 1 {
            diesel::insert_into(evidence_segments::table).values(&rows).execute(&mut conn).await?;
        }
        Ok(moved == 1)
    })
    .await
}

/// How many segments a file has so far.
pub(super) async fn count(tx: &mut Tx, id: EvidenceId) -> Result<usize> {
    let count: i64 = tx
        .ask(async |mut conn| {
            evidence_segments::table
                .filter(evidence_segments::evidence_id.eq(id))
                .count()
                .get_result(&mut conn)
                .await
        })
        .await?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// Gives an upload its end; `false` if it has one already.
pub(super) async fn end(tx: &mut Tx, id: EvidenceId, state: State, found: Option<Vec<u8>>) -> Result<bool> {
    let at = tx.now();
    let kept = state == State::Kept;
    tx.ask(async |mut conn| {
        let here = evidence::table.find(id).filter(evidence::stage.eq(State::Arriving));
        diesel::update(here)
            .set((
                evidence::stage.eq(state),
                evidence::known.eq(found),
                evidence::received_at.eq(kept.then_some(at)),
                evidence::checked_at.eq(kept.then_some(at)),
            ))
            .execute(&mut conn)
            .await
    })
    .await
    .map(|ended| ended == 1)
}

/// A file of a case, or of one of its complaints.
pub(super) async fn of_case(tx: &mut Tx, case: CaseId, id: EvidenceId) -> Result<Option<Row>> {
    tx.ask(async |mut conn| {
        evidence::table
            .find(id)
            .filter(evidence::case_id.eq(case).or(evidence::complaint_id.eq_any(
                complaints::table.filter(complaints::case_id.eq(case)).select(complaints::id.nullable()),
            )))
            .select(Row::as_select())
            .first(&mut conn)
            .await
            .optional()
    })
    .await
}

/// The files of a case and of its complaints, oldest first, each with the one that took its place.
pub(super) async fn list(
    tx: &mut Tx,
    case: CaseId,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> Result<Vec<(Row, Option<EvidenceId>)>> {
    let mut query = evidence::table
        .filter(evidence::case_id.eq(case).or(evidence::complaint_id.eq_any(
            complaints::table.filter(complaints::case_id.eq(case)).select(complaints::id.nullable()),
        )))
        .filter(evidence::stage.eq_any(SHOWN))
        .into_boxed();
    if let Some((at, id)) = after {
        query = query.filter(
            evidence::begun_at
                .gt(at)
                .or(evidence::begun_at.eq(at).and(evidence::id.gt(EvidenceId::from(id)))),
        );
    }
    let found: Vec<Row> = tx
        .ask(async |mut conn| {
            query
                .order((evidence::begun_at, evidence::id))
                .limit(rows)
                .select(Row::as_select())
                .load(&mut conn)
                .await
        })
        .await?;
    let ids: Vec<EvidenceId> = found.iter().map(|row| row.id).collect();
    let taken: Vec<(EvidenceId, Option<EvidenceId>)> = tx
        .ask(async |mut conn| {
            evidence::table
                .filter(evidence::supersedes.eq_any(ids).and(evidence::stage.eq_any(SHOWN)))
                .order(evidence::begun_at)
                .select((evidence::id, evidence::supersedes))
                .load(&mut conn)
                .await
        })
        .await?;
    let by = |id: EvidenceId| taken.iter().rev().find(|(_, of)| *of == Some(id)).map(|(by, _)| *by);
    Ok(found.into_iter().map(|row| (by(row.id), row)).map(|(by, row)| (row, by)).collect())
}

/// The file that took the place of another, the last one if there are several.
pub(super) async fn superseding(tx: &mut Tx, id: EvidenceId) -> Result<Option<EvidenceId>> {
    tx.ask(async |mut conn| {
        evidence::table
            .filter(evidence::supersedes.eq(id).and(evidence::stage.eq_any(SHOWN)))
            .order(evidence::begun_at.desc())
            .select(evidence::id)
            .first(&mut conn)
            .await
            .optional()
    })
    .await
}

/// The files that a reporter gave to their complaint, oldest first.
pub(super) async fn of_complaint(
    tx: &mut Tx,
    complaint: ComplaintId,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> Result<Vec<Row>> {
    let mut query = evidence::table
        .filter(evidence::complaint_id.eq(complaint))
        .filter(evidence::stage.eq_any(SHOWN))
        .into_boxed();
    if let Some((at, id)) = after {
        query = query.filter(
            evidence::begun_at
                .gt(at)
                .or(evidence::begun_at.eq(at).and(evidence::id.gt(EvidenceId::from(id)))),
        );
    }
    tx.ask(async |mut conn| {
        query
            .order((evidence::begun_at, evidence::id))
            .limit(rows)
            .select(Row::as_select())
            .load(&mut conn)
            .await
    })
    .await
}

/// What a file consists of, in order.
pub(super) async fn segments(tx: &mut Tx, id: EvidenceId) -> Result<Vec<Segment>> {
    tx.ask(async |conn| segments_of(conn, id).await).await
}

/// The same, outside of a change.
pub(super) async fn segments_of(mut conn: &AsyncPgConnection, id: EvidenceId) -> QueryResult<Vec<Segment>> {
    let rows: Vec<(Uuid, i64, i64)> = evidence_segments::table
        .filter(evidence_segments::evidence_id.eq(id))
        .order(evidence_segments::start)
        .select((evidence_segments::id, evidence_segments::start, evidence_segments::length))
        .load(&mut conn)
        .await?;
    let plain = |number: i64| u64::try_from(number).unwrap_or_default();
    Ok(rows
        .into_iter()
        .map(|(id, start, length)| Segment { id, start: plain(start), length: plain(length) })
        .collect())
}

/// Marks the files of a matter as erased; how many.
pub(super) async fn forget(tx: &mut Tx, matter: MatterId) -> Result<usize> {
    tx.ask(async |mut conn| {
        let of_cases = cases::table.filter(cases::matter_id.eq(matter)).select(cases::id.nullable());
        let of_complaints =
            complaints::table.filter(complaints::matter_id.eq(matter)).select(complaints::id.nullable());
        let these = evidence::table
            .filter(evidence::stage.eq_any([State::Arriving, State::Kept]))
            .filter(evidence::case_id.eq_any(of_cases).or(evidence::complaint_id.eq_any(of_complaints)));
        diesel::update(these)
            .set((evidence::stage.eq(State::Forgotten), evidence::cleared_at.eq(None::<DateTime<Utc>>)))
            .execute(&mut conn)
            .await
    })
    .await
}

/// Marks a file as damaged.
pub(super) async fn mark_damaged(tx: &mut Tx, id: EvidenceId) -> Result<()> {
    let now = tx.now();
    tx.ask(async |mut conn| {
        diesel::update(evidence::table.find(id)).set(evidence::damaged_at.eq(now)).execute(&mut conn).await
    })
    .await
    .map(|_| ())
}
