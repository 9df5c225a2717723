//! SQL of what a change of the roster means for the matters there are, and of how far that was seen to.

use diesel::prelude::*;
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::db::Tx;
use crate::db::statement::{Bare, Fixed, Text};
use crate::error::Result;
use crate::values::{MatterId, UnitId};

struct RememberRoster;
impl Text for RememberRoster {
    const GIVEN: &'static str = "marks, units, at";
    const SQL: &'static str =
        " insert into matchings (marks, units, made_at) select given.marks, given.units, given.at from given";
    type Row = ();
}

pub(super) async fn remember_roster(tx: &mut Tx, marks: &[[u8; 32]], units: &[UnitId]) -> Result<()> {
    let marks: Vec<&[u8]> = marks.iter().map(<[u8; 32]>::as_slice).collect();
    let binds = (
        marks.into_sql::<sql::Array<sql::Binary>>(),
        units.into_sql::<sql::Array<sql::Uuid>>(),
        tx.now().into_sql::<sql::Timestamptz>(),
    );
    tx.ask(async |mut conn| Fixed::with(RememberRoster, binds).execute(&mut conn).await).await.map(|_| ())
}

struct RosterChanges;
impl Text for RosterChanges {
    const GIVEN: &'static str = "";
    const SQL: &'static str = "select m.id from matchings m where m.matter_id is null and m.done_at is null order by m.made_at, m.id limit 200";
    type Row = sql::Uuid;
}

/// Changes of the roster that are to be followed.
pub(super) async fn roster_changes(mut conn: &AsyncPgConnection) -> QueryResult<Vec<Uuid>> {
    Bare::new(RosterChanges).load(&mut conn).await
}

struct MattersBehind;
impl Text for MattersBehind {
    const GIVEN: &'static str = "change";
    const SQL: &'static str = " select b.* from given, matters_behind(given.change) as b";
    type Row = sql::Uuid;
}

pub(super) async fn matters_behind(mut conn: &AsyncPgConnection, change: Uuid) -> QueryResult<Vec<MatterId>> {
    Fixed::with(MattersBehind, (change.into_sql::<sql::Uuid>(),)).load(&mut conn).await
}

struct EndRosterChange;
impl Text for EndRosterChange {
    const GIVEN: &'static str = "change, at";
    const SQL: &'static str = " update matchings m set done_at = given.at from given where m.id = given.change and m.done_at is null";
    type Row = ();
}

/// Whether it was not ended before.
pub(super) async fn end_roster_change(tx: &mut Tx, change: Uuid) -> Result<bool> {
    let binds = (change.into_sql::<sql::Uuid>(), tx.now().into_sql::<sql::Timestamptz>());
    let ended = tx.ask(async |mut conn| Fixed::with(EndRosterChange, binds).execute(&mut conn).await).await?;
    Ok(ended == 1)
}
