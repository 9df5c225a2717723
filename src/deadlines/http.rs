//! Deadlines over HTTP.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Deadline, Filter};
use crate::auth::policy::{self, Action};
use crate::error::{Error, Result};
use crate::http::body::Body;
use crate::http::extract::{IfMatch, Params, SignedIn};
use crate::http::page::{self, Items, Page};
use crate::http::problem::Refusal;
use crate::http::versioned;
use crate::temwen::Temwen;
use crate::values::{CaseId, ComplaintId, DeadlineId, Reason};

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(list_deadlines).service(pause_deadline).service(resume_deadline);
}

/// A time limit.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeadlineView {
    #[schema(value_type = Uuid)]
    id: DeadlineId,
    /// The complaint it runs for, if it is one of a complaint.
    #[schema(value_type = Option<Uuid>)]
    complaint_id: Option<ComplaintId>,
    /// The case it runs for, if it is one of a case.
    #[schema(value_type = Option<Uuid>)]
    case_id: Option<CaseId>,
    /// The policy's number, such as `D1`.
    code: String,
    /// What is due.
    name: String,
    /// When it began.
    starts_at: DateTime<Utc>,
    /// When it is due.
    due_at: DateTime<Utc>,
    /// When it was met.
    met_at: Option<DateTime<Utc>>,
    /// When it fell away.
    cancelled_at: Option<DateTime<Utc>>,
    /// Since when it is paused.
    paused_at: Option<DateTime<Utc>>,
    /// Whether it is missed now.
    overdue: bool,
    /// Whether the policy lets it be paused.
    pausable: bool,
    /// How many rungs of the ladder it has climbed.
    escalation: i32,
    /// The role that was told last.
    escalated_to: Option<String>,
    /// When that was.
    escalated_at: Option<DateTime<Utc>>,
    /// Counts its changes; send it back in `If-Match`.
    version: i32,
}

impl DeadlineView {
    pub(crate) fn at(now: DateTime<Utc>, deadline: Deadline) -> Self {
        let overdue = deadline.is_overdue(now);
        let Deadline {
            id,
            complaint_id,
            case_id,
            code,
            name,
            starts_at,
            due_at,
            met_at,
            cancelled_at,
            paused_at,
            pausable,
            escalation,
            escalated_to,
            escalated_at,
            version,
            ..
        } = deadline;
        Self {
            id,
            complaint_id,
            case_id,
            code,
            name,
            starts_at,
            due_at,
            met_at,
            cancelled_at,
            paused_at,
            overdue,
            pausable,
            escalation,
            escalated_to,
            escalated_at,
            version,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListDeadlines {
    /// Only missed ones (`true`) or only others (`false`).
    overdue: Option<bool>,
    /// Only those that still run (`true`) or are over (`false`).
    open: Option<bool>,
    /// Only those due before this moment.
    due_before: Option<DateTime<Utc>>,
    /// Only those of this name, such as `acknowledgement`.
    name: Option<String>,
    /// How many at most, 1 to 200; 50 unless given.
    limit: Option<u32>,
    /// The cursor of the page before.
    after: Option<String>,
}

/// List deadlines across the matters that you may know of, the earliest due first.
///
/// The earliest due first, of all matters that the caller may know of.
#[utoipa::path(tag = "deadlines", security(("token" = [])), params(ListDeadlines),
    responses((status = 200, body = Items<DeadlineView>, description = "A page of deadlines"), Refusal))]
#[get("/deadlines")]
async fn list_deadlines(
    temwen: Data<Temwen>,
    caller: SignedIn,
    request: HttpRequest,
    query: Params<ListDeadlines>,
) -> Result<HttpResponse> {
    let ListDeadlines { overdue, open, due_before, name, limit, after } = query.0;
    if !policy::allows(&caller.0.actor, Action::ReadDeadlines) {
        return Err(Error::forbidden());
    }
    let page = Page::parse(&temwen.keys, "deadlines", limit, after.as_deref())?;
    let filter = Filter { overdue, open, due_before, name };
    let (scope, now) = (temwen.db.scope(&caller.0), temwen.clock.now());
    let user = caller.0.actor.user().ok_or_else(Error::forbidden)?;
    let rows = temwen
        .db
        .read(&caller.0, async |conn| {
            super::due(conn, &scope, user, &filter, now, page.after, page.rows()).await
        })
        .await?;
    let position = |deadline: &Deadline| (deadline.due_at, deadline.id.uuid());
    Ok(page::answer(
        &temwen.keys,
        "deadlines",
        page,
        rows,
        position,
        |deadline| DeadlineView::at(now, deadline),
        &request,
    ))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "The court asked us to wait for its hearing."}))]
struct PauseDeadline {
    /// On what ground.
    reason: String,
}

/// Pause a deadline, with a reason.
///
/// Only those that the policy lets pause. The time that passes until it is resumed is added to the date on
/// which it is due.
#[utoipa::path(tag = "deadlines", security(("token" = [])), request_body = PauseDeadline,
    params(("id" = Uuid, Path, description = "Which deadline"), ("If-Match" = String, Header, description = "The version that you saw")),
    responses((status = 200, body = DeadlineView, description = "The paused deadline"), Refusal))]
#[post("/deadlines/{id}/pause")]
async fn pause_deadline(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<DeadlineId>,
    seen: IfMatch,
    body: Body<PauseDeadline>,
) -> Result<HttpResponse> {
    let reason = Reason::parse(&body.value.reason).map_err(|why| Error::fault("/reason", why))?;
    let deadline = temwen
        .db
        .write(&caller.0, "deadlines.pause", async |tx| super::pause(tx, *id, seen.0, &reason).await)
        .await?;
    Ok(versioned(deadline.version, &DeadlineView::at(temwen.clock.now(), deadline)))
}

/// Let a paused deadline run on; it is due later by as long as it rested.
///
/// The date on which it is due moves by the time for which it was paused.
#[utoipa::path(tag = "deadlines", security(("token" = [])),
    params(("id" = Uuid, Path, description = "Which deadline"), ("If-Match" = String, Header, description = "The version that you saw")),
    responses((status = 200, body = DeadlineView, description = "The running deadline"), Refusal))]
#[post("/deadlines/{id}/resumption")]
async fn resume_deadline(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<DeadlineId>,
    seen: IfMatch,
) -> Result<HttpResponse> {
    let resume = async |tx: &mut _| super::resume(tx, &temwen.policy, *id, seen.0).await;
    let deadline = temwen.db.write(&caller.0, "deadlines.resume", resume).await?;
    Ok(versioned(deadline.version, &DeadlineView::at(temwen.clock.now(), deadline)))
}
