//! Cases: what somebody works on.
//!
//! Belongs here: what a case is, and every operation that changes one; triage, which opens it, is in [`assessment`], who
//! works on it in [`people`], the second signature in [`proposals`], its stages in [`workflow`].
//! May touch: its own stores, [`crate::complaints`], [`crate::deadlines`], [`crate::personnel`], [`crate::users`], and [`Tx`]. Knows no HTTP.

pub mod assessment;
mod assessment_http;
mod file_http;
mod file_store;
pub mod glances;
mod glances_http;
mod glances_store;
pub(crate) mod http;
pub mod indexing;
pub mod liftings;
mod liftings_http;
mod liftings_store;
pub mod notes;
mod notes_http;
mod notes_store;
mod parties;
mod parties_http;
pub mod people;
mod people_http;
mod people_store;
pub mod proposals;
mod proposals_http;
mod proposals_store;
pub mod search;
pub(crate) mod store;
pub mod workflow;

use chrono::{DateTime, Utc};

use self::proposals::Proposal;
use self::workflow::{Duty, Refused, Stage, Step};
use crate::audit::{Event, MOST_CHANGES, What};
use crate::auth::policy::Action;
use crate::auth::{Actor, Role};
use crate::coa::{Event as Start, Matter, Policy};
use crate::db::Tx;
use crate::deadlines::{self, name};
use crate::error::{Error, Kind, Result};
use crate::users::seen_is_current;
use crate::values::{CaseId, MatterId, Reason, UserId};

pub use self::file_store::{CaseFile, Told, read_file};
pub use self::store::{Filter, list};

/// A case.
#[derive(Debug, Clone, diesel::Queryable, diesel::Selectable)]
#[diesel(table_name = crate::db::schema::cases, check_for_backend(diesel::pg::Pg))]
pub struct Case {
    /// Its id.
    pub id: CaseId,
    /// What officers call it by: `COA-2026-000123`.
    pub number: String,
    /// The matter it belongs to.
    pub matter_id: MatterId,
    /// How far it has come.
    pub stage: Stage,
    /// Where it came from, while it is suspended.
    pub stage_before: Option<Stage>,
    /// What it is taken for.
    pub category: String,
    /// How soon it wants attention.
    pub priority: String,
    /// What rules turn on, such as `child`.
    pub flags: Vec<String>,
    /// The contributing country concerned.
    pub country: Option<String>,
    /// Where it happened.
    pub department: Option<String>,
    /// The desk that answers for it.
    pub owner_role: Role,
    /// The person there.
    pub owner_id: Option<UserId>,
    /// The country that was told.
    pub referred_country: Option<String>,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// When it was closed or handed on.
    pub closed_at: Option<DateTime<Utc>>,
    /// Why, in a word of the policy.
    pub closure_reason: Option<String>,
    /// The finding that an imported case came with.
    pub outcome: Option<String>,
    /// The policy it was opened under.
    pub policy: String,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Counts its changes.
    pub version: i32,
}

impl Case {
    /// Its marks.
    pub fn flags(&self) -> Vec<&str> {
        self.flags.iter().map(String::as_str).collect()
    }

    /// Whether it concerns sexual exploitation or abuse, or a child.
    pub fn is_psea(&self, policy: &Policy) -> bool {
        policy.in_lane("psea", &self.category, self.flags())
    }

    /// Whether lowering or closing it needs a second officer.
    pub fn is_protected(&self, policy: &Policy) -> bool {
        policy.needs_second_officer(&self.category, self.flags())
    }

    fn matter<'a>(&'a self, flags: &'a [&'a str]) -> Matter<'a> {
        Matter { category: &self.category, flags, priority: &self.priority }
    }
}

/// What came of a change: it was made, or it waits for a second signature.
#[derive(Debug)]
pub enum Outcome<T> {
    /// It was made.
    Done(Box<T>),
    /// It waits.
    Waits(Box<Proposal>),
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::new(Kind::WrongMoment, refused.to_string())
    }
}

/// A case that whoever acts may know of, held until the transaction ends.
pub(crate) async fn lock(tx: &mut Tx, id: CaseId) -> Result<Case> {
    store::lock(tx, id).await?.ok_or_else(Error::not_found)
}

