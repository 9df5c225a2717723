//! Complaints over HTTP.

use actix_web::http::header;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::given_http::SubmitComplaint;
use super::search::{self, Hit};
use super::submission_http::Against;
use super::{Complaint, Filter, Precision, Receipt, Status};
use crate::auth::Role;
use crate::auth::policy::{self, Action};
use crate::coa::{Submitter, Vocabulary};
use crate::error::{Error, Result};
use crate::http::body::Body;
use crate::http::extract::{AcceptLanguage, Anyone, IfMatch, Params, SignedIn};
use crate::http::idempotency::IdempotencyKey;
use crate::http::page::{self, Items, Page};
use crate::http::problem::Refusal;
use crate::http::versioned;
use crate::http::work::Admitted;
use crate::temwen::Temwen;
use crate::values::{CaseId, ComplaintId, UserId, Words};
use crate::words::Asked;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(submit_complaint)
        .service(list_complaints)
        .service(acknowledge_complaint)
        .configure(super::file_http::routes)
        .configure(super::receipt_http::routes)
        .configure(super::redaction_http::routes)
        .configure(super::thread_http::routes);
}

/// What somebody gets who hands in a complaint.
#[derive(Serialize, ToSchema)]
struct ReceiptView {
    /// The complaint's id.
    #[schema(value_type = Uuid)]
    id: ComplaintId,
    /// Safe to say aloud: `TW-XXXX-XXXX`.
    reference: String,
    /// Opens the reporter's thread together with the reference. Shown here and nowhere else.
    access_code: Option<String>,
    /// When it was stored.
    received_at: DateTime<Utc>,
    /// Always `received`.
    status: Status,
    /// By when its arrival is confirmed.
    acknowledge_by: DateTime<Utc>,
    /// Where to go on.
    links: Links,
}

/// Addresses to go on with.
#[derive(Serialize, ToSchema)]
struct Links {
    /// Open the reporter's thread there, with reference and access code.
    thread: &'static str,
    /// The policy that applies.
    policy: &'static str,
}

impl From<Receipt> for ReceiptView {
    fn from(receipt: Receipt) -> Self {
        Self {
            id: receipt.id,
            reference: receipt.reference,
            access_code: receipt.access_code.map(|code| code.to_string()),
            received_at: receipt.received_at,
            status: Status::Received,
            acknowledge_by: receipt.acknowledge_by,
            links: Links { thread: "/v1/reporter/sessions", policy: "/v1/policy" },
        }
    }
}

/// Hand in a complaint. Anybody may, and need not say who they are.
///
/// With the same `submission_id` and the same body the first answer comes again, for ever; with another body, 409. The
/// narrative is kept exactly as it was sent, and never changes afterwards. An officer may hand in what somebody told them.
/// When very many come at once, whoever has no account is asked for a proof of work (429, `work-required`), or waits.
#[utoipa::path(tag = "complaints", security((), ("token" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "In place of a `submission_id`: repeats get the first answer again"),
        ("X-Proof-Of-Work" = Option<String>, Header, description = "Where 429 `work-required` asked for it: its `challenge`, a dot, and a nonce")),
    request_body = SubmitComplaint,
    responses(
        (status = 201, body = ReceiptView, description = "It is stored"),
        (status = 200, body = ReceiptView, description = "It was stored before, by the same submission; the first answer again"),
        Refusal))]
#[post("/complaints")]
async fn submit_complaint(
    temwen: Data<Temwen>,
    caller: Anyone,
    _admitted: Admitted,
    language: AcceptLanguage,
    key: IdempotencyKey,
    body: Body<SubmitComplaint>,
) -> Result<HttpResponse> {
    let name = caller.0.actor.identity().name;
    let keyed = key
        .digest(&temwen.keys, &name)
        .map(|digest| Uuid::new_v8(digest.first_chunk().copied().unwrap_or_default()));
    let officer = policy::allows(&caller.0.actor, Action::SubmitForSomebody);
    let against = Against {
        policy: &temwen.policy,
        now: temwen.clock.now(),
        submitter: if officer { Submitter::Officer } else { Submitter::Public },
        language: language.choose(None),
        keyed,
    };
    let submission = body.value.parse(&against)?;
    let receipt = super::submit(&temwen, &caller.0, &submission).await?;
    let by_key = submission.keyed == super::submission::Keyed::ByIdempotencyKey;
    let mut response = if receipt.repeated && !by_key { HttpResponse::Ok() } else { HttpResponse::Created() };
    Ok(response
        .insert_header((header::LOCATION, format!("/v1/complaints/{}", receipt.id)))
        .json(ReceiptView::from(receipt)))
}

