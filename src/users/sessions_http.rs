//! Sessions over HTTP.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, delete, get, post, put};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::sessions::{self, ACCESS_SECONDS, Ended, Pair, Session};
use crate::auth::Role;
use crate::error::{Error, Result};
use crate::http::body::Body;
use crate::http::extract::{SignedIn, Stranger};
use crate::http::problem::Refusal;
use crate::http::source;
use crate::temwen::Temwen;
use crate::values::{Email, SessionId};

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(sign_in)
        .service(refresh_session)
        .service(list_sessions)
        .service(sign_out)
        .service(end_session)
        .service(read_own_account)
        .service(change_own_password);
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "triage@demo.example", "password": "the password that was printed"}))]
struct SignIn {
    /// The account's address.
    email: String,
    /// Its password.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
    /// A one-time code. No account has a second factor yet, so only null is taken.
    otp: Option<String>,
}

/// Access and refresh token.
#[derive(Serialize, ToSchema)]
struct TokenPair {
    /// A signed token (JWT, `EdDSA`) for the `Authorization` header.
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// For how many seconds the access token is good.
    expires_in: i64,
    /// Good once, for the next pair.
    refresh_token: String,
}

impl From<Pair> for TokenPair {
    fn from(Pair { access_token, refresh_token }: Pair) -> Self {
        Self { access_token, token_type: "Bearer", expires_in: ACCESS_SECONDS, refresh_token }
    }
}

/// Sign in.
///
/// An unknown account and a wrong password answer alike, and in the same time. Failures slow the next attempts down;
/// they never lock an account out for good.
#[utoipa::path(tag = "sessions", security(()), request_body = SignIn, responses((status = 201, body = TokenPair, description = "Signed in"), Refusal))]
#[post("/sessions")]
async fn sign_in(
    temwen: Data<Temwen>,
    caller: Stranger,
    request: HttpRequest,
    body: Body<SignIn>,
) -> Result<HttpResponse> {
    let SignIn { email, password, otp } = body.value;
    if otp.is_some() {
        return Err(Error::fault("/otp", "second factors are not offered; send null or leave it out"));
    }
    let email = Email::parse(email).map_err(|why| Error::fault("/email", why))?;
    let from = source::of(&request, temwen.front.trusted_proxies);
    let pair = sessions::sign_in(&temwen, &caller.0, email.as_str(), password, from.as_deref()).await?;
    Ok(HttpResponse::Created().json(TokenPair::from(pair)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"refresh_token": "twr_…"}))]
struct RefreshSession {
    /// The refresh token received last.
    refresh_token: String,
}

/// Get a new pair of tokens.
///
/// The refresh token is used up. One that is presented a second time ends the whole session.
#[utoipa::path(tag = "sessions", security(()), request_body = RefreshSession, responses((status = 201, body = TokenPair, description = "A new pair"), Refusal))]
#[post("/sessions/refresh")]
async fn refresh_session(
    temwen: Data<Temwen>,
    caller: Stranger,
    body: Body<RefreshSession>,
) -> Result<HttpResponse> {
    let pair = sessions::refresh(&temwen, &caller.0, &body.value.refresh_token).await?;
    Ok(HttpResponse::Created().json(TokenPair::from(pair)))
}

/// One sign-in.
#[derive(Serialize, ToSchema)]
struct SessionView {
    /// Its id.
    id: SessionId,
    /// When it began.
    created_at: DateTime<Utc>,
    /// When it was last refreshed.
    last_used_at: DateTime<Utc>,
    /// Until when it may be refreshed.
    expires_at: DateTime<Utc>,
    /// Whether it is the one that asks.
    current: bool,
}

/// The sessions of an account.
#[derive(Serialize, ToSchema)]
struct SessionList {
    /// Those that still run, newest first.
    items: Vec<SessionView>,
}

