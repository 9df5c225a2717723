//! Accounts over HTTP, for administrators.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, patch, post};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{NewUser, Rights, User, UserChange, sessions};
use crate::audit::{Event, What};
use crate::auth::policy::{self, Action};
use crate::auth::{Role, Seat};
use crate::coa::Vocabulary;
use crate::error::{Error, Result};
use crate::http::body::Body;
use crate::http::extract::{IfMatch, Params, SignedIn};
use crate::http::idempotency::{self, Created, IdempotencyKey};
use crate::http::page::{self, Items, Page};
use crate::http::problem::Refusal;
use crate::http::versioned;
use crate::personnel;
use crate::temwen::Temwen;
use crate::values::{Email, Faults, Line, Reason, UserId};

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(list_users)
        .service(add_user)
        .service(read_user)
        .service(change_user)
        .service(deactivate_user)
        .configure(super::sessions_http::routes);
}

/// An account as an administrator sees it.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserView {
    id: Uuid,
    /// The address it signs in with.
    email: String,
    /// The person's or system's name.
    name: String,
    /// What it is trusted to do.
    roles: Vec<Role>,
    /// For which country, where a role is for one.
    country: Option<String>,
    /// From which seat of the panel.
    seat: Option<Seat>,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// Since when it may no longer sign in.
    deactivated_at: Option<DateTime<Utc>>,
    /// Counts its changes; send it back in `If-Match`.
    version: i32,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        let roles = user.roles().iter().collect();
        let User { id, email, name, country, seat, created_at, deactivated_at, version, .. } = user;
        Self { id: id.uuid(), email, name, roles, country, seat, created_at, deactivated_at, version }
    }
}

fn allow(caller: &SignedIn, action: Action) -> Result<()> {
    if policy::allows(&caller.0.actor, action) { Ok(()) } else { Err(Error::forbidden()) }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListUsers {
    /// Only accounts with this role.
    role: Option<Role>,
    /// Only accounts that may sign in (`true`) or may not any more (`false`).
    active: Option<bool>,
    /// How many at most, 1 to 200; 50 unless given.
    limit: Option<u32>,
    /// The cursor of the page before.
    after: Option<String>,
}

/// List accounts, newest first.
///
/// For administrators, who see accounts and no case, and for those who give work to others.
#[utoipa::path(tag = "users", security(("token" = [])), params(ListUsers), responses((status = 200, body = Items<UserView>, description = "A page of accounts"), Refusal))]
#[get("/users")]
async fn list_users(
    temwen: Data<Temwen>,
    caller: SignedIn,
    request: HttpRequest,
    query: Params<ListUsers>,
) -> Result<HttpResponse> {
    allow(&caller, Action::ReadUsers)?;
    let ListUsers { role, active, limit, after } = query.0;
    let page = Page::parse(&temwen.keys, "users", limit, after.as_deref())?;
    let read = async |conn: &_| super::list(conn, role, active, page.after, page.rows()).await.map(Some);
    let event = Event::register(What::UsersRead);
    let rows = temwen.db.read_recorded(&caller.0, "users.list", event, read).await?.unwrap_or_default();
    Ok(page::answer(
        &temwen.keys,
        "users",
        page,
        rows,
        |user| (user.created_at, user.id.uuid()),
        UserView::from,
        &request,
    ))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "odette@mission.example", "name": "Odette Pierre", "roles": ["investigator"], "password": "four calm herons cross the bay"}))]
struct AddUser {
    /// The address it signs in with.
    email: String,
    /// The person's or system's name.
    name: String,
    /// What it is trusted to do.
    roles: Vec<String>,
    /// For a national authority: its country, ISO 3166-1 alpha-2.
    country: Option<String>,
    /// For a panel member: `mss`, `pnh` or `ohchr`.
    seat: Option<String>,
    /// Its first password: 12 to 256 characters, not a common or easily guessed one.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// Make an account.
///
/// For administrators. The password is handed over in person and should be changed at the first sign-in.
#[utoipa::path(tag = "users", security(("token" = [])), request_body = AddUser,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats get the first answer again")),
    responses((status = 201, body = UserView, description = "The new account"), Refusal))]
