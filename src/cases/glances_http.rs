//! Glances over HTTP.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::glances::{self, Decision, Glance, Wanted};
use crate::auth::policy::{self, Action};
use crate::error::{Error, Result};
use crate::http::body::Body;
use crate::http::extract::{IfMatch, Params, SignedIn};
use crate::http::idempotency::{self, Created, IdempotencyKey};
use crate::http::page::{self, Items, Page};
use crate::http::problem::Refusal;
use crate::http::versioned;
use crate::temwen::Temwen;
use crate::values::{CaseId, Faults, GlanceId, Reason, UserId};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(ask_to_glance).service(list_glances).service(decide_glance);
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"case": "COA-2026-000123", "reason": "The victim is at the gate and nobody who works on the case can be reached."}))]
struct AskToGlance {
    /// The id or the number of the case.
    case: String,
    /// Why.
    reason: String,
}

/// What every wish is answered with.
#[derive(Serialize, ToSchema)]
struct Noted {
    /// The wish's own id.
    #[schema(value_type = Uuid)]
    id: GlanceId,
}

/// Ask to read, in an emergency, a case that you do not see.
///
/// The answer is the same whether there is such a case or not. If a second officer agrees, the case can be read for four hours, and
/// not be changed; an entry tells whoever checks the record. What is walled from you stays hidden.
#[utoipa::path(tag = "cases", security(("token" = [])), request_body = AskToGlance,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats get the first answer again")),
    responses((status = 202, body = Noted, description = "It is noted"), Refusal))]
#[post("/break-glass")]
async fn ask_to_glance(
    temwen: Data<Temwen>,
    caller: SignedIn,
    key: IdempotencyKey,
    body: Body<AskToGlance>,
) -> Result<HttpResponse> {
    if !policy::allows(&caller.0.actor, Action::AskToGlance) {
        return Err(Error::forbidden());
    }
    let AskToGlance { case, reason } = body.value;
    let mut faults = Faults::default();
    let wanted = faults.take("/case", Wanted::parse(case.trim()));
    let reason = faults.take("/reason", Reason::parse(reason));
    let (wanted, reason) = faults.none_or(wanted.zip(reason))?;
    idempotency::once(&temwen, &caller.0, "glances.ask", &key, &body.bytes, async |tx| {
        let id = glances::ask(tx, &temwen.register, &wanted, &reason).await?;
        Ok(Created::new(Noted { id }).status(StatusCode::ACCEPTED))
    })
    .await
}

/// A wish to read a case.
#[derive(Serialize, ToSchema)]
struct GlanceView {
    #[schema(value_type = Uuid)]
    id: GlanceId,
    /// The case.
    #[schema(value_type = Option<Uuid>)]
    case_id: Option<CaseId>,
    /// Who asks.
    #[schema(value_type = Uuid)]
    user_id: UserId,
    /// Why.
    reason: String,
    /// When.
    asked_at: DateTime<Utc>,
    /// Whether a second officer agreed; null while it waits.
    approved: Option<bool>,
    /// Who decided.
    #[schema(value_type = Option<Uuid>)]
    decided_by: Option<UserId>,
    /// When.
    decided_at: Option<DateTime<Utc>>,
    /// Why.
    decision_reason: Option<String>,
    /// Until when the case can be read.
    ends_at: Option<DateTime<Utc>>,
    /// Counts its changes; send it back in `If-Match`.
    version: i32,
}

impl From<Glance> for GlanceView {
    fn from(Glance { kept, reason, decision_reason }: Glance) -> Self {
        Self {
            id: kept.id,
            case_id: kept.case_id,
            user_id: kept.user_id,
            reason,
            asked_at: kept.asked_at,
            approved: kept.approved,
            decided_by: kept.decided_by,
            decided_at: kept.decided_at,
            decision_reason,
            ends_at: kept.ends_at,
            version: kept.version,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListGlances {
    /// Only those that wait (`true`) or are decided (`false`).
    waiting: Option<bool>,
    /// How many at most, 1 to 200; 50 unless given.
    limit: Option<u32>,
    /// The cursor of the page before.
    after: Option<String>,
}

/// List who asked to read a case in an emergency, oldest first. That you read it is recorded.
///
/// Only wishes for cases that you may know of.
#[utoipa::path(tag = "cases", security(("token" = [])), params(ListGlances),
    responses((status = 200, body = Items<GlanceView>, description = "A page of wishes"), Refusal))]
#[get("/break-glass")]
async fn list_glances(
    temwen: Data<Temwen>,
    caller: SignedIn,
    request: HttpRequest,
    query: Params<ListGlances>,
) -> Result<HttpResponse> {
    let ListGlances { waiting, limit, after } = query.0;
    let page = Page::parse(&temwen.keys, "glances", limit, after.as_deref())?;
    let rows = glances::read(&temwen, &caller.0, waiting, page.after, page.rows()).await?;
    let position = |glance: &Glance| (glance.kept.asked_at, glance.kept.id.uuid());
    Ok(page::answer(&temwen.keys, "glances", page, rows, position, GlanceView::from, &request))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"approve": true, "reason": "The duty officer confirms it."}))]
struct DecideGlance {
    /// Whether they may read it.
    approve: bool,
    /// Why.
    reason: String,
}

/// Let somebody read a case in an emergency, for four hours, or refuse it.
///
/// For a PSEA coordinator or an OHCHR monitor who sees the case themself, and never for whoever asks.
#[utoipa::path(tag = "cases", security(("token" = [])), request_body = DecideGlance,
    params(("id" = Uuid, Path, description = "Which wish"), ("If-Match" = String, Header, description = "The version that you saw")),
    responses((status = 200, body = GlanceView, description = "The wish"), Refusal))]
#[post("/break-glass/{id}/decision")]
async fn decide_glance(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<GlanceId>,
    seen: IfMatch,
    body: Body<DecideGlance>,
) -> Result<HttpResponse> {
    let reason = Reason::parse(&body.value.reason).map_err(|why| Error::fault("/reason", why))?;
    let decision = Decision { approve: body.value.approve, reason };
    let glance = temwen
        .db
        .write(&caller.0, "glances.decide", async |tx| {
            glances::decide(tx, &temwen.register, *id, seen.0, &decision).await
        })
        .await?;
    Ok(versioned(glance.kept.version, &GlanceView::from(glance)))
}
