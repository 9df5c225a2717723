//! Reveals over HTTP.

use actix_web::http::header;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::consent::{Basis, Lack, Purpose};
use super::identity::Identity;
use super::reveal::{self, Outcome, Read, Told};
use super::{At, Keep, Named, PartyRole};
use crate::error::{Error, Result};
use crate::http::body::Body;
use crate::http::extract::{IfMatch, Params, SignedIn};
use crate::http::page::{self, Items, Page};
use crate::http::problem::Refusal;
use crate::http::versioned;
use crate::temwen::Temwen;
use crate::values::{CaseId, ComplaintId, Reason, RevealId, UserId};

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(reveal_party)
        .service(reveal_party_of_complaint)
        .service(list_reveals)
        .service(decide_reveal);
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"purpose": "investigate", "reason": "To hear her account of the evening."}))]
struct RevealParty {
    /// What you need to know it for.
    purpose: Purpose,
    /// Why.
    reason: String,
}

/// Who somebody is. What makes contacting them safe stands beside every contact: keep to it.
#[derive(Serialize, ToSchema)]
struct RevealedView {
    /// The reveal that this was; it stands in the record.
    #[schema(value_type = Uuid)]
    reveal_id: RevealId,
    /// What everybody calls them.
    pseudonym: String,
    /// Their part.
    role: PartyRole,
    /// What it was revealed for, and for nothing else.
    purpose: Purpose,
    /// On what ground.
    basis: Basis,
    /// Until when it can be read again under the same approval.
    valid_until: Option<DateTime<Utc>>,
    /// Which version of what is known of them this is.
    version: i32,
    /// Who they are.
    identity: Identity,
    /// Whether it is known how to reach them, and not told for this purpose.
    contact_withheld: bool,
}

impl From<Told> for RevealedView {
    fn from(told: Told) -> Self {
        let Told { reveal, party, purpose, basis, valid_until, identity, contact_withheld, version } = told;
        Self {
            reveal_id: reveal,
            pseudonym: party.pseudonym,
            role: party.role,
            purpose,
            basis,
            valid_until,
            version,
            identity,
            contact_withheld,
        }
    }
}

/// A reveal, or a request for one.
#[derive(Serialize, ToSchema)]
struct RevealView {
    #[schema(value_type = Uuid)]
    id: RevealId,
    /// Of whom, by id.
    party_id: Uuid,
    /// Of whom.
    pseudonym: String,
    /// For what.
    purpose: Purpose,
    /// On what ground; `second_person` while it waits for one, too.
    basis: Basis,
    /// The consents that there were not.
    missing: Vec<String>,
    /// Whether they were absent, given under a condition, or refused; or whether it waits because an earlier reveal was refused.
    lack: Option<Lack>,
    /// The conditions: approve only if they are met.
    conditions: Vec<String>,
    /// Who asked.
    #[schema(value_type = Uuid)]
    asked_by: UserId,
    /// When.
    asked_at: DateTime<Utc>,
    /// Why; null once it was erased.
    reason: Option<String>,
    /// Whether it was approved (`true`) or refused (`false`); null while it waits, and where nobody has to decide.
    approved: Option<bool>,
    /// By whom.
    #[schema(value_type = Option<Uuid>)]
    decided_by: Option<UserId>,
    /// When.
    decided_at: Option<DateTime<Utc>>,
    /// Why.
    decision_reason: Option<String>,
    /// Until when whoever asked may read it.
    valid_until: Option<DateTime<Utc>>,
    /// Counts its changes; send it back in `If-Match`.
    version: i32,
}

impl From<Read> for RevealView {
    fn from(read: Read) -> Self {
        let Read { reveal, pseudonym, reason, decision_reason, conditions } = read;
        Self {
            id: reveal.id,
            party_id: reveal.party_id.uuid(),
            pseudonym,
            purpose: reveal.purpose,
            basis: reveal.basis,
            missing: reveal.missing,
            lack: reveal.lack,
            conditions,
            asked_by: reveal.asked_by,
            asked_at: reveal.asked_at,
            reason,
            approved: reveal.approved,
            decided_by: reveal.decided_by,
            decided_at: reveal.decided_at,
            decision_reason,
            valid_until: reveal.valid_until,
            version: reveal.version,
        }
    }
}

async fn asked(
    temwen: &Temwen,
    caller: &SignedIn,
    at: At,
    party: &str,
    body: RevealParty,
) -> Result<HttpResponse> {
    let named = Named::parse(party)?;
    let reason = Reason::parse(&body.reason).map_err(|why| Error::fault("/reason", why))?;
    let work =
        async |tx: &mut _| reveal::reveal(tx, Keep::of(temwen), at, &named, body.purpose, &reason).await;
    Ok(match temwen.db.write(&caller.0, "parties.reveal", work).await? {
        Outcome::Told(told) => HttpResponse::Ok().json(RevealedView::from(*told)),
        Outcome::Waits(waits) => {
            let view = RevealView::from(*waits);
            HttpResponse::Accepted()
                .insert_header((header::ETAG, format!("\"{}\"", view.version)))
                .insert_header((header::LOCATION, format!("/v1/reveals/{}/decision", view.id)))
                .json(view)
        }
    })
}

