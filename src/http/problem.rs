//! How an [`Error`] looks on the wire: RFC 9457 `application/problem+json`.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{Error, Kind};
use crate::values::Fault;

/// The media type of every answer that is not what was asked for.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// The body of every error response.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "type": "/problems/invalid-request", "title": "The request has faults", "status": 422, "detail": "the request has faults",
    "errors": [{"pointer": "/narrative", "detail": "must not be empty"}], "request_id": "0199c0de-0000-7000-8000-000000000000"
}))]
pub struct Problem {
    /// Which kind of problem this is: stable, and documented at that path.
    r#type: String,
    /// The same for every problem of this type.
    title: &'static str,
    /// The HTTP status code, repeated.
    status: u16,
    /// What happened this time. Never personal data, never an internal cause.
    detail: String,
    /// Every fault found in the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
    /// The challenge to answer in `X-Proof-Of-Work`, where work is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Option<String>,
    /// With how many zero bits the SHA-256 of challenge, dot and nonce has to begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    bits: Option<u8>,
    /// The request's id, which our log knows too; the middleware fills it in.
    request_id: Option<String>,
}

/// One kind of problem: what it is called, and what a caller should do about it.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The HTTP status.
    pub status: StatusCode,
    /// The last part of the `type`.
    pub slug: &'static str,
    /// The title.
    pub title: &'static str,
    /// What a caller should do.
    pub advice: &'static str,
}

/// Every kind, in the order of the documentation.
pub const KINDS: [Kind; 24] = [
    Kind::Malformed,
    Kind::Unauthenticated,
    Kind::Forbidden,
    Kind::NotFound,
    Kind::Erased,
    Kind::MethodNotAllowed,
    Kind::WrongMoment,
    Kind::Exists,
    Kind::StillRunning,
    Kind::Stale,
    Kind::TooLarge,
    Kind::Expired,
    Kind::ChecksumMismatch,
    Kind::RangeNotSatisfiable,
    Kind::TusVersion,
    Kind::NoRoom,
    Kind::UnsupportedMedia,
    Kind::Invalid,
    Kind::KeyReused,
    Kind::PreconditionRequired,
    Kind::SlowDown,
    Kind::WorkRequired,
    Kind::Unavailable,
    Kind::Internal,
];

