//! Extractors whose refusals are problems too.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderName};
use actix_web::web::{self, Bytes};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;

use super::middleware::RequestId;
use crate::auth::credentials::tokens::{Claims, Kind as TokenKind};
use crate::auth::{Actor, Officer, Roles, Seat};
use crate::coa::Language;
use crate::db::Caller;
use crate::error::{Error, Kind, Result};
use crate::temwen::Temwen;
use crate::values::{ComplaintId, Fault, Faults, SessionId, UserId};

/// The most bytes of a request's body. A text of 64 KiB may be six times as long when every character is escaped.
pub const BODY_LIMIT: usize = 512 * 1024;

/// A header that stands once, as text.
pub(super) fn single(request: &HttpRequest, name: &HeaderName) -> Result<Option<String>> {
    let mut all = request.headers().get_all(name);
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(text) => Ok(Some(text.to_owned())),
            Err(_) => Err(Error::new(Kind::Malformed, format!("the header {name} must be plain text"))),
        },
        (Some(_), Some(_)) => {
            Err(Error::new(Kind::Malformed, format!("the header {name} stands more than once")))
        }
    }
}

fn temwen(request: &HttpRequest) -> Result<&Temwen> {
    request
        .app_data::<web::Data<Temwen>>()
        .map(|data| &***data)
        .ok_or_else(|| Error::internal("no application state"))
}

fn request_id(request: &HttpRequest) -> Arc<str> {
    request.extensions().get::<RequestId>().map_or_else(|| Arc::from("none"), |id| Arc::clone(&id.0))
}

fn needs_token() -> Error {
    Error::new(Kind::Unauthenticated, "a valid access token is needed")
}

fn claims(request: &HttpRequest) -> Result<Option<Arc<Claims>>> {
    let Some(value) = single(request, &header::AUTHORIZATION)? else { return Ok(None) };
    let token =
        value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("bearer ")).ok_or_else(needs_token)?;
    let temwen = temwen(request)?;
    temwen.tokens.verify(token.trim(), temwen.clock.now()).map(Some).ok_or_else(needs_token)
}

fn officer(claims: &Claims) -> Option<Actor> {
    (claims.kind == TokenKind::User).then(|| {
        Actor::Officer(Arc::new(Officer {
            id: UserId::from(claims.sub),
            session: SessionId::from(claims.sid),
            roles: Roles::from_words(claims.roles.iter().map(String::as_str)),
            country: claims.country.clone(),
            seat: claims.seat.as_deref().and_then(Seat::from_word),
            rights: i32::try_from(claims.rv).unwrap_or(-1),
        }))
    })
}

/// An officer who signed in.
#[derive(Debug, Clone)]
pub struct SignedIn(pub Caller);

impl FromRequest for SignedIn {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(claims(request).and_then(|claims| {
            let actor = claims.and_then(|claims| officer(&claims)).ok_or_else(needs_token)?;
            Ok(Self(Caller::new(actor, request_id(request))))
        }))
    }
}

/// An officer, or somebody who does not say who they are. A token that is given must be good.
#[derive(Debug, Clone)]
pub struct Anyone(pub Caller);

impl FromRequest for Anyone {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(claims(request).and_then(|claims| {
            let actor = match claims {
                None => Actor::Public,
                Some(claims) => officer(&claims).ok_or_else(needs_token)?,
            };
            Ok(Self(Caller::new(actor, request_id(request))))
        }))
    }
}

/// Somebody who showed the reference and the code of a complaint.
#[derive(Debug, Clone)]
pub struct Reporter {
    /// The caller.
    pub caller: Caller,
    /// Their complaint.
    pub complaint: ComplaintId,
}

impl FromRequest for Reporter {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(claims(request).and_then(|claims| match claims {
            Some(claims) if claims.kind == TokenKind::Reporter => {
                let complaint = ComplaintId::from(claims.sub);
                Ok(Self { caller: Caller::new(Actor::Reporter(complaint), request_id(request)), complaint })
            }
            _ => Err(Error::new(
                Kind::Unauthenticated,
                "open your thread first, with reference and access code",
            )),
        }))
    }
}

