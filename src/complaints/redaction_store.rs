//! SQL of versions with passages taken out.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::redaction::Sealed;
use crate::db::schema::{complaints, redactions};
use crate::db::{Tx, data_keys};
use crate::error::Result;
use crate::values::{ComplaintId, RedactionId};
use crate::vault::WrappedKey;

/// The number of the last version of a complaint; 0 if there is none.
pub(super) async fn last_version(mut conn: &AsyncPgConnection, complaint: ComplaintId) -> QueryResult<i32> {
    let last: Option<i32> = redactions::table
        .filter(redactions::complaint_id.eq(complaint))
        .select(diesel::dsl::max(redactions::version))
        .first(&mut conn)
        .await?;
    Ok(last.unwrap_or(0))
}

pub(super) async fn insert(tx: &mut Tx, complaint: ComplaintId, new: Sealed) -> Result<()> {
    let row = (
        redactions::id.eq(new.id),
        redactions::complaint_id.eq(complaint),
        redactions::version.eq(new.version),
        redactions::text.eq(new.text),
        redactions::passages.eq(new.passages),
        redactions::reason.eq(new.reason),
        redactions::author_id.eq(new.author_id),
        redactions::made_at.eq(new.made_at),
    );
    tx.ask(async |mut conn| diesel::insert_into(redactions::table).values(row).execute(&mut conn).await)
        .await
        .map(|_| ())
}

type Versions = (Option<WrappedKey>, Vec<Sealed>);

/// The versions of a complaint after the one of a number, oldest first, with the key that opens them; `None` if whoever acts
/// may not know of the complaint.
pub(super) async fn of_complaint(
    conn: &AsyncPgConnection,
    complaint: ComplaintId,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> QueryResult<Option<Versions>> {
    let there = async {
        let mut conn = conn;
        let id = complaints::table.find(complaint).select(complaints::id);
        id.first::<ComplaintId>(&mut conn).await.optional()
    };
    let versions = async {
        let mut conn = conn;
        let mut query = redactions::table.filter(redactions::complaint_id.eq(complaint)).into_boxed();
        if let Some((at, id)) = after {
            query = query.filter(
                redactions::made_at
                    .gt(at)
                    .or(redactions::made_at.eq(at).and(redactions::id.gt(RedactionId::from(id)))),
            );
        }
        query
            .order((redactions::made_at, redactions::id))
            .limit(rows)
            .select(Sealed::as_select())
            .load(&mut conn)
            .await
    };
    let (there, key, versions) = futures_util::join!(there, data_keys::one(conn, complaint.uuid()), versions);
    let (key, versions) = (key?, versions?);
    Ok(there?.map(|_| (key, versions)))
}
