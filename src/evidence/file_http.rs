//! What is known of files, and their content, over HTTP.

use std::fmt::Write as _;

use actix_web::body::SizedStream;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, get};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use super::download::{self, Asked};
use super::http::EvidenceView;
use super::{Evidence, Given};
use crate::error::{Kind, Result};
use crate::http::extract::{Params, SignedIn, single};
use crate::http::page::{self, Items, Page};
use crate::http::problem::Refusal;
use crate::temwen::Temwen;
use crate::values::{CaseId, EvidenceId};

/// Types that a client may be told: none of them runs anything. All else is bytes.
const HARMLESS: [&str; 14] = [
    "application/pdf",
    "audio/aac",
    "audio/amr",
    "audio/m4a",
    "audio/mpeg",
    "audio/ogg",
    "audio/x-wav",
    "image/gif",
    "image/heif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "video/mp4",
    "video/webm",
];
const BYTES: &str = "application/octet-stream";
/// The longest `Range` that is looked at.
const RANGE: usize = 100;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(list_evidence).service(read_content).service(read_evidence);
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

/// List the files of a case and of its complaints, oldest first. That you read the list is recorded.
///
/// Superseded and erased files stay in the list.
#[utoipa::path(tag = "evidence", security(("token" = [])), params(("id" = Uuid, Path, description = "Which case"), Paging),
    responses((status = 200, body = Items<EvidenceView>, description = "A page of files"), Refusal))]
#[get("/cases/{id}/evidence")]
async fn list_evidence(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<CaseId>,
    request: HttpRequest,
    query: Params<Paging>,
) -> Result<HttpResponse> {
    let page = Page::parse(&temwen.keys, "evidence", query.0.limit, query.0.after.as_deref())?;
    let read = async |tx: &mut _| super::list(tx, &temwen.policy, *id, page.after, page.rows()).await;
    let rows = temwen.db.write(&caller.0, "evidence.list", read).await?;
    let position = |evidence: &Evidence| (evidence.row.begun_at, evidence.row.id.uuid());
    Ok(page::answer(&temwen.keys, "evidence", page, rows, position, EvidenceView::from, &request))
}

/// Read what is known of a file. That you read it is recorded.
///
/// Its type is told by its first bytes, whatever was claimed; `risks` says what it may tell of whoever made it.
#[utoipa::path(tag = "evidence", security(("token" = [])),
    params(("id" = Uuid, Path, description = "Which case"), ("evidence" = Uuid, Path, description = "Which file")),
    responses((status = 200, body = EvidenceView, description = "The file"), Refusal))]
#[get("/cases/{id}/evidence/{evidence}")]
async fn read_evidence(
    temwen: Data<Temwen>,
    caller: SignedIn,
    path: Path<(CaseId, EvidenceId)>,
) -> Result<HttpResponse> {
    let (case, file) = path.into_inner();
    let read = async |tx: &mut _| super::read(tx, &temwen.policy, case, file).await;
    let evidence = temwen.db.write(&caller.0, "evidence.read", read).await?;
    Ok(HttpResponse::Ok().json(EvidenceView::from(evidence)))
}

/// Download a file, or one range of it. That you did is in its chain of custody before the first byte leaves.
///
/// Every byte is checked before it leaves; of a whole file, the last ones leave only if its SHA-256 is what it was when it came.
/// A file that is not what it was ends the answer early, and the fact is put on record.
#[utoipa::path(tag = "evidence", security(("token" = [])),
    params(("id" = Uuid, Path, description = "Which case"), ("evidence" = Uuid, Path, description = "Which file"),
        ("Range" = Option<String>, Header, description = "One range of bytes, such as `bytes=0-1023`"),
        ("If-Range" = Option<String>, Header, description = "The `ETag` that the rest of it came with")),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream", description = "Its bytes"),
        (status = 206, body = Vec<u8>, content_type = "application/octet-stream", description = "Some of them"), Refusal))]