/// The version that the client last saw, from `If-Match: "3"`.
#[derive(Debug, Clone, Copy)]
pub struct IfMatch(pub i32);

impl FromRequest for IfMatch {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let missing = || {
            Error::new(Kind::PreconditionRequired, "say in If-Match which version you saw, for example \"3\"")
        };
        ready(single(request, &header::IF_MATCH).and_then(|value| {
            let value = value.ok_or_else(missing)?;
            let number = value
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'))
                .and_then(|number| number.parse().ok());
            // A weak or foreign tag names no version of ours, so nothing can match it.
            number
                .map(Self)
                .ok_or_else(|| Error::new(Kind::Stale, "this is not a version of ours; read it again"))
        }))
    }
}

/// The version that the client holds, from `If-None-Match`.
#[derive(Debug, Clone, Copy)]
pub struct IfNoneMatch(Option<i32>);

impl IfNoneMatch {
    /// Whether the client holds `version` already.
    pub fn holds(self, version: i32) -> bool {
        self.0 == Some(version)
    }
}

impl FromRequest for IfNoneMatch {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(single(request, &header::IF_NONE_MATCH).map(|value| {
            Self(value.and_then(|value| value.trim_start_matches("W/").trim_matches('"').parse().ok()))
        }))
    }
}

/// The language that texts for complainants are wanted in.
#[derive(Debug, Clone)]
pub struct AcceptLanguage(pub Option<String>);

impl AcceptLanguage {
    /// The language to answer in, where the complaint itself is in `own`.
    pub fn choose(&self, own: Option<&str>) -> Language {
        Language::choose(self.0.as_deref(), own)
    }
}

impl FromRequest for AcceptLanguage {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(single(request, &header::ACCEPT_LANGUAGE).map(Self))
    }
}

/// A JSON body, with every structural fault named at once.
#[derive(Debug)]
pub struct Body<T> {
    /// The value.
    pub value: T,
    /// The bytes that it came in.
    pub bytes: Bytes,
}

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let length = single(request, &header::CONTENT_LENGTH)
            .map(|text| text.and_then(|text| text.parse::<u64>().ok()));
        let media = single(request, &header::CONTENT_TYPE);
        let mut payload = payload.take();
        Box::pin(async move {
            let is_json = media?.is_some_and(|media| {
                let essence = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
                essence == "application/json"
                    || (essence.starts_with("application/") && essence.ends_with("+json"))
            });
            if length?.is_some_and(|length| length > BODY_LIMIT as u64) {
                return Err(too_large());
            }
            if !is_json {
                return Err(Error::new(Kind::UnsupportedMedia, "the body must be application/json"));
            }
            let mut bytes = web::BytesMut::new();
            while let Some(chunk) = payload.next().await {
                let chunk = chunk.map_err(|_| Error::new(Kind::Malformed, "the body broke off"))?;
                if bytes.len() + chunk.len() > BODY_LIMIT {
                    return Err(too_large());
                }
                bytes.extend_from_slice(&chunk);
            }
            let bytes = bytes.freeze();
            Ok(Self { value: read_json(&bytes)?, bytes })
        })
    }
}

fn too_large() -> Error {
    Error::new(Kind::TooLarge, "the body must be at most 524288 bytes")
}

/// How many structural faults are looked for in one body.
const MOST_FAULTS: usize = 32;

