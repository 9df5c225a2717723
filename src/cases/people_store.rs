//! SQL of assignments, duties and walls.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::Case;
use super::people::{Wall, WallKind};
use super::workflow::Duty;
use crate::auth::Role;
use crate::complaints::wall_reason;
use crate::db::Tx;
use crate::db::data_keys::{self, Keys};
use crate::db::schema::{assignments, case_duties, cases, users, walls};
use crate::db::statement::{Bare, Text};
use crate::error::{Error, Kind, Result};
use crate::values::{CaseId, MatterId, Reason, UserId};
use crate::vault::WrappedKey;

/// Gives `user` a part in a case. The database's key refuses a second, other one.
pub(super) async fn take_duty(tx: &mut Tx, case: CaseId, user: UserId, duty: Duty) -> Result<()> {
    let has: Option<Duty> = tx
        .ask(async |mut conn| {
            case_duties::table.find((case, user)).select(case_duties::duty).first(&mut conn).await.optional()
        })
        .await?;
    if has == Some(duty) {
        return Ok(());
    }
    let row = (
        case_duties::case_id.eq(case),
        case_duties::user_id.eq(user),
        case_duties::duty.eq(duty),
        case_duties::since.eq(tx.now()),
    );
    tx.ask_for(
        async |mut conn| diesel::insert_into(case_duties::table).values(row).execute(&mut conn).await,
        |error| match error {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, info)
                if info.constraint_name() == Some("case_duties_one_per_person") =>
            {
                Error::new(Kind::Forbidden, "one person never does two of triage, investigation, determination and review in one case")
            }
            other => crate::db::tx::refused(other),
        },
    )
    .await
    .map(|_| ())
}

pub(super) async fn assign(tx: &mut Tx, case: &Case, user: UserId, role: Role) -> Result<()> {
    let by = tx.actor().user().ok_or_else(Error::forbidden)?;
    let row = (
        assignments::id.eq(uuid::Uuid::now_v7()),
        assignments::case_id.eq(case.id),
        assignments::matter_id.eq(case.matter_id),
        assignments::user_id.eq(user),
        assignments::role.eq(role),
        assignments::assigned_by.eq(by),
        assignments::assigned_at.eq(tx.now()),
    );
    tx.ask_for(
        async |mut conn| diesel::insert_into(assignments::table).values(row).execute(&mut conn).await,
        |error| match error {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => {
                Error::new(Kind::Exists, "this account works on the case already")
            }
            other => crate::db::tx::refused(other),
        },
    )
    .await
    .map(|_| ())
}

pub(super) async fn end_assignment(tx: &mut Tx, case: CaseId, user: UserId) -> Result<usize> {
    let now = tx.now();
    tx.ask(async |mut conn| {
        diesel::update(assignments::table)
            .filter(
                assignments::case_id
                    .eq(case)
                    .and(assignments::user_id.eq(user))
                    .and(assignments::ended_at.is_null()),
            )
            .set(assignments::ended_at.eq(now))
            .execute(&mut conn)
            .await
    })
    .await
}

/// Whether whoever acts is assigned to a case as investigator.
pub(super) async fn investigates(tx: &mut Tx, case: CaseId) -> Result<bool> {
    let Some(user) = tx.actor().user() else { return Ok(false) };
    let found: Option<UserId> = tx
        .ask(async |mut conn| {
            assignments::table
                .filter(assignments::case_id.eq(case).and(assignments::user_id.eq(user)))
                .filter(assignments::ended_at.is_null().and(assignments::role.eq(Role::Investigator)))
                .select(assignments::user_id)
                .first(&mut conn)
                .await
                .optional()
        })
        .await?;
    Ok(found.is_some())
}

/// The part that an account has in a case, if it has one.
pub(super) async fn duty_in(tx: &mut Tx, case: CaseId, user: UserId) -> Result<Option<Duty>> {
    tx.ask(async |mut conn| {
        case_duties::table.find((case, user)).select(case_duties::duty).first(&mut conn).await.optional()
    })
    .await
}

