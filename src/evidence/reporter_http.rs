//! Reporters give files to their own complaint, by the tus protocol, and are told that they are there: nothing else.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, delete, get, head, options, patch, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::tus_http::{self as tus, UploadView, spoken};
use super::{Evidence, Home};
use crate::error::{Error, Result};
use crate::http::extract::{Params, Reporter};
use crate::http::idempotency::IdempotencyKey;
use crate::http::page::{self, Items, Page};
use crate::http::problem::Refusal;
use crate::temwen::Temwen;
use crate::values::EvidenceId;

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(own_evidence_options)
        .service(list_own_evidence)
        .service(begin_own_evidence)
        .service(own_evidence_offset)
        .service(continue_own_evidence)
        .service(give_up_own_evidence);
}

/// A file that you gave, and that is there.
#[derive(Serialize, ToSchema)]
struct ReceiptOfFile {
    #[schema(value_type = Uuid)]
    id: EvidenceId,
    /// How many bytes it has.
    size: i64,
    /// SHA-256 over its bytes, 64 hexadecimal digits; null once it was erased.
    sha256: Option<String>,
    /// When it was whole.
    received_at: Option<DateTime<Utc>>,
}

impl From<Evidence> for ReceiptOfFile {
    fn from(evidence: Evidence) -> Self {
        let Evidence { row, found, .. } = evidence;
        let sha256 = found.map(|found| found.sha256);
        Self { id: row.id, size: row.size, sha256, received_at: row.received_at }
    }
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

/// List the files that you gave to your complaint, oldest first.
///
/// That they are there, and what they weigh: neither their names nor their content come back, whoever holds your code.
#[utoipa::path(tag = "reporter", security(("reporter" = [])), params(Paging),
    responses((status = 200, body = Items<ReceiptOfFile>, description = "A page of receipts"), Refusal))]
#[get("/reporter/evidence")]
async fn list_own_evidence(
    temwen: Data<Temwen>,
    reporter: Reporter,
    request: HttpRequest,
    query: Params<Paging>,
) -> Result<HttpResponse> {
    let page = Page::parse(&temwen.keys, "own_evidence", query.0.limit, query.0.after.as_deref())?;
    let read = async |tx: &mut _| super::receipts(tx, reporter.complaint, page.after, page.rows()).await;
    let rows = temwen.db.write(&reporter.caller, "reporter.evidence", read).await?;
    let position = |evidence: &Evidence| (evidence.row.begun_at, evidence.row.id.uuid());
    Ok(page::answer(&temwen.keys, "own_evidence", page, rows, position, ReceiptOfFile::from, &request))
}

/// Ask what uploads to your complaint can do.
///
/// Version, extensions, largest size and checksum algorithms of the tus protocol, in headers.
#[utoipa::path(tag = "reporter", security(("reporter" = [])),
    responses((status = 204, description = "What can be done"), Refusal))]
#[options("/reporter/evidence")]
async fn own_evidence_options(temwen: Data<Temwen>, _reporter: Reporter) -> HttpResponse {
    spoken(Ok(tus::options(&temwen)))
}

/// Begin to give a file to your complaint, by the tus protocol.
///
/// `Upload-Metadata` may say `filename`, `filetype` and `sha256` (64 hexadecimal digits: another file than that is refused).
/// Send the bytes with PATCH to the address in `Location`, within 24 hours of the last ones; a new token goes on with it too.
#[utoipa::path(tag = "reporter", security(("reporter" = [])),
    params(("Tus-Resumable" = String, Header, description = "Always `1.0.0`"),
        ("Upload-Length" = u64, Header, description = "How many bytes the file has, up to 2 GiB"),
        ("Upload-Metadata" = Option<String>, Header, description = "What is said of it: names and base64 values"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeats get the first answer again")),
    responses((status = 201, body = UploadView, description = "It can begin", headers(("Location" = String, description = "Where to send the bytes"))), Refusal))]
#[post("/reporter/evidence")]
async fn begin_own_evidence(
    temwen: Data<Temwen>,
    reporter: Reporter,
    key: IdempotencyKey,
    request: HttpRequest,
) -> HttpResponse {
    let home = Home::Complaint(reporter.complaint);
    let said = request.headers().get("upload-metadata").is_some_and(|value| {
        value.to_str().is_ok_and(|text| text.split(',').any(|pair| pair.trim().starts_with("supersedes")))
    });
    if said {
        return spoken(Err(Error::fault("Upload-Metadata/supersedes", "is for officers")));
    }
    spoken(tus::create(&temwen, &reporter.caller, home, "/v1/reporter/evidence", &key, &request).await)
}

/// Ask how far an upload of yours has come.
///
/// `Upload-Offset` says where to go on.
#[utoipa::path(tag = "reporter", security(("reporter" = [])),
    params(("upload" = Uuid, Path, description = "Which upload"), ("Tus-Resumable" = String, Header, description = "Always `1.0.0`")),
    responses((status = 200, description = "How far", headers(("Upload-Offset" = u64, description = "How many bytes are there"))), Refusal))]
#[head("/reporter/evidence/{upload}")]
async fn own_evidence_offset(
    temwen: Data<Temwen>,
    reporter: Reporter,
    upload: Path<EvidenceId>,
    request: HttpRequest,
) -> HttpResponse {
    let home = Home::Complaint(reporter.complaint);
    spoken(tus::head(&temwen, &reporter.caller, home, *upload, &request).await)
}

/// Send bytes of a file that you give.
///
/// They begin at `Upload-Offset`; with `Upload-Checksum` they are kept only if they have that hash.
#[utoipa::path(tag = "reporter", security(("reporter" = [])),
    params(("upload" = Uuid, Path, description = "Which upload"), ("Tus-Resumable" = String, Header, description = "Always `1.0.0`"),
        ("Upload-Offset" = u64, Header, description = "Where these bytes begin"),
        ("Upload-Checksum" = Option<String>, Header, description = "`sha256`, a space, and the hash of these bytes in base64")),
    request_body(content = Vec<u8>, content_type = "application/offset+octet-stream"),
    responses((status = 204, description = "They are kept", headers(("Upload-Offset" = u64, description = "How many bytes are there"))), Refusal))]
#[patch("/reporter/evidence/{upload}")]
async fn continue_own_evidence(
    temwen: Data<Temwen>,
    reporter: Reporter,
    upload: Path<EvidenceId>,
    request: HttpRequest,
    payload: Payload,
) -> HttpResponse {
    let home = Home::Complaint(reporter.complaint);
    spoken(tus::patch(&temwen, &reporter.caller, home, *upload, &request, payload).await)
}

/// Give up an upload of yours that is not finished.
///
/// Its bytes are removed at once. A file that is whole is evidence, and stays.
#[utoipa::path(tag = "reporter", security(("reporter" = [])),
    params(("upload" = Uuid, Path, description = "Which upload"), ("Tus-Resumable" = String, Header, description = "Always `1.0.0`")),
    responses((status = 204, description = "It is given up"), Refusal))]
#[delete("/reporter/evidence/{upload}")]
async fn give_up_own_evidence(
    temwen: Data<Temwen>,
    reporter: Reporter,
    upload: Path<EvidenceId>,
    request: HttpRequest,
) -> HttpResponse {
    let home = Home::Complaint(reporter.complaint);
    spoken(tus::terminate(&temwen, &reporter.caller, home, *upload, &request).await)
}
