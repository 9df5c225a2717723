//! SQL of persons, of the marks by which they are known again, and of what follows from them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{Known, Leadership, Mark, Routing, Sealed, Secrets};
use crate::db::Tx;
use crate::db::schema::{personnel, roster_marks, units};
use crate::db::statement::{Bare, Fixed, Text};
use crate::error::{Error, Kind, Result};
use crate::values::{CaseId, Line, MatterId, PersonId, UnitId, UserId};

struct PutUpWalls;
impl Text for PutUpWalls {
    const GIVEN: &'static str = "matter, at";
    const SQL: &'static str = " select p.walled, p.outside, p.rerouted, p.without_officer, p.caught_up \
         from given, put_up_walls(given.matter, given.at) p";
    type Row = (sql::Integer, sql::Bool, sql::Bool, sql::Bool, sql::Bool);
}

struct PutUpWallsApart;
impl Text for PutUpWallsApart {
    const GIVEN: &'static str = "matter, at";
    const SQL: &'static str = " select put_up_walls_apart(given.matter, given.at) from given";
    type Row = sql::Bool;
}

/// Puts up the walls that follow from those named in a new complaint, and routes it outside those concerned: one statement, asked in
/// the transaction that registers it, after its parties. [`super::follows`] says what is to be remembered of it.
pub async fn put_up_walls(
    mut conn: &AsyncPgConnection,
    matter: MatterId,
    at: DateTime<Utc>,
) -> QueryResult<()> {
    let binds = (matter.into_sql::<sql::Uuid>(), at.into_sql::<sql::Timestamptz>());
    Fixed::with(PutUpWallsApart, binds).execute(&mut conn).await.map(|_| ())
}

/// The same for a matter that is there: to be asked in the transaction that added or changed a party, after it.
pub(super) async fn match_parties(
    mut conn: &AsyncPgConnection,
    matter: MatterId,
    at: DateTime<Utc>,
) -> QueryResult<Routing> {
    let binds = (matter.into_sql::<sql::Uuid>(), at.into_sql::<sql::Timestamptz>());
    let (walled, outside, rerouted, without_officer, caught_up) =
        Fixed::with(PutUpWalls, binds).get_result(&mut conn).await?;
    Ok(Routing { walled, outside, rerouted, without_officer, caught_up })
}

struct Reroute;
impl Text for Reroute {
    const GIVEN: &'static str = "matter, at";
    const SQL: &'static str =
        " select r.rerouted, r.without_officer from given, reroute(given.matter, given.at) r";
    type Row = (sql::Bool, sql::Bool);
}

pub(super) async fn reroute(tx: &mut Tx, matter: MatterId) -> Result<Routing> {
    let binds = (matter.into_sql::<sql::Uuid>(), tx.now().into_sql::<sql::Timestamptz>());
    let (rerouted, without_officer) =
        tx.ask(async |mut conn| Fixed::with(Reroute, binds).get_result(&mut conn).await).await?;
    Ok(Routing { rerouted, without_officer, ..Routing::default() })
}

struct FollowMatter;
impl Text for FollowMatter {
    const GIVEN: &'static str = "source, target, at";
    const SQL: &'static str =
        " select walls_follow(given.source, given.target, given.at) is not null from given";
    type Row = sql::Bool;
}

pub(super) async fn follow_matter(tx: &mut Tx, from: MatterId, to: MatterId) -> Result<()> {
    let binds =
        (from.into_sql::<sql::Uuid>(), to.into_sql::<sql::Uuid>(), tx.now().into_sql::<sql::Timestamptz>());
    tx.ask(async |mut conn| Fixed::with(FollowMatter, binds).execute(&mut conn).await).await.map(|_| ())
}

struct DesksLeft;
impl Text for DesksLeft {
    const GIVEN: &'static str = "";
    const SQL: &'static str = "select d.* from desks_left() as d";
    type Row = sql::Uuid;
}

pub(super) async fn desks_left(mut conn: &AsyncPgConnection) -> QueryResult<Vec<MatterId>> {
    Bare::new(DesksLeft).load(&mut conn).await
}

struct IsWalled;
impl Text for IsWalled {
    const GIVEN: &'static str = "account, matter";
    const SQL: &'static str = " select walled(given.account, given.matter) from given";
    type Row = sql::Bool;
}

/// Whether a matter is hidden from an account.
pub async fn is_walled(tx: &mut Tx, user: UserId, matter: MatterId) -> Result<bool> {
    let binds = (user.into_sql::<sql::Uuid>(), matter.into_sql::<sql::Uuid>());
    tx.ask(async |mut conn| Fixed::with(IsWalled, binds).get_result(&mut conn).await).await
}

struct SignerIsLeft;
impl Text for SignerIsLeft {
    const GIVEN: &'static str = "matter";
    const SQL: &'static str = " select signer_is_left(given.matter) from given";
    type Row = sql::Bool;
}

