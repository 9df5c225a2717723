//! Assignments, recusals and walls over HTTP.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::http::CaseView;
use super::people::{self, NewAssignment, Wall, WallKind};
use crate::auth::Role;
use crate::auth::policy::{self, Action};
use crate::error::{Error, Result};
use crate::http::body::Body;
use crate::http::extract::{IfMatch, SignedIn};
use crate::http::problem::Refusal;
use crate::http::versioned;
use crate::temwen::Temwen;
use crate::values::{CaseId, ComplaintId, Reason, UserId};

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(assign_case)
        .service(unassign_case)
        .service(recuse_from_case)
        .service(list_walls)
        .service(wall_case)
        .service(wall_complaint);
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"user_id": "0199c0de-0000-7000-8000-000000000001", "role": "investigator", "conflict_declared": false}))]
struct AssignCase {
    /// Who is to work on it.
    #[schema(value_type = Uuid)]
    user_id: UserId,
    /// As what: `investigator`, `victim_support`, `legal_liaison` or `triage_officer`.
    role: Option<Role>,
    /// Whether they declare a conflict of interest. Silence is no declaration.
    conflict_declared: bool,
}

/// Set somebody to work on a case.
///
/// The person must hold a role that can be assigned, must declare no conflict of interest, and must not
/// have acted in the case in a way that excludes it.
#[utoipa::path(tag = "cases", security(("token" = [])), request_body = AssignCase,
    params(("id" = Uuid, Path, description = "Which case"), ("If-Match" = String, Header, description = "The version that you saw")),
    responses((status = 200, body = CaseView, description = "The case"), Refusal))]
#[post("/cases/{id}/assignments")]
async fn assign_case(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<CaseId>,
    seen: IfMatch,
    body: Body<AssignCase>,
) -> Result<HttpResponse> {
    let AssignCase { user_id, role, conflict_declared } = body.value;
    let new = NewAssignment { user: user_id, role, conflict_declared };
    let case = temwen
        .db
        .write(&caller.0, "cases.assign", async |tx| people::assign(tx, *id, seen.0, &new).await)
        .await?;
    Ok(versioned(case.version, &CaseView::from(case)))
}

/// End somebody's work on a case.
///
/// The assignment stays on record with its end. Whoever saw the case only through it no longer does.
#[utoipa::path(tag = "cases", security(("token" = [])),
    params(("id" = Uuid, Path, description = "Which case"), ("user_id" = Uuid, Path, description = "Whose work ends"),
        ("If-Match" = String, Header, description = "The version that you saw")),
    responses((status = 200, body = CaseView, description = "The case"), Refusal))]
#[delete("/cases/{id}/assignments/{user_id}")]
async fn unassign_case(
    temwen: Data<Temwen>,
    caller: SignedIn,
    path: Path<(CaseId, UserId)>,
    seen: IfMatch,
) -> Result<HttpResponse> {
    let (id, user) = *path;
    let case = temwen
        .db
        .write(&caller.0, "cases.unassign", async |tx| people::unassign(tx, id, seen.0, user).await)
        .await?;
    Ok(versioned(case.version, &CaseView::from(case)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "I served in the same unit."}))]
struct RecuseFromCase {
    /// Why.
    reason: String,
}

/// Step back from a case. From then on it does not exist for you.
///
/// Nobody can take it back, and the reason stays on record. Somebody else has to be assigned.
#[utoipa::path(tag = "cases", security(("token" = [])), request_body = RecuseFromCase, params(("id" = Uuid, Path, description = "Which case")),
    responses((status = 204, description = "You have stepped back"), Refusal))]
#[post("/cases/{id}/recusals")]
async fn recuse_from_case(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<CaseId>,
    body: Body<RecuseFromCase>,
) -> Result<HttpResponse> {
    let reason = Reason::parse(&body.value.reason).map_err(|why| Error::fault("/reason", why))?;
    temwen.db.write(&caller.0, "cases.recuse", async |tx| people::recuse(tx, *id, &reason).await).await?;
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"user_id": "0199c0de-0000-7000-8000-000000000001", "reason": "Commands the unit concerned."}))]
struct PutUpWall {
    /// For whom it shall not exist.
    #[schema(value_type = Uuid)]
    user_id: UserId,
    /// Why.
    reason: String,
}