#[get("/cases/{id}/evidence/{evidence}/content")]
async fn read_content(
    temwen: Data<Temwen>,
    caller: SignedIn,
    path: Path<(CaseId, EvidenceId)>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let (case, file) = path.into_inner();
    let asked = asked(single(&request, &header::RANGE)?.as_deref());
    let if_range = single(&request, &header::IF_RANGE)?;
    let mut size = 0;
    let work = async |tx: &mut _| {
        download::open(tx, &temwen.policy, case, file, asked, if_range.as_deref(), &mut size).await
    };
    let opened = match temwen.db.write(&caller.0, "evidence.download", work).await {
        Err(error) if error.kind() == Kind::RangeNotSatisfiable => {
            let mut response = error.error_response();
            if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
                response.headers_mut().insert(header::CONTENT_RANGE, value);
            }
            return Ok(response);
        }
        outcome => outcome?,
    };
    let range = opened.range.clone();
    let whole = range.end - range.start == size;
    let evidence = &opened.evidence;
    let media = evidence.found.as_ref().and_then(|found| found.media.as_deref());
    let media = media.filter(|media| HARMLESS.contains(media)).unwrap_or(BYTES).to_owned();
    let mut response = if whole { HttpResponse::Ok() } else { HttpResponse::PartialContent() };
    response
        .insert_header((header::CONTENT_TYPE, media))
        // So that nothing on the way packs it: lengths and ranges are those of its bytes.
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .insert_header((header::ACCEPT_RANGES, "bytes"))
        .insert_header((header::CONTENT_DISPOSITION, disposition(evidence.given.as_ref())))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((HeaderName::from_static("cross-origin-resource-policy"), "same-origin"));
    if let Some(found) = &evidence.found {
        response.insert_header((header::ETAG, format!("\"{}\"", found.sha256)));
    }
    if !whole {
        let of = format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1));
        response.insert_header((header::CONTENT_RANGE, of));
    }
    let stream = download::content(&temwen, &caller.0, opened).await?;
    Ok(response.body(SizedStream::new(range.end - range.start, Box::pin(stream))))
}

/// What a `Range` asks for (RFC 9110 section 14): one range of bytes. Of several, or of one that is none, nothing is had.
fn asked(range: Option<&str>) -> Asked {
    let Some(range) = range else { return Asked::All };
    let Some(range) = range.trim().strip_prefix("bytes=") else {
        // Another unit than we know is as if nothing was asked.
        return Asked::All;
    };
    let number = |text: &str| -> Option<u64> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|_| digits)
    };
    match range.trim().split_once('-').filter(|_| range.len() <= RANGE) {
        Some(("", last)) => number(last).map_or(Asked::Nothing, Asked::Last),
        Some((from, "")) => number(from).map_or(Asked::Nothing, |from| Asked::Between(from, u64::MAX)),
        Some((from, to)) => match (number(from), number(to)) {
            (Some(from), Some(to)) if from <= to => Asked::Between(from, to),
            _ => Asked::Nothing,
        },
        None => Asked::Nothing,
    }
}

/// That it is to be kept and not shown, and under which name (RFC 6266, RFC 8187).
fn disposition(given: Option<&Given>) -> String {
    let name = given.map_or("file", |given| given.name.as_str());
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ') { c } else { '_' })
        .collect();
    let mut coded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') {
            coded.push(char::from(byte));
        } else {
            let _ = write!(coded, "%{byte:02X}");
        }
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{coded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_one_range_or_nothing() {
        assert_eq!(asked(None), Asked::All);
        assert_eq!(asked(Some("lines=1-2")), Asked::All);
        assert_eq!(asked(Some("bytes=0-0")), Asked::Between(0, 0));
        assert_eq!(asked(Some("bytes=5-")), Asked::Between(5, u64::MAX));
        assert_eq!(asked(Some("bytes=-5")), Asked::Last(5));
        let many = format!("bytes={}", "0-,".repeat(5000));
        let digits = format!("bytes={}-", "9".repeat(90));
        for odd in [
            "bytes=",
            "bytes=-",
            "bytes=5-4",
            "bytes=a-b",
            "bytes=0-1,5-6",
            "bytes=+1-2",
            "bytes=--1",
            "bytes=1",
            &many,
            &digits,
        ] {
            assert_eq!(asked(Some(odd)), Asked::Nothing, "{odd}");
        }
    }

    #[test]
    fn a_name_cannot_leave_its_header() {
        let given = |name: &str| Given { name: name.to_owned(), media: None, sha256: None };
        let said = disposition(Some(&given("a\"; x=\"é ü.jpg")));
        assert_eq!(
            said,
            "attachment; filename=\"a__ x___ _.jpg\"; filename*=UTF-8''a%22%3B%20x%3D%22%C3%A9%20%C3%BC.jpg"
        );
        assert_eq!(disposition(None), "attachment; filename=\"file\"; filename*=UTF-8''file");
    }
}