/// The steps that `actor` may take now. `duty` is the part that they have in the case already, `investigates` whether they
/// are assigned to it as investigator.
pub fn open_steps(
    policy: &Policy,
    case: &Case,
    actor: &Actor,
    duty: Option<Duty>,
    investigates: bool,
) -> Vec<Step> {
    let may = |step: &&Step| {
        case.stage.after(**step, case.stage_before).is_ok()
            && crate::auth::policy::allows(actor, Action::Advance(step.takers()))
            && step.duty(case.stage).is_none_or(|needed| duty.is_none_or(|has| has == needed))
            && fits(policy, actor, **step, case, investigates).is_ok()
    };
    Step::ALL.iter().filter(may).copied().collect()
}

/// What a step asks besides role and stage.
fn fits(policy: &Policy, actor: &Actor, step: Step, case: &Case, investigates: bool) -> Result<()> {
    let roles = actor.officer().map(|officer| officer.roles).unwrap_or_default();
    let judges = roles.any(&[Role::TriageOfficer, Role::PseaCoordinator, Role::OhchrMonitor]);
    match step {
        // A commander ends what the panel decided, and nothing else; a national authority moves its own investigation.
        Step::Close if !judges && case.stage != Stage::ActionPending => Err(Error::forbidden()),
        // Whoever investigates does so by an assignment, for which they declared that they have no conflict.
        Step::Suspend | Step::Resume | Step::SubmitReport
            if !investigates && !roles.any(&[Role::NationalAuthority, Role::OhchrMonitor]) =>
        {
            Err(Error::forbidden())
        }
        Step::Suspend | Step::Resume | Step::SubmitReport
            if roles.has(Role::NationalAuthority)
                && case.stage_before.unwrap_or(case.stage) != Stage::NationalInvestigation =>
        {
            Err(Error::forbidden())
        }
        Step::NotifyState if case.country.is_none() => Err(Error::new(
            Kind::WrongMoment,
            "no contributing country is known for this case; classify it with one first",
        )),
        Step::ResolveInformally if case.is_protected(policy) => {
            Err(Error::new(Kind::WrongMoment, "a protected matter is not resolved informally"))
        }
        _ => Ok(()),
    }
}

/// What an advance asks for.
#[derive(Debug, Clone)]
pub struct Advance {
    /// The step.
    pub step: Step,
    /// Why.
    pub reason: Reason,
    /// For a closing step: why, in a word of the policy.
    pub closure_reason: Option<String>,
}

/// Moves a case one step along its workflow. Ending a protected one early waits for a second officer.
pub async fn advance(
    tx: &mut Tx,
    policy: &Policy,
    id: CaseId,
    seen: i32,
    advance: &Advance,
) -> Result<Outcome<Case>> {
    let case = lock(tx, id).await?;
    tx.allow(Action::Advance(advance.step.takers()))?;
    seen_is_current(seen, case.version)?;
    case.stage.after(advance.step, case.stage_before)?;
    if case.stage.is_over() {
        // What was erased is not taken up again: there is nothing left to work on.
        tx.data_key(case.matter_id.uuid()).await?;
    }
    let investigates = people_store::investigates(tx, case.id).await?;
    fits(policy, tx.actor(), advance.step, &case, investigates)?;
    check_closure(policy, advance, &case)?;
    if advance.step.ends_early(case.stage) && case.is_protected(policy) {
        take_duty(tx, &case, advance.step.duty(case.stage)).await?;
        return proposals::propose_transition(tx, &case, advance)
            .await
            .map(|proposal| Outcome::Waits(Box::new(proposal)));
    }
    take_step(tx, policy, case, advance).await.map(|case| Outcome::Done(Box::new(case)))
}

fn check_closure(policy: &Policy, advance: &Advance, case: &Case) -> Result<()> {
    match &advance.closure_reason {
        Some(_) if advance.step != Step::Close => {
            Err(Error::fault("/closure_reason", "belongs to the step close alone"))
        }
        Some(word) if !policy.may_close(word, &case.category, case.stage != Stage::ActionPending) => Err(
            Error::fault("/closure_reason", "is not a reason for which the policy lets this case be closed"),
        ),
        _ => Ok(()),
    }
}

/// Takes a step that was allowed and checked.
async fn take_step(tx: &mut Tx, policy: &Policy, case: Case, advance: &Advance) -> Result<Case> {
    take_duty(tx, &case, advance.step.duty(case.stage)).await?;
    finish_step(tx, policy, case, advance).await
}