/// A wall around a case.
#[derive(Serialize, ToSchema)]
struct WallView {
    /// For whom the case does not exist.
    user_id: Uuid,
    /// Whether it was hidden from them, they stepped back, or it put itself up.
    kind: WallKind,
    /// Why.
    reason: Option<String>,
    /// Who put it up; null if it put itself up.
    put_up_by: Option<Uuid>,
    /// Of one that put itself up: whether they are the `person` who is named, serve in the `unit` of a subject, or `command` above it.
    matched: Option<String>,
    /// Of one that put itself up: whether a `name`, a `service_number` or a `unit` was the same. All can be
    /// lifted but that of a `person` known by a `service_number`.
    rests_on: Option<String>,
    /// When.
    put_up_at: DateTime<Utc>,
}

impl From<Wall> for WallView {
    fn from(wall: Wall) -> Self {
        let Wall { user_id, kind, reason, put_up_by, matched, rests_on, put_up_at } = wall;
        let put_up_by = put_up_by.map(UserId::uuid);
        Self { user_id: user_id.uuid(), kind, reason, put_up_by, matched, rests_on, put_up_at }
    }
}

/// The walls around a case.
#[derive(Serialize, ToSchema)]
struct WallList {
    /// In the order in which they were put up.
    items: Vec<WallView>,
}

/// List for whom a case does not exist. That you read it is recorded.
///
/// Recusals are listed too. That you read it is recorded.
#[utoipa::path(tag = "cases", security(("token" = [])), params(("id" = Uuid, Path, description = "Which case")),
    responses((status = 200, body = WallList, description = "Its walls"), Refusal))]
#[get("/cases/{id}/walls")]
async fn list_walls(temwen: Data<Temwen>, caller: SignedIn, id: Path<CaseId>) -> Result<HttpResponse> {
    if !policy::allows(&caller.0.actor, Action::PutUpWall) {
        return Err(Error::forbidden());
    }
    let walls = people::walls(&temwen, &caller.0, *id).await?;
    Ok(HttpResponse::Ok().json(WallList { items: walls.into_iter().map(WallView::from).collect() }))
}

/// Hide a case from an account: silently, and stronger than every role.
///
/// The case, its complaints and everything of them then answer 404 to that person, whatever their roles,
/// and are counted nowhere for them. They are not told.
#[utoipa::path(tag = "cases", security(("token" = [])), request_body = PutUpWall, params(("id" = Uuid, Path, description = "Which case")),
    responses((status = 204, description = "It does not exist for them any more"), Refusal))]
#[post("/cases/{id}/walls")]
async fn wall_case(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<CaseId>,
    body: Body<PutUpWall>,
) -> Result<HttpResponse> {
    let PutUpWall { user_id, reason } = body.value;
    let reason = Reason::parse(&reason).map_err(|why| Error::fault("/reason", why))?;
    temwen
        .db
        .write(&caller.0, "cases.wall", async |tx| people::wall_case(tx, *id, user_id, &reason).await)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Hide a complaint from an account, and whatever case grows from it.
///
/// It then answers 404 to that person, whatever their roles, together with the case that it may have
/// become. They are not told.
#[utoipa::path(tag = "complaints", security(("token" = [])), request_body = PutUpWall, params(("id" = Uuid, Path, description = "Which complaint")),
    responses((status = 204, description = "It does not exist for them any more"), Refusal))]
#[post("/complaints/{id}/walls")]
async fn wall_complaint(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<ComplaintId>,
    body: Body<PutUpWall>,
) -> Result<HttpResponse> {
    let PutUpWall { user_id, reason } = body.value;
    let reason = Reason::parse(&reason).map_err(|why| Error::fault("/reason", why))?;
    temwen
        .db
        .write(&caller.0, "complaints.wall", async |tx| {
            people::wall_complaint(tx, *id, user_id, &reason).await
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
