//! SQL of erasures.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::db::Tx;
use crate::db::schema::{cases, complaints, data_keys, erasures, walls};
use crate::db::statement::{Fixed, Text};
use crate::error::{Error, Kind, Result};
use crate::values::{CaseId, ComplaintId, ErasureId, MatterId, UserId};

/// An erasure as it is stored: its reasons sealed.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = erasures, check_for_backend(diesel::pg::Pg))]
pub(super) struct Row {
    pub(super) id: ErasureId,
    pub(super) matter_id: MatterId,
    pub(super) complaint_id: Option<ComplaintId>,
    pub(super) case_id: Option<CaseId>,
    pub(super) class: String,
    pub(super) due_at: DateTime<Utc>,
    pub(super) service_ended_on: Option<NaiveDate>,
    pub(super) reason: Vec<u8>,
    pub(super) proposed_by: UserId,
    pub(super) proposed_at: DateTime<Utc>,
    pub(super) decided_by: Option<UserId>,
    pub(super) decided_at: Option<DateTime<Utc>>,
    pub(super) approved: Option<bool>,
    pub(super) decision_reason: Option<Vec<u8>>,
    pub(super) version: i32,
}

/// An erasure that is proposed.
pub(super) struct New<'a> {
    pub(super) id: ErasureId,
    pub(super) matter: MatterId,
    pub(super) ids: (Option<CaseId>, Option<ComplaintId>),
    pub(super) class: &'a str,
    pub(super) due_at: DateTime<Utc>,
    pub(super) service_ended_on: Option<NaiveDate>,
    pub(super) reason: &'a [u8],
}

pub(super) async fn insert(tx: &mut Tx, new: &New<'_>) -> Result<Row> {
    let by = tx.actor().user().ok_or_else(Error::forbidden)?;
    let row = (
        erasures::id.eq(new.id),
        erasures::matter_id.eq(new.matter),
        erasures::case_id.eq(new.ids.0),
        erasures::complaint_id.eq(new.ids.1),
        erasures::class.eq(new.class),
        erasures::due_at.eq(new.due_at),
        erasures::service_ended_on.eq(new.service_ended_on),
        erasures::reason.eq(new.reason),
        erasures::proposed_by.eq(by),
        erasures::proposed_at.eq(tx.now()),
    );
    tx.ask_for(
        async |mut conn| {
            diesel::insert_into(erasures::table)
                .values(row)
                .returning(Row::as_returning())
                .get_result(&mut conn)
                .await
        },
        |error| match error {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => {
                Error::new(Kind::Exists, "an erasure of this waits for a second person already")
            }
            other => crate::db::tx::refused(other),
        },
    )
    .await
}

pub(super) async fn find(tx: &mut Tx, id: ErasureId) -> Result<Option<Row>> {
    tx.ask(async |mut conn| {
        erasures::table.find(id).select(Row::as_select()).first(&mut conn).await.optional()
    })
    .await
}

pub(super) async fn lock(tx: &mut Tx, id: ErasureId) -> Result<Option<Row>> {
    tx.ask(async |mut conn| {
        erasures::table.find(id).for_update().select(Row::as_select()).first(&mut conn).await.optional()
    })
    .await
}

pub(super) async fn decide(
    tx: &mut Tx,
    id: ErasureId,
    by: UserId,
    approve: bool,
    reason: &[u8],
) -> Result<Row> {
    let set = (
        erasures::decided_by.eq(by),
        erasures::decided_at.eq(tx.now()),
        erasures::approved.eq(approve),
        erasures::decision_reason.eq(reason),
        erasures::version.eq(erasures::version + 1),
    );
    tx.ask(async |mut conn| {
        diesel::update(erasures::table.find(id))
            .set(set)
            .returning(Row::as_returning())
            .get_result(&mut conn)
            .await
    })
    .await
}