/// Carries out a step whose taker has the duty for it. Whoever gives only the second signature takes no part in the case.
pub(super) async fn finish_step(tx: &mut Tx, policy: &Policy, case: Case, advance: &Advance) -> Result<Case> {
    let from = case.stage;
    let to = from.after(advance.step, case.stage_before)?;
    let moved = store::set_stage(tx, &case, to, advance).await?;
    if advance.step == Step::SubmitReport {
        deadlines::meet_for_case(tx, case.id, case.matter_id, name::INVESTIGATION).await?;
        deadlines::meet_for_case(tx, case.id, case.matter_id, name::INVESTIGATION_LIMIT).await?;
    }
    if to.is_over() {
        // The reporter's clock runs on: a case that is over ends nothing for whoever was not told.
        deadlines::drop_of_case(tx, case.id).await?;
    } else if from.is_over() || advance.step == Step::ReturnReport {
        start_clocks(tx, policy, &moved, tx.now()).await?;
    }
    tx.record(
        Event::case(What::CaseAdvanced, case.id, case.matter_id)
            .with("step", advance.step.as_str())
            .with("from", from.as_str())
            .with("to", to.as_str())
            .with_some("closure_reason", advance.closure_reason.as_deref()),
    );
    Ok(moved)
}

/// Starts the limits that run from a case's opening, or from when it was taken up again.
pub(super) async fn start_clocks(
    tx: &mut Tx,
    policy: &Policy,
    case: &Case,
    start: DateTime<Utc>,
) -> Result<()> {
    let flags = case.flags();
    let planned = deadlines::plan(policy, Start::CaseOpened, &case.matter(&flags), start);
    deadlines::starting(tx, case.matter_id, None, Some(case.id), &planned).await
}

/// Whoever acts takes a part in the case; the database refuses a second one.
pub(super) async fn take_duty(tx: &mut Tx, case: &Case, duty: Option<Duty>) -> Result<()> {
    match (duty, tx.actor().user()) {
        (Some(duty), Some(user)) => people_store::take_duty(tx, case.id, user, duty).await,
        _ => Ok(()),
    }
}

/// What a case is to be taken for.
#[derive(Debug, Clone)]
pub struct Classification {
    /// Another category.
    pub category: Option<String>,
    /// Another priority.
    pub priority: Option<String>,
    /// The contributing country concerned.
    pub country: Option<String>,
    /// Why.
    pub reason: Reason,
}

/// Gives a case another category or priority. Lowering a protected one waits for a second officer.
pub async fn classify(
    tx: &mut Tx,
    policy: &Policy,
    id: CaseId,
    seen: i32,
    wanted: &Classification,
) -> Result<Outcome<Case>> {
    let case = lock(tx, id).await?;
    tx.allow(Action::Classify)?;
    seen_is_current(seen, case.version)?;
    if case.stage.is_over() {
        return Err(Error::new(Kind::WrongMoment, "this case is over; reopen it first"));
    }
    let lowers = wanted.category.as_deref().is_some_and(|category| policy.is_lower(category, &case.category));
    if lowers && case.is_protected(policy) {
        return proposals::propose_classification(tx, &case, wanted)
            .await
            .map(|proposal| Outcome::Waits(Box::new(proposal)));
    }
    reclassify(tx, policy, case, wanted).await.map(|case| Outcome::Done(Box::new(case)))
}

/// Gives a case another category or priority that was allowed, signed and checked.
pub(super) async fn reclassify(
    tx: &mut Tx,
    policy: &Policy,
    case: Case,
    wanted: &Classification,
) -> Result<Case> {
    let changed = store::classify(tx, policy, &case, wanted).await?;
    let followed =
        crate::complaints::follow_category(tx, case.id, &changed.category, &changed.priority).await?;
    let reported = matches!(case.stage, Stage::ReportSubmitted | Stage::Determination | Stage::ActionPending);
    if changed.category != case.category && !case.stage.is_over() && !reported {
        // Another category has other limits; they run from when those before began, so that no clock is set back by
        // calling a case something else.
        let began = deadlines::drop_of_case(tx, case.id).await?;
        start_clocks(tx, policy, &changed, began.unwrap_or(tx.now())).await?;
    }
    let lowered = policy.is_lower(&changed.category, &case.category);
    tx.record(
        Event::case(What::CaseClassified, case.id, case.matter_id)
            .with("from", case.category.as_str())
            .with("to", changed.category.as_str())
            .with("priority", changed.priority.as_str())
            .with("lowered", lowered),
    );
    // A case of hundreds of complaints takes more than one entry to tell what became of them all.
    for _ in 0..followed / MOST_CHANGES {
        tx.record(Event::case(What::CaseClassified, case.id, case.matter_id).with("followed", true));
    }
    Ok(changed)
}
