//! Clocks: what is due when, what was met, what is overdue and to whom it climbs.
//!
//! Belongs here: starting, meeting, pausing and escalating the time limits of a matter. Which limits there are is data
//! (the policy file); how days are counted is [`crate::coa::Calendar`].
//! May touch: its own store and [`Tx`]. Knows no HTTP, no complaint and no case but by id.

pub(crate) mod http;
mod store;

use chrono::{DateTime, Utc};

use crate::audit::{Event, What};
use crate::auth::policy::Action;
use crate::coa::{DeadlineRule, Event as Start, Matter, OwedBy, Policy};
use crate::db::{Caller, Tx};
use crate::error::{Error, Kind, Result};
use crate::temwen::Temwen;
use crate::users::seen_is_current;
use crate::values::{CaseId, ComplaintId, DeadlineId, MatterId, Reason, UserId};

pub use self::store::{Filter, drop_of_case, due, follow_matter, of_case, start_for_complaint, starting};

/// The limits whose keeping this register can see: it runs no clock that nobody could stop.
const WATCHED: [&str; 6] = ["D1", "D5", "D10", "D11", "D12", "D13"];

/// Names of limits that operations end.
pub mod name {
    /// The reporter is told that the complaint has arrived.
    pub const ACKNOWLEDGEMENT: &str = "acknowledgement";
    /// Triage has decided.
    pub const TRIAGE_DECISION: &str = "triage_decision";
    /// The investigation's report is there.
    pub const INVESTIGATION: &str = "investigation";
    /// The last moment for that report.
    pub const INVESTIGATION_LIMIT: &str = "investigation_limit";
    /// The reporter hears what follows.
    pub const FEEDBACK: &str = "feedback";
}

/// A time limit that runs for a complaint or a case.
#[derive(Debug, Clone, diesel::Queryable, diesel::Selectable)]
#[diesel(table_name = crate::db::schema::deadlines, check_for_backend(diesel::pg::Pg))]
pub struct Deadline {
    /// Its id.
    pub id: DeadlineId,
    /// The matter it belongs to.
    pub matter_id: MatterId,
    /// The complaint it runs for, if it is one of a complaint.
    pub complaint_id: Option<ComplaintId>,
    /// The case it runs for, if it is one of a case.
    pub case_id: Option<CaseId>,
    /// The number officers know it by.
    pub code: String,
    /// What is due.
    pub name: String,
    /// When it began.
    pub starts_at: DateTime<Utc>,
    /// When it is due.
    pub due_at: DateTime<Utc>,
    /// When it was met.
    pub met_at: Option<DateTime<Utc>>,
    /// When it fell away.
    pub cancelled_at: Option<DateTime<Utc>>,
    /// Since when it is paused.
    pub paused_at: Option<DateTime<Utc>>,
    /// Whether it may be paused.
    pub pausable: bool,
    /// How many rungs of the ladder it has climbed.
    pub escalation: i32,
    /// Who was told last.
    pub escalated_to: Option<String>,
    /// When.
    pub escalated_at: Option<DateTime<Utc>>,
    /// Counts its changes.
    pub version: i32,
}

impl Deadline {
    /// Whether it is missed at `now`.
    pub fn is_overdue(&self, now: DateTime<Utc>) -> bool {
        self.met_at.is_none() && self.cancelled_at.is_none() && self.paused_at.is_none() && self.due_at < now
    }
}

/// A limit that is about to run.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Its id.
    pub id: DeadlineId,
    /// The number officers know it by.
    pub code: String,
    /// What is due.
    pub name: String,
    /// When it begins.
    pub starts_at: DateTime<Utc>,
    /// When it is due.
    pub due_at: DateTime<Utc>,
    /// When the first rung of the ladder is due.
    pub next_look_at: Option<DateTime<Utc>>,
    /// Whether the reporter is told the date.
    pub tells_reporter: bool,
    /// Whether it may be paused.
    pub pausable: bool,
}

