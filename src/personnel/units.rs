//! Units and what they belong to: the chain of command.

use chrono::{DateTime, Utc};

use super::{Mark, MarkKind, routing, store, unit_mark, units_store};
use crate::audit::{Event, What};
use crate::auth::policy::Action;
use crate::db::Tx;
use crate::error::{Error, Kind, Result};
use crate::values::{Line, PersonId, UnitId};
use crate::vault::DataKey;

/// A unit.
#[derive(Debug, Clone, diesel::Queryable, diesel::Selectable)]
#[diesel(table_name = crate::db::schema::units, check_for_backend(diesel::pg::Pg))]
pub struct Unit {
    /// Its id.
    pub id: UnitId,
    /// What it is called.
    pub name: String,
    /// Whose it is.
    pub country: Option<String>,
    /// What it belongs to.
    pub parent_id: Option<UnitId>,
    /// Who commands it.
    pub commander_id: Option<PersonId>,
    /// When it was entered.
    pub created_at: DateTime<Utc>,
    /// Counts its changes.
    pub version: i32,
}

/// A unit that is to be entered.
#[derive(Debug, Clone)]
pub struct NewUnit {
    /// What it is called.
    pub name: Line,
    /// Whose it is.
    pub country: Option<String>,
    /// What it belongs to.
    pub parent_id: Option<UnitId>,
    /// Who commands it.
    pub commander_id: Option<PersonId>,
}

/// What may be changed of a unit; the inner `None` takes it away.
#[derive(Debug, Clone, Default)]
pub struct UnitChange {
    /// Another name.
    pub name: Option<Line>,
    /// Another country.
    pub country: Option<Option<String>>,
    /// Another unit that it belongs to.
    pub parent_id: Option<Option<UnitId>>,
    /// Another commander.
    pub commander_id: Option<Option<PersonId>>,
}

fn mark(register: &DataKey, name: &Line) -> Result<Mark> {
    let mark = unit_mark(register, name.as_str())
        .ok_or_else(|| Error::fault("/name", "must hold a letter or a digit"))?;
    Ok(Mark { kind: MarkKind::Unit, mark })
}

/// Enters a unit.
pub(super) async fn add(tx: &mut Tx, register: &DataKey, new: &NewUnit) -> Result<Unit> {
    tx.allow(Action::KeepRoster)?;
    let mark = mark(register, &new.name)?;
    store::hold_roster(tx).await?;
    let unit = units_store::insert(tx, UnitId::new(), new).await?;
    tx.record(Event::of(What::UnitAdded, "unit", unit.id.uuid()));
    store::mark_unit(tx, unit.id, mark).await?;
    routing::remember_roster(tx, &[mark.mark], &[unit.id]).await?;
    Ok(unit)
}

/// Changes a unit. Nothing ever belongs to itself, by however many steps.
pub(super) async fn change(
    tx: &mut Tx,
    register: &DataKey,
    id: UnitId,
    seen: i32,
    wanted: &UnitChange,
) -> Result<Unit> {
    let before = units_store::lock(tx, id).await?.ok_or_else(Error::not_found)?;
    tx.allow(Action::KeepRoster)?;
    if seen != before.version {
        return Err(Error::new(Kind::Stale, "it was changed since you read it"));
    }
    let mark = wanted.name.as_ref().map(|name| mark(register, name)).transpose()?;
    store::hold_roster(tx).await?;
    if let Some(Some(parent)) = wanted.parent_id
        && !units_store::may_belong(tx, id, parent).await?
    {
        return Err(Error::fault("/parent_id", "belongs to this unit, or is this unit"));
    }
    let unit = units_store::change(tx, id, &before, wanted).await?;
    tx.record(Event::of(What::UnitChanged, "unit", id.uuid()));
    if let Some(mark) = mark {
        store::mark_unit(tx, id, mark).await?;
    }
    let marks: Vec<[u8; 32]> = mark.iter().map(|mark| mark.mark).collect();
    routing::remember_roster(tx, &marks, &[id]).await?;
    Ok(unit)
}