/// A complaint as officers see it in a list: how it is handled, without anybody's words.
#[derive(Serialize, ToSchema)]
pub(crate) struct ComplaintView {
    #[schema(value_type = Uuid)]
    id: ComplaintId,
    /// What its reporter calls it by.
    reference: String,
    /// How far its handling has come.
    status: Status,
    /// The way it came.
    channel: String,
    /// The language it is in.
    language: String,
    /// What it is taken for now.
    category: String,
    /// What its reporter takes it for.
    reported_category: Option<String>,
    /// How soon it wants attention.
    priority: String,
    /// What rules turn on, such as `child`.
    flags: Vec<String>,
    /// Where it happened.
    department: Option<String>,
    /// The contributing country concerned.
    country: Option<String>,
    /// When it happened.
    incident_from: Option<NaiveDate>,
    /// How exactly that is known.
    incident_precision: Precision,
    /// How far its reporter is known.
    anonymity: String,
    /// When a device recorded it.
    captured_at: Option<DateTime<Utc>>,
    /// When the register stored it.
    received_at: DateTime<Utc>,
    /// When its clocks began.
    clock_start: DateTime<Utc>,
    /// When its reporter was told that it has arrived.
    acknowledged_at: Option<DateTime<Utc>>,
    /// When triage decided.
    assessed_at: Option<DateTime<Utc>>,
    /// The case it belongs to, for those who may see cases.
    #[schema(value_type = Option<Uuid>)]
    case_id: Option<CaseId>,
    /// The desk that answers for it.
    owner_role: Role,
    /// The person there.
    #[schema(value_type = Option<Uuid>)]
    owner_id: Option<UserId>,
    /// Counts its changes; send it back in `If-Match`.
    version: i32,
    /// In an answer to `q`: in what kinds of text the words were found (`narrative`, `particulars`, `message`, `name`).
    #[serde(skip_serializing_if = "Option::is_none")]
    matched: Option<Vec<&'static str>>,
}

impl ComplaintView {
    /// A complaint that was found by words.
    fn found((complaint, matched): Hit, sees_cases: bool) -> Self {
        Self { matched: Some(matched), ..Self::of(complaint, sees_cases) }
    }

    pub(crate) fn of(complaint: Complaint, sees_cases: bool) -> Self {
        let Complaint {
            id,
            reference,
            status,
            channel,
            language,
            category,
            reported_category,
            priority,
            flags,
            department,
            country,
            incident_from,
            incident_precision,
            anonymity,
            captured_at,
            received_at,
            clock_start,
            acknowledged_at,
            assessed_at,
            case_id,
            owner_role,
            owner_id,
            version,
            ..
        } = complaint;
        Self {
            id,
            reference,
            status,
            channel,
            language,
            category,
            reported_category,
            priority,
            flags,
            department,
            country,
            incident_from,
            incident_precision,
            anonymity,
            captured_at,
            received_at,
            clock_start,
            acknowledged_at,
            assessed_at,
            case_id: case_id.filter(|_| sees_cases),
            owner_role,
            owner_id,
            version,
            matched: None,
        }
    }
}

/// A complaint as whoever asks may read of it. Whoever handed it in learns nothing from it of who has an account: where it lies with
/// the OHCHR because of whom they named, it looks as any other does.
pub(crate) fn shown(temwen: &Temwen, caller: &SignedIn, complaint: Complaint) -> Complaint {
    let user = caller.0.actor.user();
    let own = user.is_some() && complaint.submitted_by == user && !temwen.db.scope(&caller.0).everything;
    if !own {
        return complaint;
    }
    let desk = match complaint.status {
        _ if complaint.owner_role != Role::OhchrMonitor => complaint.owner_role,
        _ if complaint.is_psea(&temwen.policy) => Role::PseaCoordinator,
        Status::Received | Status::Acknowledged => Role::IntakeOfficer,
        _ => Role::TriageOfficer,
    };
    let Complaint { mut flags, owner_id, .. } = complaint.clone();
    flags.retain(|flag| flag != OUTSIDE);
    Complaint { flags, owner_role: desk, owner_id: owner_id.filter(|id| Some(*id) == user), ..complaint }
}

/// The mark of what is dealt with outside the mission.
const OUTSIDE: &str = "outside";

