//! The rows that say what is due when, to whom it applies, and to whom a missed one climbs.
//!
//! Belongs here: choosing the rules of a matter. Does not belong here: computing the moment; see
//! [`super::calendar`].

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::calendar::Calendar;
use super::sections::{BasisKind, Worded};

/// What happened, so that a clock starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PolicyEvent)]
pub enum Event {
    /// The mission received a complaint: the moment its channel says.
    ClockStart,
    /// A device recorded a complaint.
    Captured,
    /// The server stored a complaint.
    Received,
    /// The complainant was told that it arrived.
    Acknowledged,
    /// The complainant or victim was last in contact.
    LastContact,
    /// Triage was decided.
    TriageDecided,
    /// A case was opened.
    CaseOpened,
    /// A State was told.
    NoticeSent,
    /// A State answered.
    StateAnswered,
    /// An investigation report was submitted.
    ReportSubmitted,
    /// The panel decided.
    Determined,
    /// The complainant was told the outcome.
    OutcomeTold,
    /// A review was asked for.
    ReviewRequested,
    /// An interim measure was ordered.
    MeasureOrdered,
    /// Retaliation was reported.
    RetaliationReported,
    /// A victim was first in contact.
    VictimContact,
    /// A child came into the mission's custody.
    CustodyContact,
}

/// What a deadline's amount counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PolicyUnit)]
pub enum Unit {
    /// Hours, exactly.
    Hours,
    /// Calendar days: the same local time, so many days later.
    Days,
    /// Working days: the end of the last of them, the day of the event not counted.
    WorkingDays,
    /// Calendar months: the same local day and time, or the month's last day.
    Months,
    /// The end of the day after the event. The amount is 1.
    EndOfNextDay,
}

impl Unit {
    /// The largest amount that is not a slip of the pen: about ten years.
    pub(super) const fn largest(self) -> u32 {
        match self {
            Self::Hours => 8784,
            Self::Days => 3660,
            Self::WorkingDays => 1300,
            Self::Months => 120,
            Self::EndOfNextDay => 1,
        }
    }

    /// Tenths of an hour that one of it takes on average, to tell which of two rules is the tighter.
    const fn weight(self) -> u64 {
        match self {
            Self::Hours => 10,
            Self::Days => 240,
            Self::WorkingDays => 336,
            Self::Months => 7305,
            Self::EndOfNextDay => 360,
        }
    }
}

/// Who must keep a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PolicyOwedBy)]
pub enum OwedBy {
    /// The mission.
    Mission,
    /// The contributing State.
    State,
    /// The complainant: a right that lapses, never a failure.
    Complainant,
}

/// What is due when.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyDeadlineRule)]
pub struct DeadlineRule {
    /// The number officers know it by, such as `D1`. Rows with the same code share it.
    pub code: String,
    /// What is due. Of several rows with one name that apply, the tightest counts.
    pub name: String,
    /// What officers read.
    pub title: String,
    /// What starts it.
    pub starts_at: Event,
    /// How many.
    pub amount: u32,
    /// Of what.
    pub unit: Unit,
    /// The categories it applies to; empty means every one.
    #[serde(default)]
    pub categories: Vec<String>,
    /// The marks of which the matter must have one; empty means that none is needed.
    #[serde(default)]
    pub flags: Vec<String>,
    /// The priorities it applies to; empty means every one.
    #[serde(default)]
    pub priorities: Vec<String>,
    /// Who must keep it.
    pub owed_by: OwedBy,
    /// It may be paused, with a reason.
    pub pausable: bool,
    /// The complainant is told the date.
    pub tells_reporter: bool,
    /// It climbs the ladder when it nears and passes.
    pub escalates: bool,
    /// Who says so.
    pub basis: String,
    /// How firmly that stands.
    pub basis_kind: BasisKind,
}

/// What deadline rules ask about a matter.
#[derive(Debug, Clone, Copy)]
pub struct Matter<'a> {
    /// Its category.
    pub category: &'a str,
    /// Its marks.
    pub flags: &'a [&'a str],
    /// Its priority.
    pub priority: &'a str,
}

impl DeadlineRule {
    /// Whether it applies to a matter.
    pub fn applies(&self, matter: &Matter<'_>) -> bool {
        let named = |list: &[String], word: &str| list.is_empty() || list.iter().any(|one| one == word);
        named(&self.categories, matter.category)
            && named(&self.priorities, matter.priority)
            && (self.flags.is_empty() || matter.flags.iter().any(|flag| self.flags.iter().any(|f| f == flag)))
    }

    /// When it is due, if it starts at `start`.
    pub fn due(&self, calendar: &Calendar, start: DateTime<Utc>) -> DateTime<Utc> {
        calendar.due(start, self.amount, self.unit)
    }

    /// How long it is, roughly; only to compare two rules.
    pub(super) fn length(&self) -> u64 {
        u64::from(self.amount) * self.unit.weight()
    }
}

/// Of the rules that start at an event and apply to a matter, the tightest of each name, in file order.
pub(super) fn choose<'a>(
    rules: &'a [DeadlineRule],
    event: Event,
    matter: &Matter<'_>,
) -> Vec<&'a DeadlineRule> {
    let mut chosen: Vec<&DeadlineRule> = Vec::new();
    for rule in rules.iter().filter(|rule| rule.starts_at == event && rule.applies(matter)) {
        match chosen.iter_mut().find(|other| other.name == rule.name) {
            Some(other) if rule.length() < other.length() => *other = rule,
            Some(_) => {}
            None => chosen.push(rule),
        }
    }
    chosen
}

/// Who hears of a deadline that nears or passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PolicyBody)]
pub enum Body {
    /// Whoever owns the matter.
    Owner,
    /// The head of the complaint mechanism.
    HeadOfMechanism,
    /// The Steering Committee.
    SteeringCommittee,
    /// The United Nations human rights office.
    Ohchr,
}

/// One step of the ladder that a deadline climbs.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyEscalationStep)]
pub struct EscalationStep {
    /// The word on the wire and in the database.
    pub word: String,
    /// What officers read.
    pub title: String,
    /// How much of the time has gone, in percent, 1 to 100.
    pub at_percent: u32,
    /// With 100 percent: so many working days later.
    #[serde(default)]
    pub after_working_days: u32,
    /// Who hears of it.
    pub body: Body,
    /// The role that the alarm goes to; absent for the owner.
    pub role: Option<String>,
    /// Only matters of these lanes take it; empty means every one.
    #[serde(default)]
    pub lanes: Vec<String>,
    /// Who says so.
    pub basis: String,
    /// How firmly that stands.
    pub basis_kind: BasisKind,
}

impl EscalationStep {
    /// When the alarm is raised for a deadline that runs from `start` to `due`.
    pub fn moment(&self, calendar: &Calendar, start: DateTime<Utc>, due: DateTime<Utc>) -> DateTime<Utc> {
        if self.after_working_days > 0 {
            // The due moment of working days is a midnight, which already belongs to the next day.
            let last = due.checked_sub_signed(TimeDelta::seconds(1)).unwrap_or(due);
            return calendar.due(last, self.after_working_days, Unit::WorkingDays).max(due);
        }
        calendar.fraction(start, due, self.at_percent)
    }
}

impl Worded for EscalationStep {
    fn word(&self) -> &str {
        &self.word
    }
    fn title(&self) -> &str {
        &self.title
    }
}
