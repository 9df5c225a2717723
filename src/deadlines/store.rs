//! SQL of deadlines.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{Deadline, Planned};
use crate::auth::policy::{Narrow, Scope};
use crate::db::Tx;
use crate::db::schema::{assignments, cases, complaints, deadline_pauses, deadlines};
use crate::db::statement::{Fixed, Text};
use crate::error::Result;
use crate::values::{CaseId, ComplaintId, DeadlineId, MatterId, Reason, UserId};
use crate::vault::Place;

struct Start;
impl Text for Start {
    const GIVEN: &'static str =
        "matter_id, complaint_id, case_id, ids, codes, names, starts, dues, looks, tells, pausables";
    // On a repeated submission there is no new complaint, and so nothing to start.
    const SQL: &'static str = " insert into deadlines (matter_id, complaint_id, case_id, id, code, name, starts_at, due_at, next_look_at, tells_reporter, pausable) \
         select matter_id, complaint_id, case_id, each.* from given, unnest(ids, codes, names, starts, dues, looks, tells, pausables) as each \
         where case_id is not null or exists (select from complaints c where c.id = given.complaint_id) \
         on conflict do nothing";
    type Row = ();
}

async fn start(
    mut conn: &AsyncPgConnection,
    matter: MatterId,
    complaint: Option<ComplaintId>,
    case: Option<CaseId>,
    planned: &[Planned],
) -> QueryResult<usize> {
    if planned.is_empty() {
        return Ok(0);
    }
    let moments = |of: fn(&Planned) -> DateTime<Utc>| planned.iter().map(of).collect::<Vec<_>>();
    let binds = (
        matter.into_sql::<sql::Uuid>(),
        complaint.into_sql::<sql::Nullable<sql::Uuid>>(),
        case.into_sql::<sql::Nullable<sql::Uuid>>(),
        planned.iter().map(|p| p.id).collect::<Vec<_>>().into_sql::<sql::Array<sql::Uuid>>(),
        planned.iter().map(|p| p.code.as_str()).collect::<Vec<_>>().into_sql::<sql::Array<sql::Text>>(),
        planned.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().into_sql::<sql::Array<sql::Text>>(),
        moments(|p| p.starts_at).into_sql::<sql::Array<sql::Timestamptz>>(),
        moments(|p| p.due_at).into_sql::<sql::Array<sql::Timestamptz>>(),
        planned
            .iter()
            .map(|p| p.next_look_at)
            .collect::<Vec<_>>()
            .into_sql::<sql::Array<sql::Nullable<sql::Timestamptz>>>(),
        planned.iter().map(|p| p.tells_reporter).collect::<Vec<_>>().into_sql::<sql::Array<sql::Bool>>(),
        planned.iter().map(|p| p.pausable).collect::<Vec<_>>().into_sql::<sql::Array<sql::Bool>>(),
    );
    Fixed::with(Start, binds).execute(&mut conn).await
}

/// Starts the limits of a complaint, if the complaint was stored.
pub async fn start_for_complaint(
    conn: &AsyncPgConnection,
    complaint: ComplaintId,
    matter: MatterId,
    planned: &[Planned],
) -> QueryResult<usize> {
    start(conn, matter, Some(complaint), None, planned).await
}

/// Starts limits of a complaint or a case within a transaction.
pub async fn starting(
    tx: &mut Tx,
    matter: MatterId,
    complaint: Option<ComplaintId>,
    case: Option<CaseId>,
    planned: &[Planned],
) -> Result<()> {
    tx.ask(async |conn| start(conn, matter, complaint, case, planned).await).await.map(|_| ())
}

pub(super) async fn meet(
    tx: &mut Tx,
    complaint: Option<ComplaintId>,
    case: Option<CaseId>,
    name: &str,
) -> Result<Vec<DeadlineId>> {
    let now = tx.now();
    tx.ask(async |mut conn| {
        diesel::update(deadlines::table)
            .filter(
                deadlines::complaint_id
                    .is_not_distinct_from(complaint)
                    .and(deadlines::case_id.is_not_distinct_from(case)),
            )
            .filter(deadlines::name.eq(name))
            .filter(deadlines::met_at.is_null())
            .filter(deadlines::cancelled_at.is_null())
            .set((
                deadlines::met_at.eq(now),
                deadlines::paused_at.eq(None::<DateTime<Utc>>),
                deadlines::version.eq(deadlines::version + 1),
            ))
            .returning(deadlines::id)
            .get_results(&mut conn)
            .await
    })
    .await
}

