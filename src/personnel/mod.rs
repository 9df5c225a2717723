//! Who serves where: the roster of persons and units, and what tells that somebody named in a complaint is one of them.
//!
//! Belongs here: persons, units, the chain of command, the marks by which they and the accounts are known again, and the walls and
//! the routing that follow. Does not belong here: accounts themselves, and what is said about anybody.
//! May touch: its own stores and [`Tx`].

mod following_store;
pub(crate) mod http;
mod marks;
mod routing;
mod store;
mod units;
mod units_http;
mod units_store;

use chrono::{DateTime, Utc};

use crate::audit::{Event, What};
use crate::auth::policy::Action;
use crate::db::Tx;
use crate::error::{Error, Kind, Result};
use crate::values::{Line, PersonId, UnitId, UserId, text_enum};
use crate::vault::{DataKey, Place};

pub use self::marks::{Mark, MarkKind, marks, marks_of_known, marks_of_person, unit_mark};
pub use self::routing::{
    Routing, follow_matter, follow_roster, follow_up, follows, match_parties, reroute, see_to_roster,
};
pub use self::store::{is_walled, may_be_lifted, put_up_walls, signer_is_left};
pub use self::units::{NewUnit, Unit, UnitChange};

text_enum! {
    /// An office of the leadership. What is said about whoever has one is dealt with outside the mission.
    Leadership {
        /// Commands the force.
        ForceCommander = "force_commander",
        /// Their deputy.
        Deputy = "deputy",
        /// Leads the legal team.
        LegalHead = "legal_head",
        /// Leads the community engagement team.
        EngagementHead = "engagement_head",
        /// Sits on the steering committee.
        SteeringMember = "steering_member",
        /// None of these.
        None = "none",
    }
}

/// A person of the roster, as stored.
#[derive(Debug, Clone, diesel::Queryable, diesel::Selectable)]
#[diesel(table_name = crate::db::schema::personnel, check_for_backend(diesel::pg::Pg))]
pub struct Sealed {
    /// Its id.
    pub id: PersonId,
    /// The name, sealed.
    pub name: Vec<u8>,
    /// The service number, sealed.
    pub service_number: Option<Vec<u8>>,
    /// Where they serve.
    pub unit_id: Option<UnitId>,
    /// As what.
    pub rank: Option<String>,
    /// For which contributing country.
    pub country: Option<String>,
    /// The account that is theirs.
    pub user_id: Option<UserId>,
    /// Their office.
    pub leadership: Leadership,
    /// Since when they no longer serve.
    pub left_at: Option<DateTime<Utc>>,
    /// When they were entered.
    pub created_at: DateTime<Utc>,
    /// Counts the changes.
    pub version: i32,
}

/// A person of the roster.
#[derive(Debug, Clone)]
pub struct Person {
    /// What is stored in the clear.
    pub kept: Sealed,
    /// The name.
    pub name: String,
    /// The service number.
    pub service_number: Option<String>,
}

const TABLE: &str = "personnel";

impl Sealed {
    /// With the name and the number that only the register's key opens.
    pub fn open(self, register: &DataKey) -> Result<Person> {
        let name = register.open_text(Place::new(TABLE, "name", self.id.uuid()), &self.name)?;
        let at = Place::new(TABLE, "service_number", self.id.uuid());
        let number =
            self.service_number.as_deref().map(|sealed| register.open_text(at, sealed)).transpose()?;
        Ok(Person { kept: self, name, service_number: number })
    }
}

/// What is known of a person: every part has been checked.
#[derive(Debug, Clone)]
pub struct Known {
    /// The name.
    pub name: Line,
    /// The service number.
    pub service_number: Option<Line>,
    /// Where they serve.
    pub unit_id: Option<UnitId>,
    /// As what.
    pub rank: Option<Line>,
    /// For which contributing country.
    pub country: Option<String>,
    /// The account that is theirs.
    pub user_id: Option<UserId>,
    /// Their office.
    pub leadership: Leadership,
}

/// What may be changed of a person; the inner `None` takes it away.
#[derive(Debug, Clone, Default)]
pub struct PersonChange {
    /// Another name.
    pub name: Option<Line>,
    /// Another service number.
    pub service_number: Option<Option<Line>>,
    /// Another unit.
    pub unit_id: Option<Option<UnitId>>,
    /// Another rank.
    pub rank: Option<Option<Line>>,
    /// Another country.
    pub country: Option<Option<String>>,
    /// Another account.
    pub user_id: Option<Option<UserId>>,
    /// Another office.
    pub leadership: Option<Leadership>,
    /// Whether they left (`true`), or came back.
    pub left: Option<bool>,
}

/// The names and the number of a person, sealed, with the mark of the number.
pub(super) struct Secrets {
    pub(super) name: Vec<u8>,
    pub(super) number: Option<Vec<u8>>,
    pub(super) number_mark: Option<[u8; 32]>,
}

