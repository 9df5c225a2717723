//! Extractors whose refusals are problems too.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderName};
use actix_web::web;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use serde::de::DeserializeOwned;

use super::middleware::RequestId;
use crate::auth::credentials::tokens::{Claims, Kind as TokenKind};
use crate::auth::{Actor, Officer, Roles, Seat};
use crate::coa::Language;
use crate::db::Caller;
use crate::error::{Error, Kind, Result};
use crate::temwen::Temwen;
use crate::values::{ComplaintId, Fault, SessionId, UserId};

/// A header that stands once, as text.
pub(crate) fn single(request: &HttpRequest, name: &HeaderName) -> Result<Option<String>> {
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

/// Somebody who shows credentials in the body: a token that is sent along, perhaps an old one, is not looked at.
#[derive(Debug, Clone)]
pub struct Stranger(pub Caller);

impl FromRequest for Stranger {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(Caller::new(Actor::Public, request_id(request)))))
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

/// How many parameters of a query are looked at for faults.
const MOST_PARAMETERS: usize = 64;

/// Query parameters; each stands once, unknown ones are refused.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Params<T> {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let query = request.query_string();
        ready(web::Query::<T>::from_query(query).map(|query| Self(query.into_inner())).map_err(|error| {
            let mut faults = faulty_parameters::<T>(query);
            if faults.is_empty() {
                let text = error.to_string();
                let missing = text.split("missing field `").nth(1).and_then(|rest| rest.split('`').next());
                faults.push(match missing {
                    Some(name) => Fault::new(name, "must be given"),
                    None => Fault::new("query", "cannot be read"),
                });
            }
            Error::invalid(faults)
        }))
    }
}

/// Which parameters are at fault: each is tried by itself, because the error for all of them names only the first.
fn faulty_parameters<T: DeserializeOwned>(query: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut seen = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()).take(MOST_PARAMETERS) {
        let parsed = web::Query::<Vec<(String, String)>>::from_query(pair);
        let Some((name, _)) = parsed.ok().and_then(|pairs| pairs.into_inner().pop()) else {
            faults.push(Fault::new("query", "cannot be read"));
            continue;
        };
        if seen.contains(&name) {
            faults.push(Fault::new(name, "stands more than once"));
            continue;
        }
        if let Err(error) = web::Query::<T>::from_query(pair) {
            let text = error.to_string();
            if text.contains("unknown field `") {
                faults.push(Fault::new(name.clone(), "is not a parameter of this request"));
            } else if !text.contains("missing field `") {
                faults.push(Fault::new(name.clone(), "holds a value that this parameter does not take"));
            }
        }
        seen.push(name);
    }
    faults
}

/// Refusals of path segments: an id that does not parse names nothing.
pub fn path_config() -> web::PathConfig {
    web::PathConfig::default().error_handler(|_, _| Error::not_found().into())
}