/// Ask who a person of a case is, for a purpose.
///
/// It depends on your role, on what you have to do with the case, and on what the person agreed to. Without their consent it waits
/// for a second officer (202); ask again once they approved, within four hours. So it does where an officer wrote down that the
/// person said no. What the person refused themself is not revealed, except for `imminent_danger` and `legal_order`, which tell
/// the auditor, and for `record` with a second officer. For `record`, how to reach the person is told only with their consent to
/// that. Each reveal is on record.
#[utoipa::path(tag = "parties", security(("token" = [])), request_body = RevealParty,
    params(("id" = Uuid, Path, description = "Which case"), ("party" = String, Path, description = "Whom: id or pseudonym")),
    responses((status = 200, body = RevealedView, description = "Who they are"),
        (status = 202, body = RevealView, description = "It waits for a second officer"), Refusal))]
#[post("/cases/{id}/parties/{party}/reveal")]
async fn reveal_party(
    temwen: Data<Temwen>,
    caller: SignedIn,
    path: Path<(CaseId, String)>,
    body: Body<RevealParty>,
) -> Result<HttpResponse> {
    asked(&temwen, &caller, At::Case(path.0), &path.1, body.value).await
}

/// Ask who a person of a complaint is, for a purpose.
///
/// As for a case, for those who take complaints in and judge them.
#[utoipa::path(tag = "parties", security(("token" = [])), request_body = RevealParty,
    params(("id" = Uuid, Path, description = "Which complaint"), ("party" = String, Path, description = "Whom: id or pseudonym")),
    responses((status = 200, body = RevealedView, description = "Who they are"),
        (status = 202, body = RevealView, description = "It waits for a second officer"), Refusal))]
#[post("/complaints/{id}/parties/{party}/reveal")]
async fn reveal_party_of_complaint(
    temwen: Data<Temwen>,
    caller: SignedIn,
    path: Path<(ComplaintId, String)>,
    body: Body<RevealParty>,
) -> Result<HttpResponse> {
    asked(&temwen, &caller, At::Complaint(path.0), &path.1, body.value).await
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListReveals {
    /// Only those that wait for a decision (`true`), or do not (`false`).
    waiting: Option<bool>,
    /// How many at most, 1 to 200; 50 unless given.
    limit: Option<u32>,
    /// The cursor of the page before.
    after: Option<String>,
}

/// List who was told, or asked to be told, who somebody is; oldest first. That you read it is recorded.
///
/// `waiting=true` lists those that a second officer has to decide about, and those made in danger or on a legal order that a
/// second officer has not signed yet.
#[utoipa::path(tag = "parties", security(("token" = [])), params(ListReveals),
    responses((status = 200, body = Items<RevealView>, description = "A page of reveals"), Refusal))]
#[get("/reveals")]
async fn list_reveals(
    temwen: Data<Temwen>,
    caller: SignedIn,
    request: HttpRequest,
    query: Params<ListReveals>,
) -> Result<HttpResponse> {
    let ListReveals { waiting, limit, after } = query.0;
    let page = Page::parse(&temwen.keys, "reveals", limit, after.as_deref())?;
    let read = async |tx: &mut _| reveal::list(tx, waiting, page.after, page.rows()).await;
    let rows = temwen.db.write(&caller.0, "reveals.list", read).await?;
    let position = |read: &Read| (read.reveal.asked_at, read.reveal.id.uuid());
    Ok(page::answer(&temwen.keys, "reveals", page, rows, position, RevealView::from, &request))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"approve": true, "reason": "She cannot be asked, and her safety depends on it."}))]
struct DecideReveal {
    /// Approve (`true`) or refuse (`false`).
    approve: bool,
    /// Why.
    reason: String,
}

/// Decide, as the second person, whether an officer may know who somebody is; or sign what danger or the law made known.
///
/// Whoever asked cannot decide. An approval is for that officer, person and purpose, and good for four hours.
#[utoipa::path(tag = "parties", security(("token" = [])), request_body = DecideReveal,
    params(("id" = Uuid, Path, description = "Which request"), ("If-Match" = String, Header, description = "The version that you saw")),
    responses((status = 200, body = RevealView, description = "The decided request"), Refusal))]
#[post("/reveals/{id}/decision")]
async fn decide_reveal(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<RevealId>,
    seen: IfMatch,
    body: Body<DecideReveal>,
) -> Result<HttpResponse> {
    let DecideReveal { approve, reason } = body.value;
    let reason = Reason::parse(&reason).map_err(|why| Error::fault("/reason", why))?;
    let work = async |tx: &mut _| reveal::decide(tx, Keep::of(&temwen), *id, seen.0, approve, &reason).await;
    let view = RevealView::from(temwen.db.write(&caller.0, "reveals.decide", work).await?);
    Ok(versioned(view.version, &view))
}