/// List your own sessions.
///
/// Those of the account that asks, the newest first.
#[utoipa::path(tag = "sessions", security(("token" = [])), responses((status = 200, body = SessionList, description = "Your sessions"), Refusal))]
#[get("/sessions")]
async fn list_sessions(temwen: Data<Temwen>, caller: SignedIn) -> Result<HttpResponse> {
    let current = caller.0.actor.officer().map(|officer| officer.session);
    let view = |session: Session| SessionView {
        current: Some(session.id) == current,
        id: session.id,
        created_at: session.created_at,
        last_used_at: session.last_used_at,
        expires_at: session.expires_at,
    };
    let items = sessions::own(&temwen, &caller.0).await?.into_iter().map(view).collect();
    Ok(HttpResponse::Ok().json(SessionList { items }))
}

/// Sign out.
///
/// The access token is refused from now on, although it has not expired, and so is the refresh token.
#[utoipa::path(tag = "sessions", security(("token" = [])), responses((status = 204, description = "Signed out"), Refusal))]
#[delete("/sessions/current")]
async fn sign_out(temwen: Data<Temwen>, caller: SignedIn) -> Result<HttpResponse> {
    let session = caller.0.actor.officer().map(|officer| officer.session).ok_or_else(Error::not_found)?;
    temwen
        .db
        .write(&caller.0, "sessions.sign_out", async |tx| {
            sessions::end_own(tx, session, Ended::SignedOut).await
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// End one of your sessions.
///
/// For a device that was lost or forgotten. Only a session of one's own account; others answer 404.
#[utoipa::path(tag = "sessions", security(("token" = [])), params(("id" = Uuid, Path, description = "Which session")),
    responses((status = 204, description = "Ended"), Refusal))]
#[delete("/sessions/{id}")]
async fn end_session(temwen: Data<Temwen>, caller: SignedIn, id: Path<SessionId>) -> Result<HttpResponse> {
    let end = async |tx: &mut _| sessions::end_own(tx, *id, Ended::EndedElsewhere).await;
    temwen.db.write(&caller.0, "sessions.end", end).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Who you are here.
#[derive(Serialize, ToSchema)]
struct OwnAccount {
    /// Your account.
    id: Uuid,
    /// Your address.
    email: String,
    /// Your name.
    name: String,
    /// What you are trusted to do.
    roles: Vec<Role>,
    /// For which country, if your role is for one.
    country: Option<String>,
    /// From which seat of the panel, if you are on it.
    seat: Option<crate::auth::Seat>,
}

/// Read your own account.
///
/// What the account that asks is called and trusted to do.
#[utoipa::path(tag = "sessions", security(("token" = [])), responses((status = 200, body = OwnAccount, description = "Your account"), Refusal))]
#[get("/me")]
async fn read_own_account(temwen: Data<Temwen>, caller: SignedIn) -> Result<HttpResponse> {
    let id = caller.0.actor.user().ok_or_else(Error::not_found)?;
    let user = super::read_own(&temwen, &caller.0, id).await?.ok_or_else(Error::not_found)?;
    let roles = user.roles().iter().collect();
    Ok(HttpResponse::Ok().json(OwnAccount {
        id: user.id.uuid(),
        email: user.email,
        name: user.name,
        roles,
        country: user.country,
        seat: user.seat,
    }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"current_password": "the old one", "new_password": "four calm herons cross the bay"}))]
struct ChangePassword {
    /// The password in use.
    #[schema(value_type = String, format = Password)]
    current_password: SecretString,
    /// The new one: 12 to 256 characters, not a common or easily guessed one.
    #[schema(value_type = String, format = Password)]
    new_password: SecretString,
}

/// Change your password. Your other sessions end.
///
/// Every other session of the account ends. A password that is easy to guess is refused.
#[utoipa::path(tag = "sessions", security(("token" = [])), request_body = ChangePassword, responses((status = 204, description = "Changed"), Refusal))]
#[put("/me/password")]
async fn change_own_password(
    temwen: Data<Temwen>,
    caller: SignedIn,
    request: HttpRequest,
    body: Body<ChangePassword>,
) -> Result<HttpResponse> {
    let ChangePassword { current_password, new_password } = body.value;
    let from = source::of(&request, temwen.front.trusted_proxies);
    sessions::change_password(&temwen, &caller.0, current_password, new_password, from.as_deref()).await?;
    Ok(HttpResponse::NoContent().finish())
}
