//! SQL of glances.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::glances::{Sealed, Wanted};
use crate::db::Tx;
use crate::db::schema::glances;
use crate::db::statement::{Fixed, Text};
use crate::error::Result;
use crate::values::{GlanceId, MatterId, UserId};

struct Ask;
impl Text for Ask {
    const GIVEN: &'static str = "id, wanted, number, reason";
    const SQL: &'static str =
        " select ask_to_glance(given.id, given.wanted, given.number, given.reason) from given";
    type Row = sql::Nullable<sql::Uuid>;
}

/// Keeps a wish; the matter that it is about, for the entry alone.
pub(super) async fn ask(
    tx: &mut Tx,
    id: GlanceId,
    wanted: &Wanted,
    reason: &[u8],
) -> Result<Option<MatterId>> {
    let (case, number) = match wanted {
        Wanted::Id(id) => (Some(*id), None),
        Wanted::Number(number) => (None, Some(number.as_str())),
    };
    let binds = (
        id.into_sql::<sql::Uuid>(),
        case.into_sql::<sql::Nullable<sql::Uuid>>(),
        number.into_sql::<sql::Nullable<sql::Text>>(),
        reason.into_sql::<sql::Binary>(),
    );
    tx.ask(async |mut conn| Fixed::with(Ask, binds).get_result(&mut conn).await).await
}

/// Wishes, oldest first, after the one at `after`.
pub(super) async fn list(
    mut conn: &AsyncPgConnection,
    waiting: Option<bool>,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> QueryResult<Vec<Sealed>> {
    let mut query = glances::table.into_boxed();
    match waiting {
        Some(true) => query = query.filter(glances::decided_at.is_null()),
        Some(false) => query = query.filter(glances::decided_at.is_not_null()),
        None => {}
    }
    if let Some((at, id)) = after {
        query = query.filter(
            glances::asked_at.gt(at).or(glances::asked_at.eq(at).and(glances::id.gt(GlanceId::from(id)))),
        );
    }
    query
        .order((glances::asked_at, glances::id))
        .limit(rows)
        .select(Sealed::as_select())
        .load(&mut conn)
        .await
}

pub(super) async fn find(tx: &mut Tx, id: GlanceId) -> Result<Option<Sealed>> {
    tx.ask(async |mut conn| {
        glances::table.find(id).select(Sealed::as_select()).first(&mut conn).await.optional()
    })
    .await
}

pub(super) async fn lock(tx: &mut Tx, id: GlanceId) -> Result<Option<Sealed>> {
    tx.ask(async |mut conn| {
        glances::table.find(id).for_update().select(Sealed::as_select()).first(&mut conn).await.optional()
    })
    .await
}

pub(super) async fn decide(
    tx: &mut Tx,
    id: GlanceId,
    by: UserId,
    approved: bool,
    reason: &[u8],
    ends_at: Option<DateTime<Utc>>,
) -> Result<Sealed> {
    let set = (
        glances::decided_by.eq(by),
        glances::decided_at.eq(tx.now()),
        glances::approved.eq(approved),
        glances::decision_reason.eq(reason),
        glances::ends_at.eq(ends_at),
        glances::version.eq(glances::version + 1),
    );
    tx.ask(async |mut conn| {
        diesel::update(glances::table.find(id))
            .set(set)
            .returning(Sealed::as_returning())
            .get_result(&mut conn)
            .await
    })
    .await
}