/// Lets the running limits of a case fall away: it is over, or others apply now. When the first of them began.
pub async fn drop_of_case(tx: &mut Tx, case: CaseId) -> Result<Option<DateTime<Utc>>> {
    let now = tx.now();
    let began: Vec<DateTime<Utc>> = tx
        .ask(async |mut conn| {
            diesel::update(deadlines::table)
                .filter(deadlines::case_id.eq(case))
                .filter(deadlines::met_at.is_null())
                .filter(deadlines::cancelled_at.is_null())
                .set((deadlines::cancelled_at.eq(now), deadlines::version.eq(deadlines::version + 1)))
                .returning(deadlines::starts_at)
                .get_results(&mut conn)
                .await
        })
        .await?;
    Ok(began.into_iter().min())
}

/// A complaint's limits go with it into another matter.
pub async fn follow_matter(tx: &mut Tx, complaint: ComplaintId, matter: MatterId) -> Result<()> {
    tx.ask(async |mut conn| {
        diesel::update(deadlines::table.filter(deadlines::complaint_id.eq(complaint)))
            .set(deadlines::matter_id.eq(matter))
            .execute(&mut conn)
            .await
    })
    .await
    .map(|_| ())
}

pub(super) async fn lock(tx: &mut Tx, id: DeadlineId) -> Result<Option<Deadline>> {
    tx.ask(async |mut conn| {
        deadlines::table.find(id).for_update().select(Deadline::as_select()).first(&mut conn).await.optional()
    })
    .await
}

pub(super) async fn pause(tx: &mut Tx, deadline: &Deadline, by: UserId, reason: &Reason) -> Result<Deadline> {
    let now = tx.now();
    let id = Uuid::now_v7();
    let key = tx.data_key(deadline.matter_id.uuid()).await?;
    let place = Place::new("deadline_pauses", "reason", id);
    let pause = (
        deadline_pauses::id.eq(id),
        deadline_pauses::deadline_id.eq(deadline.id),
        deadline_pauses::paused_at.eq(now),
        deadline_pauses::paused_by.eq(by),
        deadline_pauses::reason_sealed.eq(key.seal(place, reason.as_str().as_bytes())?),
    );
    tx.ask(async |mut conn| {
        diesel::insert_into(deadline_pauses::table).values(pause).execute(&mut conn).await
    })
    .await?;
    tx.ask(async |mut conn| {
        diesel::update(deadlines::table.find(deadline.id))
            .set((deadlines::paused_at.eq(now), deadlines::version.eq(deadlines::version + 1)))
            .returning(Deadline::as_returning())
            .get_result(&mut conn)
            .await
    })
    .await
}

pub(super) async fn resume(
    tx: &mut Tx,
    deadline: &Deadline,
    by: UserId,
    due_at: DateTime<Utc>,
    next: Option<DateTime<Utc>>,
) -> Result<Deadline> {
    let now = tx.now();
    tx.ask(async |mut conn| {
        diesel::update(deadline_pauses::table)
            .filter(deadline_pauses::deadline_id.eq(deadline.id))
            .filter(deadline_pauses::resumed_at.is_null())
            .set((deadline_pauses::resumed_at.eq(now), deadline_pauses::resumed_by.eq(by)))
            .execute(&mut conn)
            .await
    })
    .await?;
    tx.ask(async |mut conn| {
        diesel::update(deadlines::table.find(deadline.id))
            .set((
                deadlines::paused_at.eq(None::<DateTime<Utc>>),
                deadlines::due_at.eq(due_at),
                deadlines::next_look_at.eq(next),
                deadlines::version.eq(deadlines::version + 1),
            ))
            .returning(Deadline::as_returning())
            .get_result(&mut conn)
            .await
    })
    .await
}

pub(super) async fn to_look_at(
    mut conn: &AsyncPgConnection,
    now: DateTime<Utc>,
    limit: i64,
) -> QueryResult<Vec<DeadlineId>> {
    deadlines::table
        .filter(
            deadlines::met_at
                .is_null()
                .and(deadlines::cancelled_at.is_null())
                .and(deadlines::paused_at.is_null()),
        )
        .filter(deadlines::next_look_at.le(now))
        .order((deadlines::next_look_at, deadlines::id))
        .limit(limit)
        .select(deadlines::id)
        .load(&mut conn)
        .await
}

