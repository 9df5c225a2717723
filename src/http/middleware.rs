//! What happens around every request: its id, its span and log line, its last resort when something panics.
//!
//! The log line holds the route's pattern, never the address asked for: no id, no query, no body, no IP, no user agent.

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpMessage as _, ResponseError as _};
use futures_util::FutureExt as _;
use tracing::Instrument as _;

use super::problem::MEDIA_TYPE;
use crate::error::{Error, Kind};

/// The header of the request's id.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request: the caller's own, where it is a UUID, or one of ours.
#[derive(Debug, Clone)]
pub struct RequestId(pub Arc<str>);

tokio::task_local! {
    static CURRENT: RefCell<Option<Arc<str>>>;
}

/// The id of the request that is being answered.
pub(super) fn current_request_id() -> Option<String> {
    CURRENT.try_with(|id| id.borrow().as_deref().map(str::to_owned)).ok().flatten()
}

fn request_id(request: &ServiceRequest) -> Arc<str> {
    // It stands in the log and in entries for ever. Some proxies make theirs of the caller's address: nothing but a UUID, with its
    // hyphens or without, is taken.
    let uuid = |id: &str| [32, 36].contains(&id.len()).then(|| uuid::Uuid::try_parse(id).ok()).flatten();
    let mut given = request.headers().get_all(&REQUEST_ID);
    match (given.next().and_then(|id| uuid(id.to_str().ok()?)), given.next()) {
        (Some(id), None) => Arc::from(id.to_string()),
        _ => Arc::from(uuid::Uuid::now_v7().to_string()),
    }
}

/// The whole of it, as one middleware.
pub async fn around<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let id = request_id(&request);
    let encrypted = request.app_config().secure();
    request.extensions_mut().insert(RequestId(Arc::clone(&id)));
    let method = method_word(request.method());
    let span = tracing::info_span!("request", request.id = %id);
    let started = Instant::now();

    let answered = CURRENT
        .scope(RefCell::new(Some(Arc::clone(&id))), async {
            match AssertUnwindSafe(next.call(request)).catch_unwind().await {
                Ok(Ok(response)) => Ok(as_problem(response.map_into_boxed_body())),
                Ok(Err(error)) => Err(refusal(&error)),
                // The panic itself was logged by the hook; the caller gets an answer instead of a broken connection.
                Err(_) => Err(super::problem::after_panic()),
            }
        })
        .instrument(span.clone())
        .await;

    let finish = |headers: &mut header::HeaderMap, status: StatusCode, route: String| {
        if let Ok(value) = HeaderValue::from_str(&id) {
            headers.insert(REQUEST_ID, value);
        }
        protect(headers, &route, encrypted);
        let seconds = started.elapsed().as_secs_f64();
        let labels =
            [("method", method.to_owned()), ("route", route.clone()), ("status", status.as_str().to_owned())];
        metrics::counter!("temwen_requests_total", &labels).increment(1);
        metrics::histogram!("temwen_request_seconds", "route" => route.clone()).record(seconds);
        span.in_scope(|| {
            tracing::info!(
                http.method = method,
                http.route = route,
                http.status = status.as_u16(),
                seconds,
                "answered"
            );
        });
    };
    match answered {
        Ok(mut response) => {
            let route = response.request().match_pattern().unwrap_or_else(|| "(none)".to_owned());
            let status = response.status();
            finish(response.headers_mut(), status, route);
            Ok(response)
        }
        // Without a request to answer to, the framework sends the prepared answer as an error's.
        Err(mut response) => {
            let status = response.status();
            finish(response.headers_mut(), status, "(failed)".to_owned());
            Err(InternalError::from_response("the request failed", response).into())
        }
    }
}

/// Methods are the caller's text too: unknown ones are not repeated.
fn method_word(method: &actix_web::http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "OTHER",
    }
}

/// An error that did not come from us, said in our way.
fn refusal(error: &actix_web::Error) -> actix_web::HttpResponse {
    match error.as_error::<Error>() {
        Some(ours) => ours.error_response(),
        None => from_status(error.as_response_error().status_code()).error_response(),
    }
}

/// Whatever a library answered without a problem's body gets one.
fn as_problem(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let status = response.status();
    let told = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == MEDIA_TYPE);
    if told || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let allow = response.headers().get(header::ALLOW).cloned();
    let mut problem = from_status(status).error_response();
    if let Some(allow) = allow {
        problem.headers_mut().insert(header::ALLOW, allow);
    }
    ServiceResponse::new(response.request().clone(), problem)
}

fn from_status(status: StatusCode) -> Error {
    match status {
        StatusCode::NOT_FOUND => Error::not_found(),
        StatusCode::METHOD_NOT_ALLOWED => {
            Error::new(Kind::MethodNotAllowed, "this address does not have that method")
        }
        StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::URI_TOO_LONG
        | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            Error::new(Kind::TooLarge, "the request is too large")
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Error::new(Kind::UnsupportedMedia, "the body must be application/json")
        }
        status if status.is_client_error() => Error::new(Kind::Malformed, "the request cannot be read"),
        _ => Error::new(Kind::Internal, "something went wrong on our side"),
    }
}

/// What no page of ours needs of a device.
const NO_SENSORS: &str = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), \
    microphone=(), midi=(), payment=(), screen-wake-lock=(), usb=(), web-share=()";

/// Nothing is kept by browsers and proxies, shown in frames, or sniffed.
fn protect(headers: &mut header::HeaderMap, route: &str, encrypted: bool) {
    // The documentation's pages bring their own scripts and styles; nothing else is a page at all.
    let content = if route.starts_with("/docs") {
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
    } else {
        "default-src 'none'; frame-ancestors 'none'"
    };
    let rules: [(HeaderName, &'static str); 9] = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::PERMISSIONS_POLICY, NO_SENSORS),
        (header::CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
        (header::CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
        (header::CROSS_ORIGIN_EMBEDDER_POLICY, "require-corp"),
        (header::CONTENT_SECURITY_POLICY, content),
    ];
    for (name, value) in rules {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    // Only where this very server speaks TLS: elsewhere it is for the proxy that does.
    if encrypted {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}
