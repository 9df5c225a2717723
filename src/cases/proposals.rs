//! Changes that need a second officer: proposed by one, signed or refused by another.
//!
//! Nothing is changed until the second signature; then exactly what was proposed is carried out, if it still can be.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::assessment::{Assessed, Assessment, Decision};
use super::workflow::{Duty, Step};
use super::{Advance, Case, Classification, assessment, people_store, proposals_store as store};
use crate::audit::{Event, What};
use crate::auth::Role;
use crate::auth::policy::Action;
use crate::coa::Policy;
use crate::complaints::{self, Complaint};
use crate::db::Tx;
use crate::error::{Error, Kind, Result};
use crate::users::{find_active, seen_is_current};
use crate::values::{CaseId, ComplaintId, MatterId, ProposalId, Reason, UserId, text_enum};
use crate::vault::Fault;

text_enum! {
    /// What is proposed.
    ProposalKind {
        /// A triage decision that lowers or ends a protected complaint.
        Assessment = "assessment",
        /// A lower category for a protected case.
        Classification = "classification",
        /// A step that ends a protected case early.
        Transition = "transition",
    }
}

/// A change that waits for a second signature, or did.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// Its id.
    pub id: ProposalId,
    /// The matter it concerns.
    pub matter_id: MatterId,
    /// The complaint it concerns, if it is about one.
    pub complaint_id: Option<ComplaintId>,
    /// The case it concerns, if it is about one.
    pub case_id: Option<CaseId>,
    /// What is proposed.
    pub kind: ProposalKind,
    /// The change itself.
    pub payload: Value,
    /// Why; `None` once it was erased.
    pub reason: Option<String>,
    /// By whom.
    pub proposed_by: UserId,
    /// When.
    pub proposed_at: DateTime<Utc>,
    /// The version that was judged.
    pub seen_version: i32,
    /// Who signed or refused.
    pub decided_by: Option<UserId>,
    /// When.
    pub decided_at: Option<DateTime<Utc>>,
    /// Which of the two.
    pub approved: Option<bool>,
    /// Why.
    pub decision_reason: Option<String>,
    /// Counts its changes.
    pub version: i32,
}

/// A change as it waits. Its words were checked when it was proposed, and are checked again when it is carried out.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
enum Change {
    Assessment {
        decision: Decision,
        category: Option<String>,
        priority: Option<String>,
        case: Option<CaseId>,
        to: Option<String>,
        closure_reason: Option<String>,
    },
    Classification {
        category: Option<String>,
        priority: Option<String>,
        country: Option<String>,
    },
    Transition {
        step: Step,
        closure_reason: Option<String>,
    },
}

/// What a proposal is about.
enum About {
    Complaint(ComplaintId),
    Case(CaseId),
}

async fn propose(
    tx: &mut Tx,
    kind: ProposalKind,
    about: About,
    matter: MatterId,
    seen: i32,
    change: &Change,
    reason: &Reason,
) -> Result<Proposal> {
    let by = tx.actor().user().ok_or_else(Error::forbidden)?;
    let (complaint, case) = match about {
        About::Complaint(id) => (Some(id), None),
        About::Case(id) => (None, Some(id)),
    };
    let payload = serde_json::to_value(change).map_err(Error::internal)?;
    let new = store::New { kind, complaint, case, matter, payload, reason, by, seen };
    let proposal = store::insert(tx, &new).await?;
    tx.record(event(What::ProposalMade, &proposal));
    Ok(proposal)
}

fn event(what: What, proposal: &Proposal) -> Event {
    let event = match (proposal.case_id, proposal.complaint_id) {
        (Some(case), _) => Event::case(what, case, proposal.matter_id),
        (None, Some(complaint)) => Event::complaint(what, complaint, proposal.matter_id),
        (None, None) => Event::register(what),
    };
    event
        .with("proposal", proposal.id.uuid())
        .with("kind", proposal.kind.as_str())
        .with("proposed_by", proposal.proposed_by.uuid())
}

pub(super) async fn propose_assessment(
    tx: &mut Tx,
    complaint: &Complaint,
    wanted: &Assessment,
) -> Result<Proposal> {
    let change = Change::Assessment {
        decision: wanted.decision,
        category: wanted.category.clone(),
        priority: wanted.priority.clone(),
        case: wanted.case,
        to: wanted.to.clone(),
        closure_reason: wanted.closure_reason.clone(),
    };
    let about = About::Complaint(complaint.id);
    propose(
        tx,
        ProposalKind::Assessment,
        about,
        complaint.matter_id,
        complaint.version,
        &change,
        &wanted.reason,
    )
    .await
}

pub(super) async fn propose_classification(
    tx: &mut Tx,
    case: &Case,
    wanted: &Classification,
) -> Result<Proposal> {
    let Classification { category, priority, country, reason } = wanted.clone();
    let change = Change::Classification { category, priority, country };
    propose(
        tx,
        ProposalKind::Classification,
        About::Case(case.id),
        case.matter_id,
        case.version,
        &change,
        &reason,
    )
    .await
}

pub(super) async fn propose_transition(tx: &mut Tx, case: &Case, wanted: &Advance) -> Result<Proposal> {
    let change = Change::Transition { step: wanted.step, closure_reason: wanted.closure_reason.clone() };
    propose(
        tx,
        ProposalKind::Transition,
        About::Case(case.id),
        case.matter_id,
        case.version,
        &change,
        &wanted.reason,
    )
    .await
}

