//! The chain of custody over HTTP.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::custody::{self, Deed, Link, Told};
use crate::error::Result;
use crate::http::body::Body;
use crate::http::extract::{Params, SignedIn};
use crate::http::idempotency::{self, Created, IdempotencyKey};
use crate::http::page::{self, Items, Page};
use crate::http::problem::Refusal;
use crate::temwen::Temwen;
use crate::values::{CaseId, CustodyEventId, EvidenceId, Faults, Reason, UserId};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(read_custody).service(tell_custody);
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Paging {
    /// How many at most, 1 to 200; 50 unless given.
    limit: Option<u32>,
    /// The cursor of the page before.
    after: Option<String>,
}

/// An event in a file's chain of custody.
#[derive(Serialize, ToSchema)]
struct CustodyView {
    #[schema(value_type = Uuid)]
    id: CustodyEventId,
    /// What happened.
    kind: Deed,
    /// Who did it, or tells of it: `user`, `reporter` or `system`.
    actor_kind: String,
    /// Which officer.
    #[schema(value_type = Option<Uuid>)]
    actor_id: Option<UserId>,
    /// When it happened.
    happened_at: DateTime<Utc>,
    /// When it was put on record.
    recorded_at: DateTime<Utc>,
    /// Where.
    place: Option<String>,
    /// What else is to be said.
    note: Option<String>,
}

impl From<Link> for CustodyView {
    fn from(link: Link) -> Self {
        let Link { row, place, note } = link;
        let custody::Row { id, kind, actor_kind, actor_id, happened_at, recorded_at, .. } = row;
        Self { id, kind, actor_kind, actor_id, happened_at, recorded_at, place, note }
    }
}

/// Read a file's chain of custody, oldest first. That you read it is recorded.
///
/// What the register saw for itself (received, viewed, derived, verified, damaged) and what officers told (collected, copied,
/// handed over, returned). Nothing in it is ever changed.
#[utoipa::path(tag = "evidence", security(("token" = [])),
    params(("id" = Uuid, Path, description = "Which case"), ("evidence" = Uuid, Path, description = "Which file"), Paging),
    responses((status = 200, body = Items<CustodyView>, description = "A page of events"), Refusal))]
#[get("/cases/{id}/evidence/{evidence}/custody")]
async fn read_custody(
    temwen: Data<Temwen>,
    caller: SignedIn,
    path: Path<(CaseId, EvidenceId)>,
    request: HttpRequest,
    query: Params<Paging>,
) -> Result<HttpResponse> {
    let (case, file) = path.into_inner();
    let page = Page::parse(&temwen.keys, "custody", query.0.limit, query.0.after.as_deref())?;
    let read =
        async |tx: &mut _| custody::read(tx, &temwen.policy, case, file, page.after, page.rows()).await;
    let rows = temwen.db.write(&caller.0, "evidence.custody", read).await?;
    let position = |link: &Link| (link.row.recorded_at, link.row.id.uuid());
    Ok(page::answer(&temwen.keys, "custody", page, rows, position, CustodyView::from, &request))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"kind": "handed_over", "happened_at": "2026-03-02T15:00:00Z", "place": "Port-au-Prince, base",
    "note": "A sealed bag with the telephone, to the forensic service."}))]
struct TellCustody {
    /// What happened: `collected`, `copied`, `handed_over` or `returned`.
    kind: Deed,
    /// When; now unless given.
    happened_at: Option<DateTime<Utc>>,
    /// Where: 3 to 4000 characters.
    place: Option<String>,
    /// What else is to be said, such as to whom it was given: 3 to 4000 characters.
    note: Option<String>,
}

/// Tell of something that happened to a file.
///
/// It is added to the chain of custody and never changed; place and note are sealed. What the register sees for itself, such
/// as that a file was viewed, cannot be told.
#[utoipa::path(tag = "evidence", security(("token" = [])), request_body = TellCustody,
    params(("id" = Uuid, Path, description = "Which case"), ("evidence" = Uuid, Path, description = "Which file"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeats get the first answer again")),
    responses((status = 201, body = CustodyView, description = "The event"), Refusal))]
#[post("/cases/{id}/evidence/{evidence}/custody")]
async fn tell_custody(
    temwen: Data<Temwen>,
    caller: SignedIn,
    path: Path<(CaseId, EvidenceId)>,
    key: IdempotencyKey,
    body: Body<TellCustody>,
) -> Result<HttpResponse> {
    let (case, file) = path.into_inner();
    let TellCustody { kind, happened_at, place, note } = body.value;
    page::moments(&[("/happened_at", happened_at)])?;
    let mut faults = Faults::default();
    let place = faults.take_some("/place", place, Reason::parse);
    let note = faults.take_some("/note", note, Reason::parse);
    faults.check()?;
    let told = Told { deed: kind, at: happened_at, place, note };
    idempotency::once(&temwen, &caller.0, "evidence.tell", &key.at(file.uuid()), &body.bytes, async |tx| {
        let (link, matter) = custody::tell(tx, &temwen.policy, case, file, &told).await?;
        Ok(Created::new(CustodyView::from(link)).within(matter))
    })
    .await
}
