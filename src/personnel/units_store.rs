//! SQL of units.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::store::explain;
use super::units::{NewUnit, Unit, UnitChange};
use crate::db::Tx;
use crate::db::schema::units;
use crate::db::statement::{Fixed, Text};
use crate::error::Result;
use crate::values::{Line, UnitId};

pub(super) async fn insert(tx: &mut Tx, id: UnitId, new: &NewUnit) -> Result<Unit> {
    let row = (
        units::id.eq(id),
        units::name.eq(new.name.as_str()),
        units::country.eq(&new.country),
        units::parent_id.eq(new.parent_id),
        units::commander_id.eq(new.commander_id),
        units::created_at.eq(tx.now()),
    );
    tx.ask_for(
        async |mut conn| {
            diesel::insert_into(units::table)
                .values(row)
                .returning(Unit::as_returning())
                .get_result(&mut conn)
                .await
        },
        explain,
    )
    .await
}

struct MayBelong;
impl Text for MayBelong {
    const GIVEN: &'static str = "unit, parent";
    const SQL: &'static str = " select unit_may_belong(given.unit, given.parent) from given";
    type Row = sql::Bool;
}

/// Whether a unit may belong to another.
pub(super) async fn may_belong(tx: &mut Tx, unit: UnitId, parent: UnitId) -> Result<bool> {
    let binds = (unit.into_sql::<sql::Uuid>(), parent.into_sql::<sql::Uuid>());
    tx.ask(async |mut conn| Fixed::with(MayBelong, binds).get_result(&mut conn).await).await
}

pub(super) async fn change(tx: &mut Tx, id: UnitId, before: &Unit, wanted: &UnitChange) -> Result<Unit> {
    let name = wanted.name.as_ref().map_or(before.name.as_str(), Line::as_str);
    let country = wanted.country.as_ref().unwrap_or(&before.country);
    let set = (
        units::name.eq(name),
        units::country.eq(country),
        units::parent_id.eq(wanted.parent_id.unwrap_or(before.parent_id)),
        units::commander_id.eq(wanted.commander_id.unwrap_or(before.commander_id)),
        units::version.eq(units::version + 1),
    );
    tx.ask_for(
        async |mut conn| {
            diesel::update(units::table.find(id))
                .set(set)
                .returning(Unit::as_returning())
                .get_result(&mut conn)
                .await
        },
        explain,
    )
    .await
}

pub(super) async fn lock(tx: &mut Tx, id: UnitId) -> Result<Option<Unit>> {
    tx.ask(async |mut conn| {
        units::table.find(id).for_update().select(Unit::as_select()).first(&mut conn).await.optional()
    })
    .await
}

/// Units, newest first, after the one at `after`.
pub(super) async fn list(
    mut conn: &AsyncPgConnection,
    country: Option<&str>,
    parent: Option<UnitId>,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> QueryResult<Vec<Unit>> {
    let mut query = units::table.into_boxed();
    if let Some(country) = country {
        query = query.filter(units::country.eq(country));
    }
    if let Some(parent) = parent {
        query = query.filter(units::parent_id.eq(parent));
    }
    if let Some((at, id)) = after {
        query = query.filter(
            units::created_at.lt(at).or(units::created_at.eq(at).and(units::id.lt(UnitId::from(id)))),
        );
    }
    query
        .order((units::created_at.desc(), units::id.desc()))
        .limit(rows)
        .select(Unit::as_select())
        .load(&mut conn)
        .await
}
