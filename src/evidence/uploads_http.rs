//! Officers give files to a case, by the tus protocol.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, delete, head, options, patch, post};
use utoipa_actix_web::service_config::ServiceConfig;

use super::tus_http::{self as tus, UploadView, spoken};
use super::{Home, uploads};
use crate::http::extract::SignedIn;
use crate::http::idempotency::IdempotencyKey;
use crate::http::problem::Refusal;
use crate::temwen::Temwen;
use crate::values::{CaseId, EvidenceId};

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(evidence_options)
        .service(begin_evidence)
        .service(evidence_offset)
        .service(continue_evidence)
        .service(give_up_evidence);
}

/// Ask what uploads to a case can do.
///
/// Version, extensions, largest size and checksum algorithms of the tus protocol, in headers.
#[utoipa::path(tag = "evidence", security(("token" = [])), params(("id" = Uuid, Path, description = "Which case")),
    responses((status = 204, description = "What can be done"), Refusal))]
#[options("/cases/{id}/evidence/uploads")]
async fn evidence_options(temwen: Data<Temwen>, caller: SignedIn, id: Path<CaseId>) -> HttpResponse {
    let seen = uploads::may_give(&temwen, &caller.0, *id).await;
    spoken(seen.map(|()| tus::options(&temwen)))
}

/// Begin to give a file to a case, by the tus protocol.
///
/// `Upload-Metadata` may say `filename`, `filetype`, `sha256` (64 hexadecimal digits: another file than that is refused) and
/// `supersedes` (the id of a file that it takes the place of). Send the bytes with PATCH to the address in `Location`, within
/// 24 hours of the last ones.
#[utoipa::path(tag = "evidence", security(("token" = [])),
    params(("id" = Uuid, Path, description = "Which case"),
        ("Tus-Resumable" = String, Header, description = "Always `1.0.0`"),
        ("Upload-Length" = u64, Header, description = "How many bytes the file has, up to 2 GiB"),
        ("Upload-Metadata" = Option<String>, Header, description = "What is said of it: names and base64 values"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeats get the first answer again")),
    responses((status = 201, body = UploadView, description = "It can begin", headers(("Location" = String, description = "Where to send the bytes"))), Refusal))]
#[post("/cases/{id}/evidence/uploads")]
async fn begin_evidence(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<CaseId>,
    key: IdempotencyKey,
    request: HttpRequest,
) -> HttpResponse {
    let at = format!("/v1/cases/{id}/evidence/uploads");
    spoken(tus::create(&temwen, &caller.0, Home::Case(*id), &at, &key, &request).await)
}

/// Ask how far an upload has come.
///
/// `Upload-Offset` says where to go on. Only whoever began an upload is told.
#[utoipa::path(tag = "evidence", security(("token" = [])),
    params(("id" = Uuid, Path, description = "Which case"), ("upload" = Uuid, Path, description = "Which upload"),
        ("Tus-Resumable" = String, Header, description = "Always `1.0.0`")),
    responses((status = 200, description = "How far", headers(("Upload-Offset" = u64, description = "How many bytes are there"))), Refusal))]
#[head("/cases/{id}/evidence/uploads/{upload}")]
async fn evidence_offset(
    temwen: Data<Temwen>,
    caller: SignedIn,
    path: Path<(CaseId, EvidenceId)>,
    request: HttpRequest,
) -> HttpResponse {
    let (case, upload) = path.into_inner();
    spoken(tus::head(&temwen, &caller.0, Home::Case(case), upload, &request).await)
}

/// Send bytes of a file.
///
/// They begin at `Upload-Offset`; with `Upload-Checksum` they are kept only if they have that hash. With the last byte the file
/// is looked at as a whole, and is evidence from then on.
#[utoipa::path(tag = "evidence", security(("token" = [])),
    params(("id" = Uuid, Path, description = "Which case"), ("upload" = Uuid, Path, description = "Which upload"),
        ("Tus-Resumable" = String, Header, description = "Always `1.0.0`"),
        ("Upload-Offset" = u64, Header, description = "Where these bytes begin"),
        ("Upload-Checksum" = Option<String>, Header, description = "`sha256`, a space, and the hash of these bytes in base64")),
    request_body(content = Vec<u8>, content_type = "application/offset+octet-stream"),
    responses((status = 204, description = "They are kept", headers(("Upload-Offset" = u64, description = "How many bytes are there"))), Refusal))]
#[patch("/cases/{id}/evidence/uploads/{upload}")]
async fn continue_evidence(
    temwen: Data<Temwen>,
    caller: SignedIn,
    path: Path<(CaseId, EvidenceId)>,
    request: HttpRequest,
    payload: Payload,
) -> HttpResponse {
    let (case, upload) = path.into_inner();
    spoken(tus::patch(&temwen, &caller.0, Home::Case(case), upload, &request, payload).await)
}

/// Give up an upload that is not finished.
///
/// Its bytes are removed at once. A file that is whole is evidence, and stays.
#[utoipa::path(tag = "evidence", security(("token" = [])),
    params(("id" = Uuid, Path, description = "Which case"), ("upload" = Uuid, Path, description = "Which upload"),
        ("Tus-Resumable" = String, Header, description = "Always `1.0.0`")),
    responses((status = 204, description = "It is given up"), Refusal))]
#[delete("/cases/{id}/evidence/uploads/{upload}")]
async fn give_up_evidence(
    temwen: Data<Temwen>,
    caller: SignedIn,
    path: Path<(CaseId, EvidenceId)>,
    request: HttpRequest,
) -> HttpResponse {
    let (case, upload) = path.into_inner();
    spoken(tus::terminate(&temwen, &caller.0, Home::Case(case), upload, &request).await)
}