#[post("/users")]
async fn add_user(
    temwen: Data<Temwen>,
    caller: SignedIn,
    key: IdempotencyKey,
    body: Body<AddUser>,
) -> Result<HttpResponse> {
    allow(&caller, Action::KeepUsers)?;
    let AddUser { email, name, roles, country, seat, password } = body.value;
    let mut faults = Faults::default();
    let email = faults.take("/email", Email::parse(email));
    let name = faults.take("/name", Line::parse(name));
    let rights = Rights::parse(&mut faults, &roles, country, seat.as_deref(), |code| {
        temwen.policy.knows(Vocabulary::Country, code)
    });
    let (email, name, rights) =
        faults.none_or(email.zip(name).zip(rights).map(|((email, name), rights)| (email, name, rights)))?;
    let password =
        sessions::acceptable(&temwen, "/password", password, email.as_str(), name.as_str()).await?;
    let new = NewUser { email, name, rights, password };
    let added = idempotency::once(&temwen, &caller.0, "users.add", &key, &body.bytes, async |tx| {
        let user = UserView::from(super::add(tx, &temwen.register, &new).await?);
        let (version, location) = (user.version, format!("/v1/users/{}", user.id));
        Ok(Created::new(user).version(version).at(location))
    })
    .await?;
    personnel::see_to_roster(&temwen).await;
    Ok(added)
}

/// Read an account.
///
/// For administrators and those who give work to others. Answers the version that goes into `If-Match` of a change.
#[utoipa::path(tag = "users", security(("token" = [])), params(("id" = Uuid, Path, description = "Which account")),
    responses((status = 200, body = UserView, description = "The account"), Refusal))]
#[get("/users/{id}")]
async fn read_user(temwen: Data<Temwen>, caller: SignedIn, id: Path<UserId>) -> Result<HttpResponse> {
    allow(&caller, Action::ReadUsers)?;
    let user = super::read_one(&temwen, &caller.0, *id).await?.ok_or_else(Error::not_found)?;
    Ok(versioned(user.version, &UserView::from(user)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"roles": ["investigator", "focal_point"]}))]
struct ChangeUser {
    /// Another name.
    name: Option<String>,
    /// Other roles; country and seat then belong to them.
    roles: Option<Vec<String>>,
    /// For a national authority: its country.
    country: Option<String>,
    /// For a panel member: the seat.
    seat: Option<String>,
}

/// Change an account's name or rights.
///
/// Access tokens issued before a change of rights are refused from then on; refreshing gives new ones.
#[utoipa::path(tag = "users", security(("token" = [])), request_body = ChangeUser,
    params(("id" = Uuid, Path, description = "Which account"), ("If-Match" = String, Header, description = "The version that you saw")),
    responses((status = 200, body = UserView, description = "The changed account"), Refusal))]
#[patch("/users/{id}")]
async fn change_user(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<UserId>,
    seen: IfMatch,
    body: Body<ChangeUser>,
) -> Result<HttpResponse> {
    allow(&caller, Action::KeepUsers)?;
    let ChangeUser { name, roles, country, seat } = body.value;
    let mut faults = Faults::default();
    if name.is_none() && roles.is_none() {
        faults.add("", "must change the name or the roles");
    }
    if roles.is_none() && (country.is_some() || seat.is_some()) {
        faults.add("/roles", "must be given together with country or seat");
    }
    let name = faults.take_some("/name", name, Line::parse);
    let rights = roles.and_then(|roles| {
        Rights::parse(&mut faults, &roles, country, seat.as_deref(), |code| {
            temwen.policy.knows(Vocabulary::Country, code)
        })
    });
    faults.check()?;
    let change = UserChange { name, rights };
    let user = temwen
        .db
        .write(&caller.0, "users.change", async |tx| {
            super::change(tx, &temwen.register, *id, seen.0, &change).await
        })
        .await?;
    personnel::see_to_roster(&temwen).await;
    Ok(versioned(user.version, &UserView::from(user)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "left the mission"}))]
struct DeactivateUser {
    /// Why.
    reason: String,
}

/// Deactivate an account. Its sessions end at once.
///
/// For administrators. Its sessions end at once, whatever their tokens say. What it did stays attributed to
/// it; accounts are never deleted.
#[utoipa::path(tag = "users", security(("token" = [])), request_body = DeactivateUser,
    params(("id" = Uuid, Path, description = "Which account"), ("If-Match" = String, Header, description = "The version that you saw")),
    responses((status = 200, body = UserView, description = "The deactivated account"), Refusal))]
#[post("/users/{id}/deactivation")]
async fn deactivate_user(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<UserId>,
    seen: IfMatch,
    body: Body<DeactivateUser>,
) -> Result<HttpResponse> {
    allow(&caller, Action::KeepUsers)?;
    let reason = Reason::parse(&body.value.reason).map_err(|why| Error::fault("/reason", why))?;
    let user = temwen
        .db
        .write(&caller.0, "users.deactivate", async |tx| super::deactivate(tx, *id, seen.0, &reason).await)
        .await?;
    Ok(versioned(user.version, &UserView::from(user)))
}
