//! Versions with passages taken out, over HTTP.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::redaction::{self, Passage, Redaction};
use crate::auth::policy::{self, Action};
use crate::error::{Error, Result};
use crate::http::body::Body;
use crate::http::extract::{Params, SignedIn};
use crate::http::idempotency::{self, Created, IdempotencyKey};
use crate::http::page::{self, Items, Page};
use crate::http::problem::Refusal;
use crate::temwen::Temwen;
use crate::values::{ComplaintId, Reason};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(redact_complaint).service(list_redactions);
}

/// A part of the narrative, in bytes of its UTF-8.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PassageGiven {
    /// Its first byte, from 0.
    from: u32,
    /// The byte after its last.
    to: u32,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"passages": [{"from": 4, "to": 17}], "reason": "It names a child."}))]
struct RedactComplaint {
    /// What is taken out: 1 to 500 passages that do not lie on each other.
    passages: Vec<PassageGiven>,
    /// Why.
    reason: String,
}

/// A version of a narrative with passages taken out.
#[derive(Serialize, ToSchema)]
struct RedactionView {
    id: Uuid,
    /// Counts the versions of the complaint, from 1.
    version: i32,
    /// What is left; `█████` stands for each passage.
    text: String,
    /// How many passages were taken out.
    passages: i32,
    /// Why.
    reason: String,
    /// Who made it.
    author_id: Uuid,
    /// When.
    made_at: DateTime<Utc>,
}

impl From<Redaction> for RedactionView {
    fn from(redaction: Redaction) -> Self {
        let Redaction { id, version, text, passages, reason, author_id, made_at } = redaction;
        Self { id: id.uuid(), version, text, passages, reason, author_id: author_id.uuid(), made_at }
    }
}

/// Take passages out of a complaint's text: makes a new version beside the original.
///
/// The original stays as it was, sealed, for those who may read it; a version is never changed either. Each version is made from
/// the original.
#[utoipa::path(tag = "complaints", security(("token" = [])), request_body = RedactComplaint,
    params(("id" = Uuid, Path, description = "Which complaint"), ("Idempotency-Key" = Option<String>, Header, description = "Repeats get the first answer again")),
    responses((status = 201, body = RedactionView, description = "The version"), Refusal))]
#[post("/complaints/{id}/redactions")]
async fn redact_complaint(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<ComplaintId>,
    key: IdempotencyKey,
    body: Body<RedactComplaint>,
) -> Result<HttpResponse> {
    let RedactComplaint { passages, reason } = body.value;
    let reason = Reason::parse(&reason).map_err(|why| Error::fault("/reason", why))?;
    let passage = |given: &PassageGiven| Passage { from: given.from as usize, to: given.to as usize };
    let passages: Vec<Passage> = passages.iter().map(passage).collect();
    idempotency::once(&temwen, &caller.0, "complaints.redact", &key.at(id.uuid()), &body.bytes, async |tx| {
        let (redaction, matter) = redaction::make(tx, *id, &passages, &reason).await?;
        Ok(Created::new(RedactionView::from(redaction)).within(matter))
    })
    .await
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListRedactions {
    /// How many at most, 1 to 200; 50 unless given.
    limit: Option<u32>,
    /// The cursor of the page before.
    after: Option<String>,
}

/// List the versions of a complaint's text with passages taken out, oldest first. That you read them is recorded.
///
/// The number of the newest version is the one to hand on.
#[utoipa::path(tag = "complaints", security(("token" = [])), params(("id" = Uuid, Path, description = "Which complaint"), ListRedactions),
    responses((status = 200, body = Items<RedactionView>, description = "A page of versions"), Refusal))]
#[get("/complaints/{id}/redactions")]
async fn list_redactions(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<ComplaintId>,
    request: HttpRequest,
    query: Params<ListRedactions>,
) -> Result<HttpResponse> {
    if !policy::allows(&caller.0.actor, Action::ReadComplaint) {
        return Err(Error::forbidden());
    }
    let page = Page::parse(&temwen.keys, "redactions", query.0.limit, query.0.after.as_deref())?;
    let rows = redaction::read(&temwen, &caller.0, *id, page.after, page.rows()).await?;
    Ok(page::answer(
        &temwen.keys,
        "redactions",
        page,
        rows,
        |redaction| (redaction.made_at, redaction.id.uuid()),
        RedactionView::from,
        &request,
    ))
}