/// Whether somebody who may sign for a matter knows of it: an active account of triage, of the PSEA lane or of the OHCHR.
pub async fn signer_is_left(tx: &mut Tx, matter: MatterId) -> Result<bool> {
    let binds = (matter.into_sql::<sql::Uuid>(),);
    tx.ask(async |mut conn| Fixed::with(SignerIsLeft, binds).get_result(&mut conn).await).await
}

struct MayBeLifted;
impl Text for MayBeLifted {
    const GIVEN: &'static str = "account, case_id";
    const SQL: &'static str = " select may_be_lifted(given.account, given.case_id) from given";
    type Row = sql::Bool;
}

/// Whether anything less than a service number, as the parties of a case are known now, hides it from an account.
pub async fn may_be_lifted(tx: &mut Tx, user: UserId, case: CaseId) -> Result<bool> {
    let binds = (user.into_sql::<sql::Uuid>(), case.into_sql::<sql::Uuid>());
    tx.ask(async |mut conn| Fixed::with(MayBeLifted, binds).get_result(&mut conn).await).await
}

struct HoldRoster;
impl Text for HoldRoster {
    const GIVEN: &'static str = "";
    const SQL: &'static str = "select pg_advisory_xact_lock(hashtext('temwen roster')) is not null";
    type Row = sql::Bool;
}

/// Whoever names somebody waits while the roster changes, and the other way round: neither misses the other.
pub(super) async fn hold_roster(tx: &mut Tx) -> Result<()> {
    tx.ask(async |mut conn| Bare::new(HoldRoster).execute(&mut conn).await).await.map(|_| ())
}

struct UnmarkedAccounts;
impl Text for UnmarkedAccounts {
    const GIVEN: &'static str = "";
    const SQL: &'static str = "select u.id, u.name from users u \
         where not exists (select from roster_marks m where m.user_id = u.id) order by u.created_at limit 500";
    type Row = (sql::Uuid, sql::Text);
}

pub(super) async fn unmarked_accounts(mut conn: &AsyncPgConnection) -> QueryResult<Vec<(UserId, String)>> {
    Bare::new(UnmarkedAccounts).load(&mut conn).await
}

struct KeepMarks;
impl Text for KeepMarks {
    const GIVEN: &'static str = "user_id, personnel_id, unit_id, kinds, marks";
    const SQL: &'static str = " insert into roster_marks (user_id, personnel_id, unit_id, kind, mark) \
         select given.user_id, given.personnel_id, given.unit_id, each.kind, each.mark \
         from given, unnest(given.kinds, given.marks) as each (kind, mark) on conflict do nothing";
    type Row = ();
}

async fn keep_marks(
    tx: &mut Tx,
    (user, person, unit): (Option<UserId>, Option<PersonId>, Option<UnitId>),
    marks: &[Mark],
) -> Result<()> {
    let binds = (
        user.into_sql::<sql::Nullable<sql::Uuid>>(),
        person.into_sql::<sql::Nullable<sql::Uuid>>(),
        unit.into_sql::<sql::Nullable<sql::Uuid>>(),
        marks.iter().map(|mark| mark.kind.as_str()).collect::<Vec<_>>().into_sql::<sql::Array<sql::Text>>(),
        marks
            .iter()
            .map(|mark| mark.mark.as_slice())
            .collect::<Vec<_>>()
            .into_sql::<sql::Array<sql::Binary>>(),
    );
    tx.ask(async |mut conn| Fixed::with(KeepMarks, binds).execute(&mut conn).await).await.map(|_| ())
}

pub(super) async fn mark_account(tx: &mut Tx, user: UserId, marks: &[Mark]) -> Result<()> {
    keep_marks(tx, (Some(user), None, None), marks).await
}

pub(super) async fn mark_person(tx: &mut Tx, person: PersonId, marks: &[Mark]) -> Result<()> {
    keep_marks(tx, (None, Some(person), None), marks).await
}

pub(super) async fn mark_unit(tx: &mut Tx, unit: UnitId, mark: Mark) -> Result<()> {
    keep_marks(tx, (None, None, Some(unit)), &[mark]).await
}

/// Every mark that a person has or had, and their account.
pub(super) async fn marks_of(tx: &mut Tx, person: PersonId, user: Option<UserId>) -> Result<Vec<[u8; 32]>> {
    let found: Vec<Vec<u8>> = tx
        .ask(async |mut conn| {
            roster_marks::table
                .filter(roster_marks::personnel_id.eq(person).or(roster_marks::user_id.eq(user)))
                .select(roster_marks::mark)
                .load(&mut conn)
                .await
        })
        .await?;
    Ok(found.into_iter().filter_map(|mark| mark.try_into().ok()).collect())
}

/// The units that somebody commands.
pub(super) async fn commanded_by(tx: &mut Tx, person: PersonId) -> Result<Vec<UnitId>> {
    tx.ask(async |mut conn| {
        units::table.filter(units::commander_id.eq(person)).select(units::id).load(&mut conn).await
    })
    .await
}

