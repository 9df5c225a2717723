//! Erasures over HTTP.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::About;
use super::erasures::{self, Erasure, Wanted};
use crate::error::{Error, Result};
use crate::http::body::Body;
use crate::http::extract::{IfMatch, Params, SignedIn};
use crate::http::idempotency::{self, Created, IdempotencyKey};
use crate::http::page::{self, Items, Page};
use crate::http::problem::Refusal;
use crate::http::versioned;
use crate::temwen::Temwen;
use crate::values::{CaseId, ComplaintId, ErasureId, Faults, Reason, UserId};

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(propose_case_erasure)
        .service(propose_complaint_erasure)
        .service(list_erasures)
        .service(decide_erasure);
}

/// An erasure that waits for a second person, or did.
#[derive(Serialize, ToSchema)]
struct ErasureView {
    #[schema(value_type = Uuid)]
    id: ErasureId,
    /// The case that it is about, with all its complaints.
    #[schema(value_type = Option<Uuid>)]
    case_id: Option<CaseId>,
    /// The complaint that it is about, if it has no case.
    #[schema(value_type = Option<Uuid>)]
    complaint_id: Option<ComplaintId>,
    /// The retention class of the policy that decides.
    class: String,
    /// Since when the matter is due.
    due_at: DateTime<Utc>,
    /// When those accused left the mission's service, on the word of both persons.
    service_ended_on: Option<NaiveDate>,
    /// Why; null once it was carried out.
    reason: Option<String>,
    /// By whom.
    #[schema(value_type = Uuid)]
    proposed_by: UserId,
    /// When.
    proposed_at: DateTime<Utc>,
    /// Whether it was signed, and so carried out (`true`), or refused (`false`); null while it waits.
    approved: Option<bool>,
    /// By whom.
    #[schema(value_type = Option<Uuid>)]
    decided_by: Option<UserId>,
    /// When.
    decided_at: Option<DateTime<Utc>>,
    /// Why; null once it was carried out.
    decision_reason: Option<String>,
    /// Counts its changes; send it back in `If-Match`.
    version: i32,
}

impl From<Erasure> for ErasureView {
    fn from(erasure: Erasure) -> Self {
        Self {
            id: erasure.id,
            case_id: erasure.case_id,
            complaint_id: erasure.complaint_id,
            class: erasure.class,
            due_at: erasure.due_at,
            service_ended_on: erasure.service_ended_on,
            reason: erasure.reason,
            proposed_by: erasure.proposed_by,
            proposed_at: erasure.proposed_at,
            approved: erasure.approved,
            decided_by: erasure.decided_by,
            decided_at: erasure.decided_at,
            decision_reason: erasure.decision_reason,
            version: erasure.version,
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "Its time is over, and nobody has asked for it since."}))]
struct ProposeErasure {
    /// Why.
    reason: String,
    /// The day on which the last of those accused left the mission's service, where the register does not know it. The
    /// second person signs for it, too.
    service_ended_on: Option<NaiveDate>,
}

async fn propose(
    temwen: &Temwen,
    caller: &SignedIn,
    about: About,
    key: &IdempotencyKey,
    body: Body<ProposeErasure>,
) -> Result<HttpResponse> {
    let ProposeErasure { reason, service_ended_on } = body.value;
    let mut faults = Faults::default();
    let reason = faults.take("/reason", Reason::parse(&reason));
    let today = temwen.policy.calendar().local_date(temwen.clock.now());
    if service_ended_on.is_some_and(|day| day > today || chrono::Datelike::year(&day) < 1900) {
        faults.add("/service_ended_on", "must be a day since 1900 that is not in the future");
    }
    let wanted = Wanted { reason: faults.none_or(reason)?, service_ended_on };
    idempotency::once(temwen, &caller.0, "erasures.propose", key, &body.bytes, async |tx| {
        let (erasure, matter) = erasures::propose(tx, &temwen.policy, about, &wanted).await?;
        let decision = format!("/v1/erasures/{}/decision", erasure.id);
        let created = Created::new(ErasureView::from(erasure)).version(1).within(matter);
        Ok(created.status(StatusCode::ACCEPTED).at(decision))
    })
    .await
}

