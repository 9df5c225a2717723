//! Two persons share a name, or the roster puts somebody near a subject who is not: a wall that was put up for less than a service
//! number is lifted by two officers, and stays on record.

use chrono::{DateTime, Utc};

use super::{Case, liftings_store as store, lock};
use crate::audit::{Event, What};
use crate::auth::Role;
use crate::auth::policy::Action;
use crate::db::Tx;
use crate::error::{Error, Kind, Result};
use crate::personnel;
use crate::values::{CaseId, Reason, UserId};
use crate::vault::Place;

/// Somebody is to know again of a matter that was hidden from them for their name, or for what the roster says of them.
#[derive(Debug, Clone, diesel::Queryable, diesel::Selectable)]
#[diesel(table_name = crate::db::schema::wall_liftings, check_for_backend(diesel::pg::Pg))]
pub struct Lifting {
    /// Its id.
    pub id: uuid::Uuid,
    /// Who is not the one who is named.
    pub user_id: UserId,
    /// Who says so.
    pub proposed_by: UserId,
    /// When they said so.
    pub proposed_at: DateTime<Utc>,
    /// The second officer, once they confirmed it.
    pub confirmed_by: Option<UserId>,
    /// When they confirmed it.
    pub confirmed_at: Option<DateTime<Utc>>,
}

/// Says that the account is not the person who is named, or, where another officer said so, confirms it.
pub async fn lift(tx: &mut Tx, id: CaseId, user: UserId, reason: &Reason) -> Result<Lifting> {
    let case = lock(tx, id).await?;
    tx.allow(Action::LiftWall)?;
    let by = tx.actor().user().ok_or_else(Error::forbidden)?;
    if !store::may_be_judged(tx, case.matter_id, user).await? {
        if !store::any_wall(tx, case.matter_id, user).await? {
            return Err(Error::not_found());
        }
        return Err(Error::new(
            Kind::WrongMoment,
            "this wall rests on a service number, or somebody put it up; it is not lifted",
        ));
    }
    if !personnel::may_be_lifted(tx, user, id).await? {
        return Err(Error::new(
            Kind::WrongMoment,
            "a service number is the same by now; the wall is not lifted",
        ));
    }
    match store::open(tx, case.matter_id, user).await? {
        None => propose(tx, &case, user, by, reason).await,
        Some(lifting) if lifting.confirmed_at.is_some() => {
            Err(Error::new(Kind::Exists, "this wall was lifted already"))
        }
        Some(lifting) => confirm(tx, &case, &lifting, by, reason).await,
    }
}

async fn propose(tx: &mut Tx, case: &Case, user: UserId, by: UserId, reason: &Reason) -> Result<Lifting> {
    let proposes = tx.actor().officer().is_some_and(|officer| officer.roles.has(Role::OhchrMonitor));
    if !proposes {
        return Err(Error::new(Kind::Forbidden, "an OHCHR monitor has to propose it first"));
    }
    let id = uuid::Uuid::now_v7();
    let key = tx.data_key(case.matter_id.uuid()).await?;
    let sealed = key.seal(Place::new("wall_liftings", "reason", id), reason.as_str().as_bytes())?;
    let lifting = store::insert(tx, id, case.matter_id, user, by, &sealed).await?;
    tx.record(Event::case(What::LiftingProposed, case.id, case.matter_id).with("user", user.uuid()));
    Ok(lifting)
}

async fn confirm(
    tx: &mut Tx,
    case: &Case,
    lifting: &Lifting,
    by: UserId,
    reason: &Reason,
) -> Result<Lifting> {
    if lifting.proposed_by == by {
        return Err(Error::new(
            Kind::Forbidden,
            "another officer than the one who proposed it has to confirm it",
        ));
    }
    let key = tx.data_key(case.matter_id.uuid()).await?;
    let place = Place::new("wall_liftings", "confirm_reason", lifting.id);
    let sealed = key.seal(place, reason.as_str().as_bytes())?;
    let lifted = store::confirm(tx, lifting.id, by, &sealed).await?;
    tx.record(
        Event::case(What::LiftingConfirmed, case.id, case.matter_id).with("user", lifting.user_id.uuid()),
    );
    Ok(lifted)
}
