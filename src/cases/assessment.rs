//! Triage: judging what a complaint is. It becomes a case, joins one, goes to another body, or is closed.
//!
//! Every decision has a reason. Lowering or closing a protected matter (sexual exploitation or abuse, a child, serious
//! misconduct) waits for the signature of a second officer.

use super::proposals::{self, Proposal};
use super::store::New;
use super::workflow::{Duty, Stage};
use super::{Case, file_store, lock, people_store, search, start_clocks, store};
use crate::audit::{Event, What};
use crate::auth::Role;
use crate::auth::policy::Action;
use crate::coa::Policy;
use crate::complaints::Judged;
use crate::complaints::{self, Complaint, Status};
use crate::db::Tx;
use crate::deadlines::{self, name};
use crate::error::{Error, Kind, Result};
use crate::parties;
use crate::personnel;
use crate::users::seen_is_current;
use crate::values::{CaseId, ComplaintId, Reason, UserId, text_enum};

text_enum! {
    /// What triage decides.
    Decision {
        /// It becomes a case.
        OpenCase = "open_case",
        /// It joins a case that there is.
        Attach = "attach",
        /// Another body is competent.
        ReferOut = "refer_out",
        /// It goes no further.
        Close = "close",
    }
}

/// A triage decision whose parts fit together.
#[derive(Debug, Clone)]
pub struct Assessment {
    /// What is decided.
    pub decision: Decision,
    /// What it is taken for.
    pub category: Option<String>,
    /// How soon it wants attention.
    pub priority: Option<String>,
    /// Why.
    pub reason: Reason,
    /// The case to join.
    pub case: Option<CaseId>,
    /// The body that is competent; a word of the policy.
    pub to: Option<String>,
    /// Why it is closed; a word of the policy.
    pub closure_reason: Option<String>,
}

/// What came of an assessment.
#[derive(Debug)]
pub enum Assessed {
    /// A case was opened.
    Opened(Box<Case>),
    /// The complaint was joined, referred or closed.
    Judged(Box<Complaint>),
    /// It waits for a second officer.
    Waits(Box<Proposal>),
}

/// Takes a triage decision.
pub async fn assess(
    tx: &mut Tx,
    policy: &Policy,
    id: ComplaintId,
    seen: i32,
    assessment: &Assessment,
) -> Result<Assessed> {
    let complaint = complaints::lock(tx, id).await?;
    tx.allow(Action::Assess)?;
    seen_is_current(seen, complaint.version)?;
    let category = check(policy, &complaint, assessment)?;
    let target = match assessment.case {
        Some(case) => Some(
            store::lock(tx, case)
                .await?
                .ok_or_else(|| Error::fault("/case_id", "is not a case that you may know of"))?,
        ),
        None => None,
    };
    let becomes = target.as_ref().map_or(category, |case| case.category.as_str());
    let lowers = policy.is_lower(becomes, &complaint.category);
    let ends = matches!(assessment.decision, Decision::Close | Decision::ReferOut);
    let protected = policy.needs_second_officer(&complaint.category, complaint.flags());
    if protected && (lowers || ends) {
        return proposals::propose_assessment(tx, &complaint, assessment)
            .await
            .map(|proposal| Assessed::Waits(Box::new(proposal)));
    }
    let by = tx.actor().user().ok_or_else(Error::forbidden)?;
    carry_out(tx, policy, complaint, assessment, by).await
}

/// Whether the decision can be taken now; the category that the complaint would have.
fn check<'a>(policy: &'a Policy, complaint: &'a Complaint, assessment: &'a Assessment) -> Result<&'a str> {
    if !matches!(complaint.status, Status::Received | Status::Acknowledged) {
        return Err(Error::new(Kind::WrongMoment, "this complaint was assessed already"));
    }
    let category = assessment.category.as_deref().unwrap_or(&complaint.category);
    if assessment.decision == Decision::OpenCase && category == policy.initial_category() {
        return Err(Error::fault("/category", "must say what the case is taken for"));
    }
    if let Some(word) = &assessment.closure_reason
        && !policy.may_close(word, category, true)
    {
        return Err(Error::fault(
            "/closure_reason",
            "is not a reason for which the policy lets this complaint be closed",
        ));
    }
    Ok(category)
}