/// The registry: one row per kind.
#[expect(clippy::too_many_lines, reason = "one row per kind")]
pub fn row(kind: Kind) -> Row {
    let of = |status, slug, title, advice| Row { status, slug, title, advice };
    match kind {
        Kind::Malformed => of(
            StatusCode::BAD_REQUEST,
            "malformed",
            "The request cannot be read",
            "Send well-formed JSON in UTF-8 and each header once.",
        ),
        Kind::Unauthenticated => of(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "Sign in first",
            "Sign in, or refresh the access token, and send it as a Bearer token.",
        ),
        Kind::Forbidden => of(
            StatusCode::FORBIDDEN,
            "forbidden",
            "Not allowed",
            "Ask somebody whose role allows it; repeating does not help.",
        ),
        Kind::NotFound => of(
            StatusCode::NOT_FOUND,
            "not-found",
            "Not found",
            "Check the address. What may not be known of answers the same.",
        ),
        Kind::MethodNotAllowed => of(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "This address has no such method",
            "Use a method named in `Allow`.",
        ),
        Kind::WrongMoment => of(
            StatusCode::CONFLICT,
            "wrong-moment",
            "Not at this point",
            "Read the resource again and take a step that is open now.",
        ),
        Kind::Exists => of(StatusCode::CONFLICT, "exists", "There is one already", "Use the one there is."),
        Kind::StillRunning => of(
            StatusCode::CONFLICT,
            "still-running",
            "The first request with this key still runs",
            "Wait a moment and repeat the same request.",
        ),
        Kind::Stale => of(
            StatusCode::PRECONDITION_FAILED,
            "stale",
            "Changed by somebody else",
            "Read it again, look at the change, and send the new version in `If-Match`.",
        ),
        Kind::TooLarge => of(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "Too large",
            "Send less; long texts can be continued in a message.",
        ),
        Kind::Expired => of(
            StatusCode::GONE,
            "expired",
            "Over",
            "Begin a new upload: this one was not finished in time, was given up, or was refused.",
        ),
        Kind::ChecksumMismatch => of(
            // The tus protocol's own status.
            StatusCode::from_u16(460).unwrap_or(StatusCode::BAD_REQUEST),
            "checksum-mismatch",
            "Arrived as something else",
            "Nothing of this request was kept: send the same bytes again.",
        ),
        Kind::RangeNotSatisfiable => of(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "range-not-satisfiable",
            "There are no such bytes",
            "Ask for one range within the size that `Content-Range` names.",
        ),
        Kind::TusVersion => of(
            StatusCode::PRECONDITION_FAILED,
            "tus-version",
            "Another version of the upload protocol",
            "Send `Tus-Resumable: 1.0.0`.",
        ),
        Kind::NoRoom => of(
            StatusCode::INSUFFICIENT_STORAGE,
            "no-room",
            "No room just now",
            "What arrived before is kept: ask for the offset after `Retry-After` seconds and go on from there.",
        ),
        Kind::Erased => of(
            StatusCode::GONE,
            "erased",
            "Erased",
            "The words were erased when their time was over; what remains is in the record.",
        ),
        Kind::UnsupportedMedia => of(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media",
            "Another media type is needed",
            "Send `Content-Type: application/json`, or what `detail` names.",
        ),
        Kind::Invalid => of(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-request",
            "The request has faults",
            "Mend every fault named in `errors`.",
        ),
        Kind::KeyReused => of(
            StatusCode::UNPROCESSABLE_ENTITY,
            "key-reused",
            "This key came with another body",
            "Use a fresh `Idempotency-Key` for another request.",
        ),
        Kind::PreconditionRequired => of(
            StatusCode::PRECONDITION_REQUIRED,
            "precondition-required",
            "Which version did you see?",
            "Send `If-Match` with the `ETag` of what you read.",
        ),
        Kind::SlowDown => of(
            StatusCode::TOO_MANY_REQUESTS,
            "slow-down",
            "Too many attempts",
            "Wait as long as `Retry-After` says.",
        ),
        Kind::WorkRequired => of(
            StatusCode::TOO_MANY_REQUESTS,
            "work-required",
            "Many come at once",
            "Find a nonce such that the SHA-256 of `challenge`, a dot and the nonce begins with `bits` zero bits, and repeat the request with all three in `X-Proof-Of-Work`. Or wait as long as `Retry-After` says.",
        ),
        Kind::Unavailable => of(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "Not just now",
            "Repeat the request after `Retry-After` seconds; with the same `submission_id` or `Idempotency-Key` nothing is stored twice.",
        ),
        Kind::Internal => of(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Our fault",
            "Nothing you can mend; tell us the `request_id`.",
        ),
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        row(self.kind()).status
    }

    fn error_response(&self) -> HttpResponse {
        if self.status_code().is_server_error() {
            // The one place where a fault of ours is logged, with its whole chain.
            tracing::error!(error = self as &dyn std::error::Error, "request failed");
        }
        answer(self)
    }
}

/// The answer to a handler that panicked. The panic was logged when it happened, so this logs nothing.
pub(super) fn after_panic() -> HttpResponse {
    answer(&Error::new(Kind::Internal, "something went wrong on our side"))
}

fn answer(error: &Error) -> HttpResponse {
    let row = row(error.kind());
    let mut response = HttpResponse::build(row.status);
    response.content_type(MEDIA_TYPE);
    if let Some(seconds) = error.retry_after() {
        response.insert_header((header::RETRY_AFTER, seconds.to_string()));
    }
    if error.kind() == Kind::Unauthenticated {
        response
            .insert_header((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"temwen\"")));
    }
    response.json(Problem {
        r#type: format!("/problems/{}", row.slug),
        title: row.title,
        status: row.status.as_u16(),
        detail: error.to_string(),
        errors: error.faults().to_vec(),
        challenge: error.asked().map(|asked| asked.challenge.clone()),
        bits: error.asked().map(|asked| asked.bits),
        request_id: super::middleware::current_request_id(),
    })
}

/// What any operation may answer instead of what was asked for; documented once.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "only its OpenAPI description is used")]
pub(crate) enum Refusal {
    /// Something is wrong with the request; the problem says what.
    #[response(status = "4XX", content_type = "application/problem+json")]
    Client(Problem),
    /// Something is wrong on our side; try again later.
    #[response(status = "5XX", content_type = "application/problem+json")]
    Server(Problem),
}
