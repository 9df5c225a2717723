//! The register itself: whether it lives and is ready, and the keys that its tokens are checked with.

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::problem::Refusal;
use crate::error::Result;
use crate::temwen::Temwen;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(health).service(ready).service(token_keys);
}

/// That something is well.
#[derive(Serialize, ToSchema)]
struct Well {
    /// Always `ok`.
    status: &'static str,
}

/// Whether the process lives.
///
/// Asks nobody else, so it also answers while the database is away.
#[utoipa::path(tag = "register", security(()), responses((status = 200, body = Well, description = "It lives"), Refusal))]
#[get("/health")]
async fn health() -> HttpResponse {
    HttpResponse::Ok().json(Well { status: "ok" })
}

/// Whether it can answer: the database is there and has the schema that this build knows.
///
/// Answers 503 with `Retry-After` otherwise, and then a load balancer should send requests elsewhere.
#[utoipa::path(tag = "register", security(()), responses((status = 200, body = Well, description = "It can answer"), Refusal))]
#[get("/ready")]
async fn ready(temwen: Data<Temwen>) -> Result<HttpResponse> {
    temwen.db.ready().await?;
    Ok(HttpResponse::Ok().json(Well { status: "ok" }))
}

/// The public keys of access tokens (RFC 7517).
///
/// Whoever gets an access token can verify it with these, without asking Temwen. Every key that still
/// verifies is listed; the newest signs.
#[utoipa::path(tag = "register", security(()),
    responses((status = 200, body = Object, description = "A JSON Web Key Set", example = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "…", "x": "…", "use": "sig", "alg": "EdDSA"}]})), Refusal))]
#[get("/.well-known/jwks.json")]
async fn token_keys(temwen: Data<Temwen>) -> HttpResponse {
    HttpResponse::Ok().json(temwen.tokens.jwks())
}