/// Propose to erase a case that has fallen due, with all its complaints. It waits for a second person.
///
/// Refused while a legal hold lasts, while the case is open, while a complaint of it was never read, and before its time.
#[utoipa::path(tag = "retention", security(("token" = [])), request_body = ProposeErasure,
    params(("id" = Uuid, Path, description = "Which case"), ("Idempotency-Key" = Option<String>, Header, description = "Repeats get the first answer again")),
    responses((status = 202, body = ErasureView, description = "It waits for a second person"), Refusal))]
#[post("/cases/{id}/erasures")]
async fn propose_case_erasure(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<CaseId>,
    key: IdempotencyKey,
    body: Body<ProposeErasure>,
) -> Result<HttpResponse> {
    propose(&temwen, &caller, About::Case(*id), &key.at(id.uuid()), body).await
}

/// Propose to erase a complaint that was closed without a case and has fallen due. It waits for a second person.
///
/// Refused as for a case.
#[utoipa::path(tag = "retention", security(("token" = [])), request_body = ProposeErasure,
    params(("id" = Uuid, Path, description = "Which complaint"), ("Idempotency-Key" = Option<String>, Header, description = "Repeats get the first answer again")),
    responses((status = 202, body = ErasureView, description = "It waits for a second person"), Refusal))]
#[post("/complaints/{id}/erasures")]
async fn propose_complaint_erasure(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<ComplaintId>,
    key: IdempotencyKey,
    body: Body<ProposeErasure>,
) -> Result<HttpResponse> {
    propose(&temwen, &caller, About::Complaint(*id), &key.at(id.uuid()), body).await
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListErasures {
    /// Only those that wait (`true`) or are decided (`false`).
    waiting: Option<bool>,
    /// How many at most, 1 to 200; 50 unless given.
    limit: Option<u32>,
    /// The cursor of the page before.
    after: Option<String>,
}

/// List erasures that wait for a second person, or were decided, oldest first. That you read them is recorded.
///
/// Only those of matters that the caller may know of.
#[utoipa::path(tag = "retention", security(("token" = [])), params(ListErasures),
    responses((status = 200, body = Items<ErasureView>, description = "A page of erasures"), Refusal))]
#[get("/erasures")]
async fn list_erasures(
    temwen: Data<Temwen>,
    caller: SignedIn,
    request: HttpRequest,
    query: Params<ListErasures>,
) -> Result<HttpResponse> {
    let ListErasures { waiting, limit, after } = query.0;
    let page = Page::parse(&temwen.keys, "erasures", limit, after.as_deref())?;
    let read = async |tx: &mut _| erasures::read(tx, waiting, page.after, page.rows()).await;
    let rows = temwen.db.write(&caller.0, "erasures.read", read).await?;
    let position = |erasure: &Erasure| (erasure.proposed_at, erasure.id.uuid());
    Ok(page::answer(&temwen.keys, "erasures", page, rows, position, ErasureView::from, &request))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"approve": true, "reason": "I have looked at the file and at the day."}))]
struct DecideErasure {
    /// Sign (`true`) or refuse (`false`).
    approve: bool,
    /// Why.
    reason: String,
}

/// Sign or refuse an erasure that another person proposed. Signed, it is carried out at once and for ever.
///
/// Whoever proposed it cannot sign it. All that was asked when it was proposed is asked again. The keys of the matter are
/// destroyed: nobody can read what was said, written or named in it, nor the reasons of the erasure itself. Its dates, words of
/// the policy and entries stay, and everything can still be checked.
#[utoipa::path(tag = "retention", security(("token" = [])), request_body = DecideErasure,
    params(("id" = Uuid, Path, description = "Which erasure"), ("If-Match" = String, Header, description = "The version that you saw")),
    responses((status = 200, body = ErasureView, description = "The decided erasure"), Refusal))]
#[post("/erasures/{id}/decision")]
async fn decide_erasure(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<ErasureId>,
    seen: IfMatch,
    body: Body<DecideErasure>,
) -> Result<HttpResponse> {
    let DecideErasure { approve, reason } = body.value;
    let reason = Reason::parse(&reason).map_err(|why| Error::fault("/reason", why))?;
    let decide = async |tx: &mut _| erasures::decide(tx, &temwen.policy, *id, seen.0, approve, &reason).await;
    let erasure = temwen.db.write(&caller.0, "erasures.decide", decide).await?;
    Ok(versioned(erasure.version, &ErasureView::from(erasure)))
}