/// What a violated rule of the roster means for whoever asked.
pub(super) fn explain(error: DieselError) -> Error {
    let DieselError::DatabaseError(kind, info) = &error else { return crate::db::tx::refused(error) };
    match (kind, info.constraint_name().unwrap_or_default()) {
        (DatabaseErrorKind::UniqueViolation, "personnel_number_key") => {
            Error::new(Kind::Exists, "somebody who serves has this service number already")
        }
        (DatabaseErrorKind::UniqueViolation, "personnel_user_key") => {
            Error::new(Kind::Exists, "this account is another person's already")
        }
        (DatabaseErrorKind::UniqueViolation, "units_name_key") => {
            Error::new(Kind::Exists, "there is a unit of this name already")
        }
        (DatabaseErrorKind::ForeignKeyViolation, "personnel_unit_fkey") => {
            Error::fault("/unit_id", "is not a unit")
        }
        (DatabaseErrorKind::ForeignKeyViolation, "personnel_user_fkey") => {
            Error::fault("/user_id", "is not an account")
        }
        (DatabaseErrorKind::ForeignKeyViolation, "units_parent_fkey") => {
            Error::fault("/parent_id", "is not a unit")
        }
        (DatabaseErrorKind::ForeignKeyViolation, "units_commander_fkey") => {
            Error::fault("/commander_id", "is not a person of the roster")
        }
        _ => crate::db::tx::refused(error),
    }
}

pub(super) async fn insert(tx: &mut Tx, id: PersonId, known: &Known, secrets: &Secrets) -> Result<Sealed> {
    let row = (
        personnel::id.eq(id),
        personnel::name.eq(&secrets.name),
        personnel::service_number.eq(&secrets.number),
        personnel::number_mark.eq(secrets.number_mark.as_ref().map(<[u8; 32]>::as_slice)),
        personnel::unit_id.eq(known.unit_id),
        personnel::rank.eq(known.rank.as_ref().map(Line::as_str)),
        personnel::country.eq(&known.country),
        personnel::user_id.eq(known.user_id),
        personnel::leadership.eq(known.leadership),
        personnel::created_at.eq(tx.now()),
    );
    tx.ask_for(
        async |mut conn| {
            diesel::insert_into(personnel::table)
                .values(row)
                .returning(Sealed::as_returning())
                .get_result(&mut conn)
                .await
        },
        explain,
    )
    .await
}

pub(super) async fn change(
    tx: &mut Tx,
    id: PersonId,
    known: &Known,
    secrets: &Secrets,
    left_at: Option<DateTime<Utc>>,
) -> Result<Sealed> {
    let set = (
        personnel::name.eq(&secrets.name),
        personnel::service_number.eq(&secrets.number),
        personnel::number_mark.eq(secrets.number_mark.as_ref().map(<[u8; 32]>::as_slice)),
        personnel::unit_id.eq(known.unit_id),
        personnel::rank.eq(known.rank.as_ref().map(Line::as_str)),
        personnel::country.eq(&known.country),
        personnel::user_id.eq(known.user_id),
        personnel::leadership.eq(known.leadership),
        personnel::left_at.eq(left_at),
        personnel::version.eq(personnel::version + 1),
    );
    tx.ask_for(
        async |mut conn| {
            diesel::update(personnel::table.find(id))
                .set(set)
                .returning(Sealed::as_returning())
                .get_result(&mut conn)
                .await
        },
        explain,
    )
    .await
}

pub(super) async fn lock(tx: &mut Tx, id: PersonId) -> Result<Option<Sealed>> {
    tx.ask(async |mut conn| {
        personnel::table.find(id).for_update().select(Sealed::as_select()).first(&mut conn).await.optional()
    })
    .await
}

pub(super) async fn read(mut conn: &AsyncPgConnection, id: PersonId) -> QueryResult<Option<Sealed>> {
    personnel::table.find(id).select(Sealed::as_select()).first(&mut conn).await.optional()
}

/// Which persons are wanted.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    pub(super) unit: Option<UnitId>,
    pub(super) country: Option<String>,
    pub(super) leadership: Option<Leadership>,
    pub(super) serving: Option<bool>,
}

/// Persons, newest first, after the one at `after`.
pub(super) async fn list(
    mut conn: &AsyncPgConnection,
    filter: &Filter,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> QueryResult<Vec<Sealed>> {
    let mut query = personnel::table.into_boxed();
    if let Some(unit) = filter.unit {
        query = query.filter(personnel::unit_id.eq(unit));
    }
    if let Some(country) = &filter.country {
        query = query.filter(personnel::country.eq(country));
    }
    if let Some(leadership) = filter.leadership {
        query = query.filter(personnel::leadership.eq(leadership));
    }
    match filter.serving {
        Some(true) => query = query.filter(personnel::left_at.is_null()),
        Some(false) => query = query.filter(personnel::left_at.is_not_null()),
        None => {}
    }
    if let Some((at, id)) = after {
        query = query.filter(
            personnel::created_at
                .lt(at)
                .or(personnel::created_at.eq(at).and(personnel::id.lt(PersonId::from(id)))),
        );
    }
    query
        .order((personnel::created_at.desc(), personnel::id.desc()))
        .limit(rows)
        .select(Sealed::as_select())
        .load(&mut conn)
        .await
}