/// Carries out a decision of `by` that was allowed, signed and checked.
pub(super) async fn carry_out(
    tx: &mut Tx,
    policy: &Policy,
    complaint: Complaint,
    assessment: &Assessment,
    by: UserId,
) -> Result<Assessed> {
    let category = check(policy, &complaint, assessment)?.to_owned();
    let priority = assessment.priority.as_deref().unwrap_or(&complaint.priority).to_owned();
    deadlines::meet_for_complaint(tx, complaint.id, complaint.matter_id, name::TRIAGE_DECISION).await?;
    let event = Event::complaint(What::ComplaintAssessed, complaint.id, complaint.matter_id)
        .with("decision", assessment.decision.as_str())
        .with("from", complaint.category.as_str())
        .with("to", category.as_str())
        .with("lowered", policy.is_lower(&category, &complaint.category))
        .with_some("body", assessment.to.as_deref())
        .with_some("closure_reason", assessment.closure_reason.as_deref());
    tx.record(event);
    match (assessment.decision, assessment.case) {
        (Decision::OpenCase, _) => open(tx, policy, &complaint, &category, &priority, by)
            .await
            .map(|case| Assessed::Opened(Box::new(case))),
        (Decision::Attach, Some(case)) => {
            attach(tx, policy, &complaint, case).await.map(|complaint| Assessed::Judged(Box::new(complaint)))
        }
        (Decision::Attach, None) => Err(Error::fault("/case_id", "must be given to attach")),
        (Decision::ReferOut | Decision::Close, _) => {
            let status =
                if assessment.decision == Decision::Close { Status::Closed } else { Status::ReferredOut };
            let judged = Judged {
                status,
                case: None,
                matter: complaint.matter_id,
                category: &category,
                priority: &priority,
                owner_role: complaint.owner_role,
                owner: Some(by),
            };
            let complaint = complaints::judge(tx, complaint.id, &judged).await?;
            Ok(Assessed::Judged(Box::new(complaint)))
        }
    }
}

/// The desk that a case of this kind lies on.
pub(super) fn desk(policy: &Policy, category: &str, flags: &[String]) -> Role {
    if policy.in_lane("psea", category, flags.iter().map(String::as_str)) {
        Role::PseaCoordinator
    } else {
        Role::TriageOfficer
    }
}

async fn open(
    tx: &mut Tx,
    policy: &Policy,
    complaint: &Complaint,
    category: &str,
    priority: &str,
    by: UserId,
) -> Result<Case> {
    let year = policy.calendar().local_year(tx.now());
    let owner_role = desk(policy, category, &complaint.flags);
    let number = store::next_number(tx, year).await?;
    let new = New {
        id: CaseId::new(),
        number,
        matter: complaint.matter_id,
        stage: Stage::Assessment,
        category,
        priority,
        flags: &complaint.flags,
        country: complaint.country.as_deref(),
        department: complaint.department.as_deref(),
        owner_role,
        owner: Some(by),
        opened_by: Some(by),
        opened_at: tx.now(),
        closed_at: None,
        outcome: None,
        policy: &complaints::policy_word(policy),
        external_ref: None,
    };
    let case = store::insert(tx, &new).await?;
    file_store::take_over_allegations(tx, policy, case.id, complaint.id).await?;
    people_store::take_duty(tx, case.id, by, Duty::Triage).await?;
    let judged = Judged {
        status: Status::InCase,
        case: Some(case.id),
        matter: case.matter_id,
        category,
        priority,
        owner_role,
        owner: Some(by),
    };
    complaints::judge(tx, complaint.id, &judged).await?;
    search::join(tx, complaint.id, true).await?;
    start_clocks(tx, policy, &case, case.opened_at).await?;
    tx.record(
        Event::case(What::CaseOpened, case.id, case.matter_id)
            .with("number", case.number.as_str())
            .with("complaint", complaint.id.uuid())
            .with("category", category)
            .with("priority", priority),
    );
    Ok(case)
}

async fn attach(tx: &mut Tx, policy: &Policy, complaint: &Complaint, to: CaseId) -> Result<Complaint> {
    let by = tx.actor().user().ok_or_else(Error::forbidden)?;
    let case = lock(tx, to).await?;
    if case.stage.is_over() {
        return Err(Error::new(Kind::WrongMoment, "that case is over; reopen it first"));
    }
    // Whoever may not know of the one may not know of the whole.
    complaints::copy_walls(tx, complaint.matter_id, case.matter_id, by).await?;
    complaints::copy_walls(tx, case.matter_id, complaint.matter_id, by).await?;
    // The complaint has to stay in sight while it moves into the other matter.
    complaints::lock(tx, complaint.id).await?;
    let judged = Judged {
        status: Status::InCase,
        case: Some(case.id),
        matter: case.matter_id,
        category: &case.category,
        priority: &case.priority,
        owner_role: case.owner_role,
        owner: case.owner_id,
    };
    lock(tx, to).await?;
    complaints::judge(tx, complaint.id, &judged).await?;
    search::join(tx, complaint.id, false).await?;
    // What protected the complaint protects the case from now on; and whoever saw the case before saw less.
    store::take_over_flags(tx, policy, &case, &complaint.flags).await?;
    deadlines::follow_matter(tx, complaint.id, case.matter_id).await?;
    parties::follow_matter(tx, complaint.id, case.matter_id).await?;
    tx.record(
        Event::complaint(What::ComplaintAttached, complaint.id, case.matter_id)
            .with("case", case.id.uuid())
            .with("from_matter", complaint.matter_id.uuid()),
    );
    // As it is now: what protects the case may have been added to its marks.
    let attached = complaints::lock(tx, complaint.id).await?;
    personnel::follow_matter(tx, complaint.matter_id, case.matter_id).await?;
    Ok(attached)
}
