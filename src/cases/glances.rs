//! A glance: in an emergency an officer reads a case that is not theirs to see, for four hours, if a second officer agrees.
//!
//! Whoever asks hears the same whether there is such a case, whether they could see it, and whether it is walled from them. A
//! glance opens reading alone, never what a wall hides, and ends by itself.

use chrono::{DateTime, TimeDelta, Utc};

use super::glances_store as store;
use crate::audit::{Event, What};
use crate::auth::policy::{self, Action};
use crate::db::{Caller, Tx};
use crate::error::{Error, Kind, Result};
use crate::temwen::Temwen;
use crate::users::seen_is_current;
use crate::values::{CaseId, GlanceId, MatterId, Reason, UserId};
use crate::vault::{DataKey, Place};

/// How long a glance lasts.
const LASTS: TimeDelta = TimeDelta::hours(4);
/// How long a wish waits: an emergency is over then, and who still needs the case asks again.
const WAITS: TimeDelta = TimeDelta::hours(24);

/// The case that is wanted: whoever asks may know its number alone.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// By its id.
    Id(CaseId),
    /// By its number.
    Number(String),
}

impl Wanted {
    /// An id or a number.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if let Ok(id) = uuid::Uuid::try_parse(text) {
            return Ok(Self::Id(id.into()));
        }
        let plain = |c: char| c.is_ascii_digit() || c.is_ascii_uppercase() || c == '-';
        if (12..=40).contains(&text.len()) && text.contains('-') && text.chars().all(plain) {
            Ok(Self::Number(text.to_owned()))
        } else {
            Err("must be the id or the number of a case")
        }
    }
}

/// A wish to read a case, as stored.
#[derive(Debug, Clone, diesel::Queryable, diesel::Selectable)]
#[diesel(table_name = crate::db::schema::glances, check_for_backend(diesel::pg::Pg))]
pub struct Sealed {
    /// Its id.
    pub id: GlanceId,
    /// Who asks.
    pub user_id: UserId,
    /// For which case.
    pub case_id: Option<CaseId>,
    /// Of which matter.
    pub matter_id: Option<MatterId>,
    /// Why, sealed.
    pub reason: Vec<u8>,
    /// When.
    pub asked_at: DateTime<Utc>,
    /// The second officer.
    pub decided_by: Option<UserId>,
    /// When they decided.
    pub decided_at: Option<DateTime<Utc>>,
    /// Whether they agreed.
    pub approved: Option<bool>,
    /// Why, sealed.
    pub decision_reason: Option<Vec<u8>>,
    /// Until when it lasts.
    pub ends_at: Option<DateTime<Utc>>,
    /// Counts its changes.
    pub version: i32,
}

/// A wish to read a case, with its reasons.
#[derive(Debug, Clone)]
pub struct Glance {
    /// What is stored in the clear.
    pub kept: Sealed,
    /// Why.
    pub reason: String,
    /// Why it was decided so.
    pub decision_reason: Option<String>,
}

fn place(column: &'static str, id: GlanceId) -> Place {
    Place::new("glances", column, id.uuid())
}

impl Sealed {
    fn open(self, register: &DataKey) -> Result<Glance> {
        let reason = register.open_text(place("reason", self.id), &self.reason)?;
        let at = place("decision_reason", self.id);
        let decided =
            self.decision_reason.as_deref().map(|sealed| register.open_text(at, sealed)).transpose()?;
        Ok(Glance { kept: self, reason, decision_reason: decided })
    }
}

/// Asks to read a case. The same is done, and answered, whatever there is.
pub async fn ask(tx: &mut Tx, register: &DataKey, wanted: &Wanted, reason: &Reason) -> Result<GlanceId> {
    tx.allow(Action::AskToGlance)?;
    let id = GlanceId::new();
    let sealed = register.seal(place("reason", id), reason.as_str().as_bytes())?;
    let matter = store::ask(tx, id, wanted, &sealed).await?;
    // Whoever checks the record hears of it; whoever asked hears nothing from it.
    tx.record(Event::of(What::GlanceAsked, "glance", id.uuid()).within(matter));
    Ok(id)
}

/// Who asked, in matters that the caller may know of; the oldest first.
pub async fn read(
    temwen: &Temwen,
    caller: &Caller,
    waiting: Option<bool>,
    after: Option<(DateTime<Utc>, uuid::Uuid)>,
    rows: i64,
) -> Result<Vec<Glance>> {
    if !policy::allows(&caller.actor, Action::DecideGlance) {
        return Err(Error::forbidden());
    }
    let event = Event::register(What::GlancesRead);
    let list = async |conn: &_| store::list(conn, waiting, after, rows).await.map(Some);
    let found = temwen.db.read_recorded(caller, "glances.read", event, list).await?.unwrap_or_default();
    found.into_iter().map(|glance| glance.open(&temwen.register)).collect()
}

/// What a second officer says to a wish.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Whether they agree.
    pub approve: bool,
    /// Why.
    pub reason: Reason,
}

/// Lets somebody read a case for four hours, or not. Never decided by whoever asks.
pub async fn decide(
    tx: &mut Tx,
    register: &DataKey,
    id: GlanceId,
    seen: i32,
    decision: &Decision,
) -> Result<Glance> {
    let glance = store::find(tx, id).await?.ok_or_else(Error::not_found)?;
    tx.allow(Action::DecideGlance)?;
    let by = tx.actor().user().ok_or_else(Error::forbidden)?;
    if glance.user_id == by {
        return Err(Error::new(Kind::Forbidden, "a second officer decides, not whoever asks"));
    }
    // Whoever sees the case by a glance of their own lets nobody else in.
    let glance = store::lock(tx, id).await?.ok_or_else(Error::forbidden)?;
    seen_is_current(seen, glance.version)?;
    if glance.decided_at.is_some() {
        return Err(Error::new(Kind::WrongMoment, "this was decided already"));
    }
    if decision.approve && tx.now() > glance.asked_at + WAITS {
        return Err(Error::new(
            Kind::WrongMoment,
            "this was asked more than a day ago; it has to be asked again",
        ));
    }
    let sealed = register.seal(place("decision_reason", id), decision.reason.as_str().as_bytes())?;
    let ends = decision.approve.then_some(tx.now() + LASTS);
    let decided = store::decide(tx, id, by, decision.approve, &sealed, ends).await?;
    let what = if decision.approve { What::GlanceAllowed } else { What::GlanceRefused };
    tx.record(
        Event::of(what, "glance", id.uuid())
            .within(glance.matter_id)
            .with("user", glance.user_id.uuid())
            .with_some("until", ends),
    );
    decided.open(register)
}
