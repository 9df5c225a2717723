//! Legal holds over HTTP.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::About;
use super::holds::{self, Hold};
use crate::error::{Error, Result};
use crate::http::body::Body;
use crate::http::extract::{IfMatch, Params, SignedIn};
use crate::http::idempotency::{self, Created, IdempotencyKey};
use crate::http::page::{self, Items, Page};
use crate::http::problem::Refusal;
use crate::http::versioned;
use crate::temwen::Temwen;
use crate::values::{CaseId, ComplaintId, HoldId, Reason, UserId};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(hold_case).service(hold_complaint).service(list_holds).service(end_hold);
}

/// A legal hold: while it lasts, nothing of the matter is erased.
#[derive(Serialize, ToSchema)]
struct HoldView {
    #[schema(value_type = Uuid)]
    id: HoldId,
    /// The case that it holds.
    #[schema(value_type = Option<Uuid>)]
    case_id: Option<CaseId>,
    /// The complaint that it holds, with the case that the complaint joins.
    #[schema(value_type = Option<Uuid>)]
    complaint_id: Option<ComplaintId>,
    /// Why; null once the matter was erased.
    reason: Option<String>,
    /// Who set it.
    #[schema(value_type = Uuid)]
    set_by: UserId,
    /// When.
    set_at: DateTime<Utc>,
    /// Who ended it; null while it lasts.
    #[schema(value_type = Option<Uuid>)]
    ended_by: Option<UserId>,
    /// When.
    ended_at: Option<DateTime<Utc>>,
    /// Why.
    end_reason: Option<String>,
    /// Counts its changes; send it back in `If-Match`.
    version: i32,
}

impl From<Hold> for HoldView {
    fn from(hold: Hold) -> Self {
        let Hold {
            id,
            case_id,
            complaint_id,
            reason,
            set_by,
            set_at,
            ended_by,
            ended_at,
            end_reason,
            version,
        } = hold;
        Self { id, case_id, complaint_id, reason, set_by, set_at, ended_by, ended_at, end_reason, version }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "The High Court asked for the file to be kept."}))]
struct SetHold {
    /// Why.
    reason: String,
}

async fn hold(
    temwen: &Temwen,
    caller: &SignedIn,
    about: About,
    key: &IdempotencyKey,
    body: Body<SetHold>,
) -> Result<HttpResponse> {
    let reason = Reason::parse(&body.value.reason).map_err(|why| Error::fault("/reason", why))?;
    idempotency::once(temwen, &caller.0, "holds.set", key, &body.bytes, async |tx| {
        let (hold, matter) = holds::set(tx, about, &reason).await?;
        Ok(Created::new(HoldView::from(hold)).version(1).within(matter))
    })
    .await
}

/// Put a case under a legal hold: nothing of it is erased while the hold lasts.
///
/// A matter may be held several times; each hold ends by itself. Whoever sets one does not end it.
#[utoipa::path(tag = "retention", security(("token" = [])), request_body = SetHold,
    params(("id" = Uuid, Path, description = "Which case"), ("Idempotency-Key" = Option<String>, Header, description = "Repeats get the first answer again")),
    responses((status = 201, body = HoldView, description = "The hold"), Refusal))]
#[post("/cases/{id}/holds")]
async fn hold_case(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<CaseId>,
    key: IdempotencyKey,
    body: Body<SetHold>,
) -> Result<HttpResponse> {
    hold(&temwen, &caller, About::Case(*id), &key.at(id.uuid()), body).await
}

/// Put a complaint that has no case under a legal hold, and with it the case that it may join.
///
/// Of a complaint that belongs to a case, the case is held.
#[utoipa::path(tag = "retention", security(("token" = [])), request_body = SetHold,
    params(("id" = Uuid, Path, description = "Which complaint"), ("Idempotency-Key" = Option<String>, Header, description = "Repeats get the first answer again")),
    responses((status = 201, body = HoldView, description = "The hold"), Refusal))]
#[post("/complaints/{id}/holds")]
async fn hold_complaint(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<ComplaintId>,
    key: IdempotencyKey,
    body: Body<SetHold>,
) -> Result<HttpResponse> {
    hold(&temwen, &caller, About::Complaint(*id), &key.at(id.uuid()), body).await
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListHolds {
    /// Only those that last (`true`) or have ended (`false`).
    lasting: Option<bool>,
    /// How many at most, 1 to 200; 50 unless given.
    limit: Option<u32>,
    /// The cursor of the page before.
    after: Option<String>,
}

/// List legal holds, oldest first. That you read them is recorded.
///
/// Only those of matters that the caller may know of.
#[utoipa::path(tag = "retention", security(("token" = [])), params(ListHolds),
    responses((status = 200, body = Items<HoldView>, description = "A page of holds"), Refusal))]
#[get("/holds")]
async fn list_holds(
    temwen: Data<Temwen>,
    caller: SignedIn,
    request: HttpRequest,
    query: Params<ListHolds>,
) -> Result<HttpResponse> {
    let ListHolds { lasting, limit, after } = query.0;
    let page = Page::parse(&temwen.keys, "holds", limit, after.as_deref())?;
    let read = async |tx: &mut _| holds::read(tx, lasting, page.after, page.rows()).await;
    let rows = temwen.db.write(&caller.0, "holds.read", read).await?;
    let position = |hold: &Hold| (hold.set_at, hold.id.uuid());
    Ok(page::answer(&temwen.keys, "holds", page, rows, position, HoldView::from, &request))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "The court has ended its proceedings."}))]
struct EndHold {
    /// Why.
    reason: String,
}

/// End a legal hold that another officer set.
///
/// Whoever set it cannot end it. Other holds of the matter last on.
#[utoipa::path(tag = "retention", security(("token" = [])), request_body = EndHold,
    params(("id" = Uuid, Path, description = "Which hold"), ("If-Match" = String, Header, description = "The version that you saw")),
    responses((status = 200, body = HoldView, description = "The ended hold"), Refusal))]
#[post("/holds/{id}/end")]
async fn end_hold(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<HoldId>,
    seen: IfMatch,
    body: Body<EndHold>,
) -> Result<HttpResponse> {
    let reason = Reason::parse(&body.value.reason).map_err(|why| Error::fault("/reason", why))?;
    let end = async |tx: &mut _| holds::end(tx, *id, seen.0, &reason).await;
    let hold = temwen.db.write(&caller.0, "holds.end", end).await?;
    Ok(versioned(hold.version, &HoldView::from(hold)))
}