/// Proposals, oldest first; only those that wait (true) or are decided (false). Their reasons tell of the matter, so that
/// they were read is recorded for each.
pub async fn read(
    tx: &mut Tx,
    waiting: Option<bool>,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> Result<Vec<Proposal>> {
    tx.allow(Action::ReadProposals)?;
    let found = store::list(tx, waiting, after, rows).await?;
    for proposal in &found {
        tx.record(event(What::ProposalsRead, proposal));
    }
    if found.is_empty() {
        tx.record(Event::register(What::ProposalsRead));
    }
    Ok(found)
}

/// Signs or refuses what another officer proposed.
pub async fn decide(
    tx: &mut Tx,
    policy: &Policy,
    id: ProposalId,
    seen: i32,
    approve: bool,
    reason: &Reason,
) -> Result<Proposal> {
    let proposal = store::lock(tx, id).await?.ok_or_else(Error::not_found)?;
    let second = tx.actor().user().ok_or_else(Error::forbidden)?;
    // Held before it is judged, so that what is signed is what is there.
    let subject = match (proposal.case_id, proposal.complaint_id) {
        (Some(case), _) => Subject::Case(Box::new(super::lock(tx, case).await?)),
        (None, Some(complaint)) => Subject::Complaint(Box::new(complaints::lock(tx, complaint).await?)),
        (None, None) => return Err(Error::not_found()),
    };
    tx.allow(Action::SecondSign { psea: subject.is_psea(policy) })?;
    if proposal.proposed_by == second {
        return Err(Error::new(Kind::Forbidden, "whoever proposed it cannot give the second signature"));
    }
    seen_is_current(seen, proposal.version)?;
    if proposal.decided_at.is_some() {
        return Err(Error::new(Kind::WrongMoment, "this proposal was decided already"));
    }
    if approve && subject.version() != proposal.seen_version {
        return Err(Error::new(
            Kind::WrongMoment,
            "the matter was changed since this was proposed; refuse it and propose anew",
        ));
    }
    if approve {
        still_stands(tx, &proposal, &subject, second).await?;
    }
    let decided = store::decide(tx, &proposal, second, approve, reason).await?;
    let what = if approve { What::ProposalApproved } else { What::ProposalRefused };
    tx.record(event(what, &decided));
    if approve {
        carry_out(tx, policy, subject, &proposal).await?;
    }
    Ok(decided)
}

/// Whether both signatures count: the first officer still may sign, and the second has no other part in the case.
async fn still_stands(tx: &mut Tx, proposal: &Proposal, subject: &Subject, second: UserId) -> Result<()> {
    let first = find_active(tx, proposal.proposed_by).await?;
    let may = first.is_some_and(|user| {
        user.roles().any(&[Role::TriageOfficer, Role::PseaCoordinator, Role::OhchrMonitor])
    });
    if !may || crate::personnel::is_walled(tx, proposal.proposed_by, subject.matter()).await? {
        return Err(Error::new(
            Kind::WrongMoment,
            "whoever proposed this may not sign any more; refuse it and propose anew",
        ));
    }
    if let Subject::Case(case) = subject
        && people_store::duty_in(tx, case.id, second).await?.is_some_and(|duty| duty != Duty::Triage)
    {
        return Err(Error::new(
            Kind::Forbidden,
            "whoever investigated or decided in a case does not sign for its end",
        ));
    }
    Ok(())
}

enum Subject {
    Case(Box<Case>),
    Complaint(Box<Complaint>),
}

impl Subject {
    fn is_psea(&self, policy: &Policy) -> bool {
        match self {
            Self::Case(case) => case.is_psea(policy),
            Self::Complaint(complaint) => complaint.is_psea(policy),
        }
    }

    fn matter(&self) -> MatterId {
        match self {
            Self::Case(case) => case.matter_id,
            Self::Complaint(complaint) => complaint.matter_id,
        }
    }

    fn version(&self) -> i32 {
        match self {
            Self::Case(case) => case.version,
            Self::Complaint(complaint) => complaint.version,
        }
    }
}

async fn carry_out(tx: &mut Tx, policy: &Policy, subject: Subject, proposal: &Proposal) -> Result<()> {
    let change: Change = serde_json::from_value(proposal.payload.clone()).map_err(Error::internal)?;
    let reason = proposal.reason.as_deref().ok_or(Fault::Erased(proposal.matter_id.uuid()))?;
    let reason = Reason::parse(reason).map_err(Error::internal)?;
    match (change, subject) {
        (
            Change::Assessment { decision, category, priority, case, to, closure_reason },
            Subject::Complaint(complaint),
        ) => {
            let wanted = Assessment { decision, category, priority, reason, case, to, closure_reason };
            assessment::carry_out(tx, policy, *complaint, &wanted, proposal.proposed_by)
                .await
                .map(|_: Assessed| ())
        }
        (Change::Classification { category, priority, country }, Subject::Case(case)) => {
            let wanted = Classification { category, priority, country, reason };
            super::reclassify(tx, policy, *case, &wanted).await.map(|_| ())
        }
        (Change::Transition { step, closure_reason }, Subject::Case(case)) => {
            let wanted = Advance { step, reason, closure_reason };
            super::finish_step(tx, policy, *case, &wanted).await.map(|_| ())
        }
        _ => Err(Error::internal("a proposal whose change does not fit what it is about")),
    }
}
