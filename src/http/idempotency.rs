//! `Idempotency-Key`: a creating request that is repeated gets its first answer again.
//!
//! The answer is kept in the transaction of the change itself, so either both are there or neither is.

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use serde::Serialize;
use std::future::{Ready, ready};

use super::extract::single;
use crate::auth::credentials::keys::{Keys, Purpose};
use crate::db::first_answers::{self, FirstAnswer, Key};
use crate::db::{Caller, Tx};
use crate::error::{Error, Kind, Result};
use crate::temwen::Temwen;
use crate::values::MatterId;

/// The header.
const NAME: HeaderName = HeaderName::from_static("idempotency-key");

/// The key that came with a request, if one did.
#[derive(Debug, Clone)]
pub struct IdempotencyKey(pub Option<String>);

impl FromRequest for IdempotencyKey {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(single(request, &NAME).and_then(|key| match key {
            Some(key) if key.is_empty() || key.len() > 255 => {
                Err(Error::new(Kind::Malformed, "Idempotency-Key must be 1 to 255 characters"))
            }
            key => Ok(Self(key)),
        }))
    }
}

impl IdempotencyKey {
    /// The key for one address: the same key means another request there.
    #[must_use]
    pub fn at(&self, id: uuid::Uuid) -> Self {
        Self(self.0.as_ref().map(|key| format!("{id} {key}")))
    }

    /// The key's digest, distinct for every server secret: the key itself is not kept.
    pub fn digest(&self, keys: &Keys, actor: &str) -> Option<[u8; 32]> {
        self.0.as_ref().map(|key| keys.digest(Purpose::IdempotencyKey, &[actor.as_bytes(), key.as_bytes()]))
    }
}

/// What a creating operation answers: status, version, body, and the matter it tells of.
#[derive(Debug)]
pub struct Created<T> {
    /// The body.
    pub body: T,
    /// The version, for `ETag`.
    pub version: Option<i32>,
    /// The status: 201 unless something else is meant.
    pub status: StatusCode,
    /// Where the new thing is.
    pub location: Option<String>,
    /// The matter that the body tells of; whoever is walled from it later does not get the body again.
    pub matter: Option<MatterId>,
}

impl<T> Created<T> {
    /// 201 with `body`.
    pub fn new(body: T) -> Self {
        Self { body, version: None, status: StatusCode::CREATED, location: None, matter: None }
    }

    /// With an `ETag`.
    #[must_use]
    pub fn version(mut self, version: i32) -> Self {
        self.version = Some(version);
        self
    }

    /// With another status.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// With a `Location`.
    #[must_use]
    pub fn at(mut self, location: String) -> Self {
        self.location = Some(location);
        self
    }

    /// Within a matter.
    #[must_use]
    pub fn within(mut self, matter: MatterId) -> Self {
        self.matter = Some(matter);
        self
    }
}

/// Runs `work` once for a key: whoever repeats the request gets the first answer, and nothing happens twice.
///
/// Another body under the same key is refused with 422; while the first still runs, with 409.
pub async fn once<T: Serialize>(
    temwen: &Temwen,
    caller: &Caller,
    operation: &'static str,
    key: &IdempotencyKey,
    body: &[u8],
    work: impl AsyncFnOnce(&mut Tx) -> Result<Created<T>>,
) -> Result<HttpResponse> {
    let actor = caller.actor.identity().name;
    let Some(key) = key.digest(&temwen.keys, &actor) else {
        let created = temwen.db.write(caller, operation, work).await?;
        let answer = json(&created.body)?;
        return Ok(render(created.status, created.version, created.location.as_deref(), &answer));
    };
    let key = Key { actor: &actor, operation, digest: &key };
    // Keyed, because a body may hold a password or somebody's words: a plain digest would let them be guessed.
    let body_digest = temwen.keys.digest(Purpose::IdempotencyKey, &[b"body", body]).to_vec();
    let mut repeated = None;
    let outcome = temwen
        .db
        .write(caller, operation, async |tx| {
            if let Some(first) = first_answers::find(tx, &temwen.register, &key).await? {
                if first.body_digest != body_digest {
                    return Err(Error::new(
                        Kind::KeyReused,
                        "this Idempotency-Key was used with another body",
                    ));
                }
                repeated = Some(first);
                // Nothing is changed, so the transaction is given up.
                return Err(Error::new(Kind::Exists, "repeated"));
            }
            let created = work(tx).await?;
            let answer = json(&created.body)?;
            let first = FirstAnswer {
                body_digest: body_digest.clone(),
                status: i16::try_from(created.status.as_u16()).unwrap_or(201),
                etag: created.version.map(|version| version.to_string()),
                location: created.location.clone(),
                body: answer.clone(),
            };
            first_answers::keep(tx, &temwen.register, &key, first, created.matter).await?;
            Ok((created.status, created.version, created.location, answer))
        })
        .await;
    match (outcome, repeated) {
        (Ok((status, version, location, answer)), _) => {
            Ok(render(status, version, location.as_deref(), &answer))
        }
        (Err(_), Some(first)) => {
            let status = u16::try_from(first.status).ok().and_then(|code| StatusCode::from_u16(code).ok());
            let version = first.etag.and_then(|etag| etag.parse().ok());
            Ok(render(status.unwrap_or(StatusCode::CREATED), version, first.location.as_deref(), &first.body))
        }
        (Err(error), None) => Err(error),
    }
}

fn json<T: Serialize>(body: &T) -> Result<String> {
    serde_json::to_string(body).map_err(Error::internal)
}

fn render(status: StatusCode, version: Option<i32>, location: Option<&str>, body: &str) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    if let Some(version) = version {
        response.insert_header((header::ETAG, format!("\"{version}\"")));
    }
    if let Some(location) = location {
        response.insert_header((header::LOCATION, location));
    }
    response.content_type("application/json").body(body.to_owned())
}