impl Known {
    fn marks(&self, register: &DataKey) -> Vec<Mark> {
        marks_of_known(register, self.name.as_str(), self.service_number.as_ref().map(Line::as_str))
    }

    fn sealed(&self, register: &DataKey, id: PersonId) -> Result<Secrets> {
        let number = self.service_number.as_ref().map(Line::as_str);
        let mark = marks_of_person(register, None, number).pop().map(|mark| mark.mark);
        if number.is_some() && mark.is_none() {
            return Err(Error::fault("/service_number", "must hold a letter or a digit"));
        }
        let seal = |column, text: &str| register.seal(Place::new(TABLE, column, id.uuid()), text.as_bytes());
        Ok(Secrets {
            name: seal("name", self.name.as_str())?,
            number: number.map(|number| seal("service_number", number)).transpose()?,
            number_mark: mark,
        })
    }
}

/// Enters a person. Whatever matter names them is hidden from their account, and from those near a subject, once
/// [`follow_roster`] was called after the commit.
pub async fn add(tx: &mut Tx, register: &DataKey, known: &Known) -> Result<Person> {
    tx.allow(Action::KeepRoster)?;
    store::hold_roster(tx).await?;
    let id = PersonId::new();
    let person = store::insert(tx, id, known, &known.sealed(register, id)?).await?;
    tx.record(
        Event::of(What::PersonAdded, "person", id.uuid()).with("leadership", known.leadership.as_str()),
    );
    let marks = known.marks(register);
    store::mark_person(tx, id, &marks).await?;
    follow(tx, &person, marks, None).await?;
    person.open(register)
}

/// Changes what is known of a person; what it means for the matters there are takes effect with [`follow_roster`].
pub async fn change(
    tx: &mut Tx,
    register: &DataKey,
    id: PersonId,
    seen: i32,
    wanted: &PersonChange,
) -> Result<Person> {
    let before = store::lock(tx, id).await?.ok_or_else(Error::not_found)?;
    tx.allow(Action::KeepRoster)?;
    if seen != before.version {
        return Err(Error::new(Kind::Stale, "it was changed since you read it"));
    }
    store::hold_roster(tx).await?;
    let was = before.clone().open(register)?;
    let line = |text: &str| Line::parse(text).map_err(Error::internal);
    let same = |text: Option<&String>| text.map(|text| line(text)).transpose();
    let wanted = wanted.clone();
    let known = Known {
        name: match wanted.name {
            Some(name) => name,
            None => line(&was.name)?,
        },
        service_number: match wanted.service_number {
            Some(number) => number,
            None => same(was.service_number.as_ref())?,
        },
        unit_id: wanted.unit_id.unwrap_or(before.unit_id),
        rank: match wanted.rank {
            Some(rank) => rank,
            None => same(before.rank.as_ref())?,
        },
        country: wanted.country.unwrap_or_else(|| before.country.clone()),
        user_id: wanted.user_id.unwrap_or(before.user_id),
        leadership: wanted.leadership.unwrap_or(before.leadership),
    };
    let left_at = match wanted.left {
        Some(true) => Some(before.left_at.unwrap_or(tx.now())),
        Some(false) => None,
        None => before.left_at,
    };
    let person = store::change(tx, id, &known, &known.sealed(register, id)?, left_at).await?;
    tx.record(
        Event::of(What::PersonChanged, "person", id.uuid())
            .with("leadership", known.leadership.as_str())
            .with("left", left_at.is_some()),
    );
    let marks = known.marks(register);
    store::mark_person(tx, id, &marks).await?;
    follow(tx, &person, marks, before.unit_id).await?;
    person.open(register)
}

/// What a person's entry means for the matters there are. The account that was theirs before stays walled: what it knows, it knows.
async fn follow(tx: &mut Tx, person: &Sealed, marks: Vec<Mark>, unit_before: Option<UnitId>) -> Result<()> {
    let mut units = store::commanded_by(tx, person.id).await?;
    units.extend(person.unit_id);
    units.extend(unit_before);
    let mut near: Vec<[u8; 32]> = marks.into_iter().map(|mark| mark.mark).collect();
    near.extend(store::marks_of(tx, person.id, person.user_id).await?);
    routing::remember_roster(tx, &near, &units).await
}

/// Gives an account the marks of its name, and has hidden from it what names it: to be called wherever an account is made or renamed,
/// and [`follow_roster`] after the commit.
pub async fn know_account(tx: &mut Tx, register: &DataKey, user: UserId, name: &str) -> Result<()> {
    store::hold_roster(tx).await?;
    let marks = marks_of_known(register, name, None);
    store::mark_account(tx, user, &marks).await?;
    let near: Vec<[u8; 32]> = marks.into_iter().map(|mark| mark.mark).collect();
    routing::remember_roster(tx, &near, &[]).await
}