/// A deadline whose rung is due, held; with category and marks of its complaint or case.
pub(super) async fn lock_to_climb(
    tx: &mut Tx,
    id: DeadlineId,
    now: DateTime<Utc>,
) -> Result<Option<(Deadline, String, Vec<String>)>> {
    let found = tx
        .ask(async |mut conn| {
            deadlines::table
                .find(id)
                .filter(
                    deadlines::met_at
                        .is_null()
                        .and(deadlines::cancelled_at.is_null())
                        .and(deadlines::paused_at.is_null()),
                )
                .filter(deadlines::next_look_at.le(now))
                .for_update()
                .skip_locked()
                .select(Deadline::as_select())
                .first(&mut conn)
                .await
                .optional()
        })
        .await?;
    let Some(deadline) = found else { return Ok(None) };
    let of: (String, Vec<String>) = tx
        .ask(async |mut conn| match (deadline.case_id, deadline.complaint_id) {
            (Some(case), _) => {
                cases::table.find(case).select((cases::category, cases::flags)).first(&mut conn).await
            }
            (None, complaint) => {
                complaints::table
                    .filter(complaints::id.nullable().eq(complaint))
                    .select((complaints::category, complaints::flags))
                    .first(&mut conn)
                    .await
            }
        })
        .await?;
    Ok(Some((deadline, of.0, of.1)))
}

pub(super) async fn climb(
    tx: &mut Tx,
    deadline: &Deadline,
    to: Option<&str>,
    next: Option<DateTime<Utc>>,
) -> Result<()> {
    let now = tx.now();
    tx.ask(async |mut conn| {
        diesel::update(deadlines::table.find(deadline.id))
            .set((
                deadlines::escalation.eq(deadlines::escalation + 1),
                to.map(|to| (deadlines::escalated_to.eq(to), deadlines::escalated_at.eq(now))),
                deadlines::next_look_at.eq(next),
                deadlines::version.eq(deadlines::version + 1),
            ))
            .execute(&mut conn)
            .await
    })
    .await
    .map(|_| ())
}

/// Which deadlines are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only those that are missed (true) or not (false).
    pub overdue: Option<bool>,
    /// Only those that still run (true) or are over (false).
    pub open: Option<bool>,
    /// Only those due before.
    pub due_before: Option<DateTime<Utc>>,
    /// Only those of this name.
    pub name: Option<String>,
}

/// Deadlines across matters, the earliest due first.
pub async fn due(
    mut conn: &AsyncPgConnection,
    scope: &Scope,
    user: UserId,
    filter: &Filter,
    now: DateTime<Utc>,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> QueryResult<Vec<Deadline>> {
    let mut query = deadlines::table.into_boxed();
    // The wall does not depend on this: it lets Postgres start from the few rows of a narrow scope.
    let heard: Vec<&str> = scope.hears_as.iter().map(|role| role.as_str()).collect();
    match scope.only_cases().filter(|_| !scope.new && !scope.own) {
        Some(Narrow::Assigned) => {
            let mine = assignments::table
                .filter(assignments::user_id.eq(user).and(assignments::ended_at.is_null()))
                .select(assignments::matter_id);
            query = query.filter(
                deadlines::matter_id.eq_any(mine).or(deadlines::escalated_to
                    .is_not_null()
                    .and(deadlines::escalated_to.assume_not_null().eq_any(heard))),
            );
        }
        Some(Narrow::Country(country)) => {
            let theirs =
                cases::table.filter(cases::referred_country.eq(country.to_owned())).select(cases::matter_id);
            query = query.filter(deadlines::matter_id.eq_any(theirs));
        }
        _ => {}
    }
    let open = || deadlines::met_at.is_null().and(deadlines::cancelled_at.is_null());
    match filter.overdue {
        Some(true) => {
            query = query.filter(open().and(deadlines::paused_at.is_null()).and(deadlines::due_at.lt(now)));
        }
        Some(false) => {
            query = query.filter(
                deadlines::due_at.ge(now).or(diesel::dsl::not(open())).or(deadlines::paused_at.is_not_null()),
            );
        }
        None => {}
    }
    match filter.open {
        Some(true) => query = query.filter(open()),
        Some(false) => query = query.filter(diesel::dsl::not(open())),
        None => {}
    }
    if let Some(before) = filter.due_before {
        query = query.filter(deadlines::due_at.lt(before));
    }
    if let Some(name) = &filter.name {
        query = query.filter(deadlines::name.eq(name.clone()));
    }
    if let Some((at, id)) = after {
        query = query.filter(deadlines::due_at.ge(at)).filter(
            deadlines::due_at.gt(at).or(deadlines::due_at.eq(at).and(deadlines::id.gt(DeadlineId::from(id)))),
        );
    }
    query
        .order((deadlines::due_at, deadlines::id))
        .limit(rows)
        .select(Deadline::as_select())
        .load(&mut conn)
        .await
}

/// The deadlines of a case and of its complaints, the earliest due first.
pub async fn of_case(mut conn: &AsyncPgConnection, case: CaseId) -> QueryResult<Vec<Deadline>> {
    let matter = cases::table.filter(cases::id.eq(case)).select(cases::matter_id);
    deadlines::table
        .filter(deadlines::matter_id.eq_any(matter))
        .order((deadlines::due_at, deadlines::id))
        .limit(500)
        .select(Deadline::as_select())
        .load(&mut conn)
        .await
}