/// Reads JSON; a value that is not of the wanted shape is refused with all its faults.
pub fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    if std::str::from_utf8(bytes).is_err() {
        return Err(Error::new(Kind::Malformed, "the body is not UTF-8"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let first = match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Ok(value) => match deserializer.end() {
            Ok(()) => return Ok(value),
            Err(_) => return Err(Error::new(Kind::Malformed, "something follows the JSON value")),
        },
        Err(error) => error,
    };
    // Where it is not JSON at all, the position says more than a pointer would.
    let Ok(mut value) = serde_json::from_slice::<serde_json::Value>(bytes) else {
        let inner = first.inner();
        let what = if bytes.iter().all(u8::is_ascii_whitespace) {
            "the body is empty"
        } else {
            "the body is not JSON"
        };
        return Err(Error::new(
            Kind::Malformed,
            format!("{what} (line {}, column {})", inner.line(), inner.column()),
        ));
    };
    let mut faults = Faults::default();
    let mut error = first;
    for _ in 0..MOST_FAULTS {
        let (pointer, detail, mended) = mend(&mut value, &error);
        faults.add(pointer, detail);
        if !mended {
            break;
        }
        match serde_path_to_error::deserialize::<_, T>(&value) {
            Ok(_) => break,
            Err(next) => error = next,
        }
    }
    faults.check().and(Err(Error::new(Kind::Invalid, "the request has faults")))
}

/// Names one structural fault, and takes what is at fault out of `value`, so that the next can be found.
fn mend(
    value: &mut serde_json::Value,
    error: &serde_path_to_error::Error<serde_json::Error>,
) -> (String, String, bool) {
    use serde_path_to_error::Segment;
    let mut segments: Vec<String> = error
        .path()
        .iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(index.to_string()),
            Segment::Map { key } => Some(key.clone()),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect();
    let text = error.inner().to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    let pointer = |segments: &[String]| {
        segments
            .iter()
            .fold(String::new(), |all, each| all + "/" + &each.replace('~', "~0").replace('/', "~1"))
    };
    let named =
        |prefix: &str| text.strip_prefix(prefix).and_then(|rest| rest.split('`').nth(1)).map(str::to_owned);
    if let Some(field) = named("missing field") {
        segments.push(field);
        return (pointer(&segments), "must be given".to_owned(), false);
    }
    if let Some(field) = named("duplicate field") {
        segments.push(field);
        return (pointer(&segments), "stands more than once".to_owned(), false);
    }
    if let Some(field) = named("unknown field") {
        // The path of an unknown field may or may not end in it already.
        if segments.last() != Some(&field) {
            segments.push(field);
        }
        let at = pointer(&segments);
        let last = segments.pop().unwrap_or_default();
        let gone = value
            .pointer_mut(&pointer(&segments))
            .and_then(|parent| parent.as_object_mut()?.remove(&last))
            .is_some();
        return (at, "is not a field of this request".to_owned(), gone);
    }
    let at = pointer(&segments);
    let mended =
        !segments.is_empty() && value.pointer_mut(&at).is_some_and(|place| !std::mem::take(place).is_null());
    (at, wording(text), mended)
}

/// serde's sentence, without the value that was sent: it may be somebody's name.
fn wording(text: &str) -> String {
    if let Some(rest) = text.strip_prefix("unknown variant") {
        let known = rest.split_once("expected").map_or("", |(_, known)| known).replace('`', "");
        return format!("must be one of:{}", known.trim_start_matches(" one of"));
    }
    if let Some((_, expected)) = text.split_once(", expected ") {
        return format!("must be {expected}");
    }
    if text.contains("out of range") || text.contains("recursion") {
        return "is out of range".to_owned();
    }
    "is not a value that this field takes".to_owned()
}

/// Query parameters; each stands once, unknown ones are refused.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Params<T> {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(
            web::Query::<T>::from_query(request.query_string())
                .map(|query| Self(query.into_inner()))
                .map_err(|error| {
                    let text = match &error {
                        actix_web::error::QueryPayloadError::Deserialize(error) => error.to_string(),
                        _ => String::new(),
                    };
                    let name = text.split('`').nth(1).unwrap_or_default().to_owned();
                    let detail = if text.starts_with("unknown field") {
                        "is not a parameter of this request"
                    } else if text.starts_with("duplicate field") {
                        "stands more than once"
                    } else {
                        "holds a value that this parameter does not take"
                    };
                    Error::invalid(vec![Fault::new(
                        if text.contains("field") { name } else { "query".to_owned() },
                        detail,
                    )])
                }),
        )
    }
}

/// Refusals of path segments: an id that does not parse names nothing.
pub fn path_config() -> web::PathConfig {
    web::PathConfig::default().error_handler(|_, _| Error::not_found().into())
}