/// Erasures, oldest first, each with its matter; only those that wait (true) or are decided (false).
pub(super) async fn list(
    mut conn: &AsyncPgConnection,
    waiting: Option<bool>,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> QueryResult<Vec<(Row, MatterId)>> {
    let mut query = erasures::table.left_join(cases::table).left_join(complaints::table).into_boxed();
    match waiting {
        Some(true) => query = query.filter(erasures::decided_at.is_null()),
        Some(false) => query = query.filter(erasures::decided_at.is_not_null()),
        None => {}
    }
    if let Some((at, id)) = after {
        query = query.filter(erasures::proposed_at.ge(at)).filter(
            erasures::proposed_at
                .gt(at)
                .or(erasures::proposed_at.eq(at).and(erasures::id.gt(ErasureId::from(id)))),
        );
    }
    query
        .order((erasures::proposed_at, erasures::id))
        .limit(rows)
        .select((Row::as_select(), cases::matter_id.nullable(), complaints::matter_id.nullable()))
        .load::<(Row, Option<MatterId>, Option<MatterId>)>(&mut conn)
        .await
        .map(|rows| rows.into_iter().filter_map(|(row, one, other)| Some((row, one.or(other)?))).collect())
}

/// What may stand in the way of an erasure.
pub(super) struct Standing {
    /// A hold lasts.
    pub(super) held: bool,
    /// How many complaints of it nobody has read, or nobody has assessed.
    pub(super) unread: i64,
    /// When the last of those accused left, if all have and it is known.
    pub(super) service_ended: Option<DateTime<Utc>>,
}

struct Stands;
impl Text for Stands {
    const GIVEN: &'static str = "matter";
    const SQL: &'static str = " select \
         exists (select from legal_holds h where h.ended_at is null and ( \
             h.case_id in (select c.id from cases c where c.matter_id = given.matter) \
             or h.complaint_id in (select c.id from complaints c where c.matter_id = given.matter))), \
         (select count(*) from complaints c where c.matter_id = given.matter and (c.assessed_at is null or not exists ( \
             select from audit_entries e where e.object_id = c.id and e.object_kind = 'complaint' and e.action = 'complaint.read'))), \
         end_of_service(given.matter) from given";
    type Row = (sql::Bool, sql::BigInt, sql::Nullable<sql::Timestamptz>);
}

pub(super) async fn standing(tx: &mut Tx, matter: MatterId) -> Result<Standing> {
    let (held, unread, service_ended) = tx
        .ask(async |mut conn| {
            Fixed::with(Stands, (matter.into_sql::<sql::Uuid>(),))
                .get_result::<(bool, i64, Option<DateTime<Utc>>)>(&mut conn)
                .await
        })
        .await?;
    Ok(Standing { held, unread, service_ended })
}

pub(super) async fn is_walled(tx: &mut Tx, user: UserId, matter: MatterId) -> Result<bool> {
    let found: Option<UserId> = tx
        .ask(async |mut conn| {
            walls::table.find((user, matter.uuid())).select(walls::user_id).first(&mut conn).await.optional()
        })
        .await?;
    Ok(found.is_some())
}

/// Holds every complaint of a matter until the transaction ends.
pub(super) async fn lock_complaints(tx: &mut Tx, matter: MatterId) -> Result<()> {
    let _: Vec<ComplaintId> = tx
        .ask(async |mut conn| {
            complaints::table
                .filter(complaints::matter_id.eq(matter))
                .order(complaints::id)
                .for_update()
                .select(complaints::id)
                .load(&mut conn)
                .await
        })
        .await?;
    Ok(())
}

struct ForgetFirstAnswers;
impl Text for ForgetFirstAnswers {
    const GIVEN: &'static str = "matter";
    const SQL: &'static str = " select forget_first_answers(given.matter) from given";
    type Row = sql::BigInt;
}

/// Forgets the first answers that tell of a matter whose keys are destroyed.
pub(super) async fn forget_first_answers(tx: &mut Tx, matter: MatterId) -> Result<i64> {
    tx.ask(async |mut conn| {
        Fixed::with(ForgetFirstAnswers, (matter.into_sql::<sql::Uuid>(),)).get_result(&mut conn).await
    })
    .await
}

/// Destroys every data key of a matter; how many there were. The database refuses where no approved erasure is behind it.
pub(super) async fn destroy_keys(tx: &mut Tx, matter: MatterId) -> Result<usize> {
    let now = tx.now();
    tx.ask(async |mut conn| {
        diesel::update(
            data_keys::table
                .filter(data_keys::matter_id.eq(matter.uuid()).and(data_keys::destroyed_at.is_null())),
        )
        .set((data_keys::wrapped.eq(None::<Vec<u8>>), data_keys::destroyed_at.eq(now)))
        .execute(&mut conn)
        .await
    })
    .await
}