/// The limits that `event` starts for a matter.
pub fn plan(policy: &Policy, event: Start, matter: &Matter<'_>, start: DateTime<Utc>) -> Vec<Planned> {
    let watched =
        |rule: &&&DeadlineRule| WATCHED.contains(&rule.code.as_str()) && rule.owed_by == OwedBy::Mission;
    policy
        .deadline_rules(event, matter)
        .iter()
        .filter(watched)
        .map(|rule| {
            let due_at = rule.due(policy.calendar(), start);
            let lanes = lanes(policy, matter);
            let first = policy.escalation_steps(&lanes).next().filter(|_| rule.escalates);
            Planned {
                id: DeadlineId::new(),
                code: rule.code.clone(),
                name: rule.name.clone(),
                starts_at: start,
                due_at,
                next_look_at: first.map(|step| step.moment(policy.calendar(), start, due_at)),
                tells_reporter: rule.tells_reporter,
                pausable: rule.pausable,
            }
        })
        .collect()
}

fn lanes(policy: &Policy, matter: &Matter<'_>) -> Vec<&'static str> {
    if policy.in_lane("psea", matter.category, matter.flags.iter().copied()) {
        vec!["psea"]
    } else {
        Vec::new()
    }
}

/// Notes that what was due is done. A limit that does not run is left alone.
pub async fn meet_for_complaint(
    tx: &mut Tx,
    complaint: ComplaintId,
    matter: MatterId,
    name: &str,
) -> Result<()> {
    for id in store::meet(tx, Some(complaint), None, name).await? {
        tx.record(
            Event::complaint(What::DeadlineMet, complaint, matter)
                .with("deadline", id.uuid())
                .with("name", name),
        );
    }
    Ok(())
}

/// The same for a case.
pub async fn meet_for_case(tx: &mut Tx, case: CaseId, matter: MatterId, name: &str) -> Result<()> {
    for id in store::meet(tx, None, Some(case), name).await? {
        tx.record(
            Event::case(What::DeadlineMet, case, matter).with("deadline", id.uuid()).with("name", name),
        );
    }
    Ok(())
}

fn event(what: What, deadline: &Deadline) -> Event {
    let event = match (deadline.case_id, deadline.complaint_id) {
        (Some(case), _) => Event::case(what, case, deadline.matter_id),
        (None, Some(complaint)) => Event::complaint(what, complaint, deadline.matter_id),
        (None, None) => Event::register(what),
    };
    event.with("deadline", deadline.id.uuid()).with("name", deadline.name.as_str())
}

/// Stops a clock for a reason; its author and its ground are kept.
pub async fn pause(tx: &mut Tx, id: DeadlineId, seen: i32, reason: &Reason) -> Result<Deadline> {
    let deadline = running(tx, id, seen).await?;
    if !deadline.pausable {
        return Err(Error::new(Kind::WrongMoment, "the policy does not let this deadline be paused"));
    }
    if deadline.paused_at.is_some() {
        return Err(Error::new(Kind::WrongMoment, "this deadline is paused already"));
    }
    if deadline.is_overdue(tx.now()) {
        return Err(Error::new(
            Kind::WrongMoment,
            "this deadline is missed already; a pause would only hide it",
        ));
    }
    let by = author(tx)?;
    let paused = store::pause(tx, &deadline, by, reason).await?;
    tx.record(event(What::DeadlinePaused, &paused));
    Ok(paused)
}

/// Lets a clock run on: it is due later by as long as it rested.
pub async fn resume(tx: &mut Tx, policy: &Policy, id: DeadlineId, seen: i32) -> Result<Deadline> {
    let deadline = running(tx, id, seen).await?;
    let Some(paused_at) = deadline.paused_at else {
        return Err(Error::new(Kind::WrongMoment, "this deadline is not paused"));
    };
    let by = author(tx)?;
    let due_at = deadline.due_at + (tx.now() - paused_at);
    let next = next_look(policy, &deadline, due_at, 0);
    let resumed = store::resume(tx, &deadline, by, due_at, next).await?;
    tx.record(event(What::DeadlineResumed, &resumed).with("due_at", due_at));
    Ok(resumed)
}

fn author(tx: &Tx) -> Result<UserId> {
    tx.actor().user().ok_or_else(Error::forbidden)
}

async fn running(tx: &mut Tx, id: DeadlineId, seen: i32) -> Result<Deadline> {
    let deadline = store::lock(tx, id).await?.ok_or_else(Error::not_found)?;
    tx.allow(Action::PauseDeadlines)?;
    seen_is_current(seen, deadline.version)?;
    if deadline.met_at.is_some() || deadline.cancelled_at.is_some() {
        return Err(Error::new(Kind::WrongMoment, "this deadline is over"));
    }
    Ok(deadline)
}

/// When the rung after those already climbed is due.
fn next_look(
    policy: &Policy,
    deadline: &Deadline,
    due_at: DateTime<Utc>,
    climbed_now: i32,
) -> Option<DateTime<Utc>> {
    let climbed = usize::try_from(deadline.escalation + climbed_now).unwrap_or(0);
    // A matter's lane may have changed since; the steps of every lane are looked at, and one that does not apply is
    // passed over when its moment comes.
    policy
        .escalation_steps(&["psea"])
        .nth(climbed)
        .map(|step| step.moment(policy.calendar(), deadline.starts_at, due_at))
}

/// How many deadlines one step of the background looks at.
const BATCH: i64 = 100;

/// One step of the background: deadlines that come near or were missed climb a rung, beyond whoever missed them. How many.
pub async fn escalate(temwen: &Temwen) -> Result<usize> {
    let caller = Caller::system("deadlines.escalate");
    let now = temwen.clock.now();
    let waiting = temwen.db.read(&caller, async |conn| store::to_look_at(conn, now, BATCH).await).await?;
    let (mut climbed, mut failed) = (0, None);
    for id in waiting {
        // One transaction each: several nodes share the work, and one that fails holds up no other.
        let work = async |tx: &mut Tx| climb(tx, &temwen.policy, id).await;
        match temwen.db.write(&caller, "deadlines.escalate", work).await {
            Ok(rungs) => climbed += rungs,
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(climbed), Err)
}

async fn climb(tx: &mut Tx, policy: &Policy, id: DeadlineId) -> Result<usize> {
    let now = tx.now();
    let Some((deadline, category, flags)) = store::lock_to_climb(tx, id, now).await? else {
        // Another node was quicker; say so in the record of this step, which otherwise would be refused.
        tx.record(
            Event::register(What::DeadlineEscalated).with("deadline", id.uuid()).with("climbed", false),
        );
        return Ok(0);
    };
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let matter = Matter { category: &category, flags: &flags, priority: "" };
    let lanes = lanes(policy, &matter);
    let rung = usize::try_from(deadline.escalation).unwrap_or(0);
    let applies = |lanes_of: &[String]| {
        lanes_of.is_empty() || lanes_of.iter().any(|lane| lanes.contains(&lane.as_str()))
    };
    let step = policy.escalation_steps(&["psea"]).nth(rung);
    let next = next_look(policy, &deadline, deadline.due_at, 1);
    let to = step
        .filter(|step| applies(&step.lanes))
        .map(|step| step.role.clone().unwrap_or_else(|| "owner".to_owned()));
    store::climb(tx, &deadline, to.as_deref(), next).await?;
    let missed = deadline.due_at < now;
    tx.record(
        event(What::DeadlineEscalated, &deadline)
            .with("rung", deadline.escalation + 1)
            .with("missed", missed)
            .with_some("to", to.as_deref()),
    );
    if missed {
        metrics::counter!("temwen_deadlines_missed_total", "name" => deadline.name.clone()).increment(1);
    }
    Ok(1)
}