pub(crate) fn sees_cases(caller: &SignedIn) -> bool {
    policy::allows(&caller.0.actor, Action::ReadCases)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListComplaints {
    /// `received`, `acknowledged`, `in_case`, `referred_out` or `closed`.
    status: Option<Status>,
    /// A channel of the policy.
    channel: Option<String>,
    /// A category of the policy.
    category: Option<String>,
    /// A department of the policy, such as `HT-OU`.
    department: Option<String>,
    /// `ht`, `fr`, `en` or `es`.
    language: Option<String>,
    /// Received at or after this moment.
    received_from: Option<DateTime<Utc>>,
    /// Received before this moment.
    received_to: Option<DateTime<Utc>>,
    /// Words that must all be in it, in any of the four languages; one with a `-` in front must not. No phrases, no patterns.
    q: Option<String>,
    /// How many at most, 1 to 200; 50 unless given.
    limit: Option<u32>,
    /// The cursor of the page before.
    after: Option<String>,
}

/// List complaints that you may know of, newest first.
///
/// The newest first, and only those that the caller may know of. No text is shown, so nothing is recorded;
/// the filters narrow what is seen and never widen it. With `q`, what holds these words; that somebody looked is recorded, with
/// the words as hashes, and names are only looked through for those who may read them.
#[utoipa::path(tag = "complaints", security(("token" = [])), params(ListComplaints),
    responses((status = 200, body = Items<ComplaintView>, description = "A page of complaints"), Refusal))]
#[get("/complaints")]
async fn list_complaints(
    temwen: Data<Temwen>,
    caller: SignedIn,
    request: HttpRequest,
    query: Params<ListComplaints>,
) -> Result<HttpResponse> {
    let ListComplaints {
        status,
        channel,
        category,
        department,
        language,
        received_from,
        received_to,
        q,
        limit,
        after,
    } = query.0;
    if !policy::allows(&caller.0.actor, Action::ListComplaints) {
        return Err(Error::forbidden());
    }
    temwen.policy.known_or_fault(&[
        ("channel", Vocabulary::Channel, channel.as_deref()),
        ("category", Vocabulary::Category, category.as_deref()),
        ("department", Vocabulary::Department, department.as_deref()),
        ("language", Vocabulary::Language, language.as_deref()),
    ])?;
    page::moments(&[("received_from", received_from), ("received_to", received_to)])?;
    let asked = q.as_deref().map(|q| Asked::parse(&temwen.register, q, &caller.0.actor, &search::FIELDS));
    let asked = asked.transpose()?;
    // A cursor goes on with the same words only.
    let list = q.map_or_else(|| "complaints".to_owned(), |q| format!("complaints with {q}"));
    let page = Page::parse(&temwen.keys, &list, limit, after.as_deref())?;
    let filter =
        Filter { status, channel, category, department, language, received_from, received_to, words: None };
    let (scope, sees) = (temwen.db.scope(&caller.0), sees_cases(&caller));
    if let Some(asked) = asked {
        let look = async |tx: &mut _| {
            search::search(tx, &temwen.policy, &scope, &asked, filter, page.after, page.rows()).await
        };
        let rows = temwen.db.write(&caller.0, "complaints.search", look).await?;
        let position = |(complaint, _): &Hit| (complaint.received_at, complaint.id.uuid());
        let view = |(complaint, matched): Hit| {
            ComplaintView::found((shown(&temwen, &caller, complaint), matched), sees)
        };
        return Ok(page::answer(&temwen.keys, &list, page, rows, position, view, &request));
    }
    let rows = temwen
        .db
        .read(&caller.0, async |conn| super::list(conn, &scope, &filter, page.after, page.rows()).await)
        .await?;
    let position = |complaint: &Complaint| (complaint.received_at, complaint.id.uuid());
    Ok(page::answer(
        &temwen.keys,
        "complaints",
        page,
        rows,
        position,
        |complaint| ComplaintView::of(shown(&temwen, &caller, complaint), sees),
        &request,
    ))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
struct AcknowledgeComplaint {
    /// In place of the standard text, which is in the complaint's language.
    message: Option<String>,
}

/// Tell the reporter that the complaint has arrived. Stops the clock for it.
///
/// Stops the clock of the acknowledgement. The reporter reads your message, or a standard one in their
/// language, in their thread.
#[utoipa::path(tag = "complaints", security(("token" = [])), request_body = AcknowledgeComplaint,
    params(("id" = Uuid, Path, description = "Which complaint"), ("If-Match" = String, Header, description = "The version that you saw")),
    responses((status = 200, body = ComplaintView, description = "The acknowledged complaint"), Refusal))]
#[post("/complaints/{id}/acknowledgement")]
async fn acknowledge_complaint(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<ComplaintId>,
    seen: IfMatch,
    body: Body<AcknowledgeComplaint>,
) -> Result<HttpResponse> {
    let message =
        body.value.message.map(Words::parse).transpose().map_err(|why| Error::fault("/message", why))?;
    let acknowledge = async |tx: &mut _| {
        super::acknowledge(tx, &temwen.policy, &temwen.texts, *id, seen.0, message.as_ref()).await
    };
    let complaint = temwen.db.write(&caller.0, "complaints.acknowledge", acknowledge).await?;
    let complaint = shown(&temwen, &caller, complaint);
    Ok(versioned(complaint.version, &ComplaintView::of(complaint, sees_cases(&caller))))
}
