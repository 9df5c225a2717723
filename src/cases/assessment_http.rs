//! Triage over HTTP.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::assessment::{self, Assessed, Assessment, Decision};
use super::http::CaseView;
use super::proposals_http::{ProposalView, decision_of};
use crate::coa::{Policy, Vocabulary};
use crate::complaints::http::{ComplaintView, sees_cases};
use crate::error::Result;
use crate::http::body::Body;
use crate::http::extract::{IfMatch, SignedIn};
use crate::http::idempotency::{self, Created, IdempotencyKey};
use crate::http::problem::Refusal;
use crate::temwen::Temwen;
use crate::values::{CaseId, ComplaintId, Faults, Reason};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(assess_complaint);
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"decision": "open_case", "category": "serious_misconduct", "priority": "urgent", "reason": "Three people name the same patrol."}))]
struct AssessComplaint {
    /// What is decided.
    decision: Decision,
    /// What it is taken for; as it was unless given.
    category: Option<String>,
    /// How soon it wants attention; as it was unless given.
    priority: Option<String>,
    /// Why.
    reason: String,
    /// For `attach`: the case to join.
    #[schema(value_type = Option<Uuid>)]
    case_id: Option<CaseId>,
    /// For `refer_out`: the body that is competent, a word of the policy.
    to: Option<String>,
    /// For `close`: why, in a word of the policy.
    closure_reason: Option<String>,
}

impl AssessComplaint {
    fn parse(self, policy: &Policy) -> Result<Assessment> {
        let Self { decision, category, priority, reason, case_id, to, closure_reason } = self;
        let mut faults = Faults::default();
        let mut word = |pointer: &str, vocabulary: Vocabulary, word: &Option<String>| {
            if word.as_deref().is_some_and(|word| !policy.knows(vocabulary, word)) {
                faults.add(
                    pointer,
                    format!("is not one of the policy's {}", vocabulary.section().replace('_', " ")),
                );
            }
        };
        word("/category", Vocabulary::Category, &category);
        word("/priority", Vocabulary::Priority, &priority);
        word("/to", Vocabulary::ReferralBody, &to);
        word("/closure_reason", Vocabulary::ClosureReason, &closure_reason);
        let mut only_for =
            |pointer: &str, given: bool, wanted: Decision, needed: bool| match (given, decision == wanted) {
                (true, false) => {
                    faults.add(pointer, format!("belongs to the decision {} alone", wanted.as_str()));
                }
                (false, true) if needed => {
                    faults.add(pointer, format!("must be given for the decision {}", wanted.as_str()));
                }
                _ => {}
            };
        only_for("/case_id", case_id.is_some(), Decision::Attach, true);
        only_for("/to", to.is_some(), Decision::ReferOut, true);
        only_for("/closure_reason", closure_reason.is_some(), Decision::Close, false);
        let reason = faults.take("/reason", Reason::parse(&reason));
        let reason = faults.none_or(reason)?;
        Ok(Assessment { decision, category, priority, reason, case: case_id, to, closure_reason })
    }
}

/// Decide what to do with a complaint: open a case, attach it to one, refer it out, or close it.
///
/// Lowering or ending a protected complaint (sexual exploitation or abuse, a child, serious misconduct) waits for a second
/// officer: then the answer is 202 with the proposal.
#[utoipa::path(tag = "cases", security(("token" = [])), request_body = AssessComplaint,
    params(("id" = Uuid, Path, description = "Which complaint"), ("If-Match" = String, Header, description = "The version that you saw"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeats get the first answer again")),
    responses((status = 201, body = CaseView, description = "The new case, for `open_case`"),
        (status = 200, body = ComplaintView, description = "The complaint, for the other decisions"),
        (status = 202, body = ProposalView, description = "It waits for a second officer"), Refusal))]
#[post("/complaints/{id}/assessment")]
async fn assess_complaint(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<ComplaintId>,
    seen: IfMatch,
    key: IdempotencyKey,
    body: Body<AssessComplaint>,
) -> Result<HttpResponse> {
    let wanted = body.value.parse(&temwen.policy)?;
    let with_case = sees_cases(&caller);
    idempotency::once(&temwen, &caller.0, "complaints.assess", &key.at(id.uuid()), &body.bytes, async |tx| {
        Ok(match assessment::assess(tx, &temwen.policy, *id, seen.0, &wanted).await? {
            Assessed::Opened(case) => {
                let (version, location, matter) =
                    (case.version, format!("/v1/cases/{}", case.id), case.matter_id);
                Created::new(AssessedView::Case(CaseView::from(*case)))
                    .version(version)
                    .at(location)
                    .within(matter)
            }
            Assessed::Judged(complaint) => {
                let (version, matter) = (complaint.version, complaint.matter_id);
                let view = AssessedView::Complaint(ComplaintView::of(*complaint, with_case));
                Created::new(view).status(StatusCode::OK).version(version).within(matter)
            }
            Assessed::Waits(proposal) => {
                let (version, location, matter) =
                    (proposal.version, decision_of(&proposal), proposal.matter_id);
                let view = AssessedView::Proposal(ProposalView::from(*proposal));
                Created::new(view).status(StatusCode::ACCEPTED).version(version).at(location).within(matter)
            }
        })
    })
    .await
}

/// What an assessment answers.
#[derive(Serialize)]
#[serde(untagged)]
enum AssessedView {
    Case(CaseView),
    Complaint(ComplaintView),
    Proposal(ProposalView),
}
