//! Liftings of walls over HTTP.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::liftings::{self, Lifting};
use crate::error::{Error, Result};
use crate::http::body::Body;
use crate::http::extract::SignedIn;
use crate::http::problem::Refusal;
use crate::temwen::Temwen;
use crate::values::{CaseId, Reason, UserId};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(lift_wall);
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "Another person of the same name; the service numbers differ."}))]
struct LiftWall {
    /// Why.
    reason: String,
}

/// What became of the wall.
#[derive(Serialize, ToSchema)]
struct LiftingView {
    /// Who is not the person who is named.
    #[schema(value_type = Uuid)]
    user_id: UserId,
    /// The OHCHR monitor who says so.
    #[schema(value_type = Uuid)]
    proposed_by: UserId,
    /// When.
    proposed_at: DateTime<Utc>,
    /// The second officer; null while it waits for one.
    #[schema(value_type = Option<Uuid>)]
    confirmed_by: Option<UserId>,
    /// When they confirmed it: since then, the case exists for that account again.
    confirmed_at: Option<DateTime<Utc>>,
}

impl From<Lifting> for LiftingView {
    fn from(lifting: Lifting) -> Self {
        let Lifting { user_id, proposed_by, proposed_at, confirmed_by, confirmed_at, .. } = lifting;
        Self { user_id, proposed_by, proposed_at, confirmed_by, confirmed_at }
    }
}

/// Lift a wall that was put up because two persons share a name, or for what the roster says of somebody's unit.
///
/// An OHCHR monitor proposes it; another one, or a PSEA coordinator, does the same again and so confirms it. Only a wall that put
/// itself up is lifted, never one of a person known by a service number, and it stays on record. If a person is named later, or
/// something else is found to be the same, it stands again.
#[utoipa::path(tag = "cases", security(("token" = [])), request_body = LiftWall,
    params(("id" = Uuid, Path, description = "Which case"), ("user_id" = Uuid, Path, description = "Who is not the person who is named")),
    responses((status = 200, body = LiftingView, description = "It is lifted"), (status = 202, body = LiftingView, description = "It waits for a second officer"), Refusal))]
#[post("/cases/{id}/walls/{user_id}/lifting")]
async fn lift_wall(
    temwen: Data<Temwen>,
    caller: SignedIn,
    path: Path<(CaseId, UserId)>,
    body: Body<LiftWall>,
) -> Result<HttpResponse> {
    let (id, user) = *path;
    let reason = Reason::parse(&body.value.reason).map_err(|why| Error::fault("/reason", why))?;
    let lift = async |tx: &mut _| liftings::lift(tx, id, user, &reason).await;
    let lifting = temwen.db.write(&caller.0, "cases.lift_wall", lift).await?;
    let mut answer =
        if lifting.confirmed_at.is_some() { HttpResponse::Ok() } else { HttpResponse::Accepted() };
    Ok(answer.json(LiftingView::from(lifting)))
}
