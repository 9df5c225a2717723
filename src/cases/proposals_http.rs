//! Second signatures over HTTP.

use actix_web::http::header;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::proposals::{self, Proposal, ProposalKind};
use crate::error::{Error, Result};
use crate::http::body::Body;
use crate::http::extract::{IfMatch, Params, SignedIn};
use crate::http::page::{self, Items, Page};
use crate::http::problem::Refusal;
use crate::http::versioned;
use crate::temwen::Temwen;
use crate::values::{CaseId, ComplaintId, ProposalId, Reason, UserId};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(list_proposals).service(decide_proposal);
}

/// A change that waits for a second officer, or did.
#[derive(Serialize, ToSchema)]
pub(super) struct ProposalView {
    #[schema(value_type = Uuid)]
    id: ProposalId,
    /// What is proposed.
    kind: ProposalKind,
    /// The complaint it concerns, if it is about one.
    #[schema(value_type = Option<Uuid>)]
    complaint_id: Option<ComplaintId>,
    /// The case it concerns, if it is about one.
    #[schema(value_type = Option<Uuid>)]
    case_id: Option<CaseId>,
    /// The change itself.
    #[schema(value_type = Object)]
    change: serde_json::Value,
    /// Why.
    reason: Option<String>,
    /// By whom.
    #[schema(value_type = Uuid)]
    proposed_by: UserId,
    /// When.
    proposed_at: DateTime<Utc>,
    /// Whether it was signed (`true`) or refused (`false`); null while it waits.
    approved: Option<bool>,
    /// By whom.
    #[schema(value_type = Option<Uuid>)]
    decided_by: Option<UserId>,
    /// When.
    decided_at: Option<DateTime<Utc>>,
    /// Why.
    decision_reason: Option<String>,
    /// Counts its changes; send it back in `If-Match`.
    version: i32,
}

impl From<Proposal> for ProposalView {
    fn from(proposal: Proposal) -> Self {
        let Proposal {
            id,
            complaint_id,
            case_id,
            kind,
            payload,
            reason,
            proposed_by,
            proposed_at,
            decided_by,
            decided_at,
            approved,
            decision_reason,
            version,
            ..
        } = proposal;
        Self {
            id,
            kind,
            complaint_id,
            case_id,
            change: payload,
            reason,
            proposed_by,
            proposed_at,
            approved,
            decided_by,
            decided_at,
            decision_reason,
            version,
        }
    }
}

/// Where a proposal is signed or refused.
pub(super) fn decision_of(proposal: &Proposal) -> String {
    format!("/v1/proposals/{}/decision", proposal.id)
}

/// Answers that a change waits for a second officer.
pub(super) fn waits(proposal: Proposal) -> HttpResponse {
    HttpResponse::Accepted()
        .insert_header((header::ETAG, format!("\"{}\"", proposal.version)))
        .insert_header((header::LOCATION, decision_of(&proposal)))
        .json(ProposalView::from(proposal))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListProposals {
    /// Only those that wait (`true`) or are decided (`false`).
    waiting: Option<bool>,
    /// How many at most, 1 to 200; 50 unless given.
    limit: Option<u32>,
    /// The cursor of the page before.
    after: Option<String>,
}

/// List changes that wait for a second officer, oldest first. That you read them is recorded.
///
/// Changes that need a second officer, the oldest first. Only those of matters that the caller may know of.
#[utoipa::path(tag = "proposals", security(("token" = [])), params(ListProposals),
    responses((status = 200, body = Items<ProposalView>, description = "A page of proposals"), Refusal))]
#[get("/proposals")]
async fn list_proposals(
    temwen: Data<Temwen>,
    caller: SignedIn,
    request: HttpRequest,
    query: Params<ListProposals>,
) -> Result<HttpResponse> {
    let ListProposals { waiting, limit, after } = query.0;
    let page = Page::parse(&temwen.keys, "proposals", limit, after.as_deref())?;
    let read = async |tx: &mut _| proposals::read(tx, waiting, page.after, page.rows()).await;
    let rows = temwen.db.write(&caller.0, "proposals.read", read).await?;
    let position = |proposal: &Proposal| (proposal.proposed_at, proposal.id.uuid());
    Ok(page::answer(&temwen.keys, "proposals", page, rows, position, ProposalView::from, &request))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"approve": true, "reason": "I have read the file and agree."}))]
struct DecideProposal {
    /// Sign (`true`) or refuse (`false`).
    approve: bool,
    /// Why.
    reason: String,
}

/// Sign or refuse a change that another officer proposed.
///
/// Whoever proposed it cannot sign it. Signed, it is carried out exactly as proposed, if it still can be.
#[utoipa::path(tag = "proposals", security(("token" = [])), request_body = DecideProposal,
    params(("id" = Uuid, Path, description = "Which proposal"), ("If-Match" = String, Header, description = "The version that you saw")),
    responses((status = 200, body = ProposalView, description = "The decided proposal"), Refusal))]
#[post("/proposals/{id}/decision")]
async fn decide_proposal(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<ProposalId>,
    seen: IfMatch,
    body: Body<DecideProposal>,
) -> Result<HttpResponse> {
    let DecideProposal { approve, reason } = body.value;
    let reason = Reason::parse(&reason).map_err(|why| Error::fault("/reason", why))?;
    let decide =
        async |tx: &mut _| proposals::decide(tx, &temwen.policy, *id, seen.0, approve, &reason).await;
    let proposal = temwen.db.write(&caller.0, "proposals.decide", decide).await?;
    Ok(versioned(proposal.version, &ProposalView::from(proposal)))
}