/// Whether, besides `but`, somebody is left who may sign for a matter: active, in one of `roles`, and not walled from it.
pub(super) async fn somebody_is_left(
    tx: &mut Tx,
    matter: MatterId,
    roles: &[Role],
    but: UserId,
) -> Result<bool> {
    let roles: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    let found: Option<UserId> = tx
        .ask(async |mut conn| {
            users::table
                .filter(
                    users::deactivated_at
                        .is_null()
                        .and(users::id.ne(but))
                        .and(users::roles.overlaps_with(roles)),
                )
                .filter(
                    users::id.ne_all(walls::table.filter(walls::matter_id.eq(matter)).select(walls::user_id)),
                )
                .select(users::id)
                .first(&mut conn)
                .await
                .optional()
        })
        .await?;
    Ok(found.is_some())
}

struct LeftBehind;
impl Text for LeftBehind {
    const GIVEN: &'static str = "";
    // A case that is over needs nobody; if it is opened again, this finds it then.
    const SQL: &'static str = "select c.id, u.id from users u join cases c on c.owner_id = u.id \
             where c.closed_at is null and (u.deactivated_at is not null or not c.owner_role = any (u.roles) \
                 or walled(u.id, c.matter_id)) \
         union select a.case_id, u.id from users u join assignments a on a.user_id = u.id \
             where a.ended_at is null and (u.deactivated_at is not null or not a.role = any (u.roles) \
                 or walled(u.id, a.matter_id)) \
         limit 1000";
    type Row = (sql::Uuid, sql::Uuid);
}

/// Cases that somebody still works on or owns who cannot any more, with that account: it is deactivated, lost the role,
/// or the matter does not exist for it.
pub(super) async fn left_behind(mut conn: &AsyncPgConnection) -> QueryResult<Vec<(CaseId, UserId)>> {
    Bare::new(LeftBehind).load(&mut conn).await
}

pub(super) async fn put_up(
    tx: &mut Tx,
    matter: MatterId,
    user: UserId,
    kind: WallKind,
    reason: &Reason,
    by: UserId,
) -> Result<()> {
    let key = tx.data_key(matter.uuid()).await?;
    let row = (
        walls::user_id.eq(user),
        walls::matter_id.eq(matter),
        walls::kind.eq(kind),
        walls::reason_sealed.eq(key.seal(wall_reason(user), reason.as_str().as_bytes())?),
        walls::put_up_by.eq(by),
        walls::put_up_at.eq(tx.now()),
    );
    tx.ask_for(
        async |mut conn| diesel::insert_into(walls::table).values(row).execute(&mut conn).await,
        |error| match error {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => {
                Error::new(Kind::Exists, "this matter is hidden from that account already")
            }
            other => crate::db::tx::refused(other),
        },
    )
    .await
    .map(|_| ())
}

/// A wall as it is stored.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = walls, check_for_backend(diesel::pg::Pg))]
pub(super) struct SealedWall {
    user_id: UserId,
    kind: WallKind,
    reason_sealed: Option<Vec<u8>>,
    put_up_by: Option<UserId>,
    matched: Option<String>,
    rests_on: Option<String>,
    put_up_at: DateTime<Utc>,
}

impl SealedWall {
    /// Opens it with the key of its matter.
    pub(super) fn open(self, keys: &Keys) -> Result<Wall> {
        let Self { user_id, kind, reason_sealed, put_up_by, matched, rests_on, put_up_at } = self;
        let reason = keys.some_text(wall_reason(user_id), reason_sealed.as_deref())?;
        Ok(Wall { user_id, kind, reason, put_up_by, matched, rests_on, put_up_at })
    }
}

/// The walls around a case, and the key that opens them; `None` if whoever acts may not know of it.
pub(super) async fn walls_of_case(
    conn: &AsyncPgConnection,
    case: CaseId,
) -> QueryResult<Option<(Vec<SealedWall>, WrappedKey)>> {
    let standing = async {
        let mut conn = conn;
        walls::table
            .filter(walls::matter_id.eq_any(cases::table.filter(cases::id.eq(case)).select(cases::matter_id)))
            .order(walls::put_up_at)
            .limit(500)
            .select(SealedWall::as_select())
            .load(&mut conn)
            .await
    };
    let (key, standing) = futures_util::join!(data_keys::of_case(conn, case), standing);
    Ok(Some(standing?).zip(key?))
}
