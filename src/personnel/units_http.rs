//! The roster over HTTP: units.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, patch, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::http::{allow, country};
use super::units::{self, NewUnit, Unit, UnitChange};
use super::units_store;
use crate::auth::policy::Action;
use crate::error::Result;
use crate::http::body::Body;
use crate::http::extract::{IfMatch, Params, SignedIn};
use crate::http::idempotency::{self, Created, IdempotencyKey};
use crate::http::json::given;
use crate::http::page::{self, Items, Page};
use crate::http::problem::Refusal;
use crate::http::versioned;
use crate::temwen::Temwen;
use crate::values::{Faults, Line, PersonId, UnitId};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(list_units).service(add_unit).service(change_unit);
}

/// A unit.
#[derive(Serialize, ToSchema)]
struct UnitView {
    #[schema(value_type = Uuid)]
    id: UnitId,
    /// What it is called.
    name: String,
    /// Whose it is, ISO 3166-1 alpha-2.
    country: Option<String>,
    /// The unit that it belongs to.
    #[schema(value_type = Option<Uuid>)]
    parent_id: Option<UnitId>,
    /// The person of the roster who commands it.
    #[schema(value_type = Option<Uuid>)]
    commander_id: Option<PersonId>,
    /// When it was entered.
    created_at: DateTime<Utc>,
    /// Counts its changes; send it back in `If-Match`.
    version: i32,
}

impl From<Unit> for UnitView {
    fn from(unit: Unit) -> Self {
        let Unit { id, name, country, parent_id, commander_id, created_at, version } = unit;
        Self { id, name, country, parent_id, commander_id, created_at, version }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListUnits {
    /// Only units of this contributing country.
    country: Option<String>,
    /// Only units that belong to this one.
    parent_id: Option<Uuid>,
    /// How many at most, 1 to 200; 50 unless given.
    limit: Option<u32>,
    /// The cursor of the page before.
    after: Option<String>,
}

/// List units, newest entry first.
///
/// For administrators, who keep the roster, and for those who give work to others.
#[utoipa::path(tag = "personnel", security(("token" = [])), params(ListUnits),
    responses((status = 200, body = Items<UnitView>, description = "A page of units"), Refusal))]
#[get("/units")]
async fn list_units(
    temwen: Data<Temwen>,
    caller: SignedIn,
    request: HttpRequest,
    query: Params<ListUnits>,
) -> Result<HttpResponse> {
    allow(&caller, Action::ReadRoster)?;
    let ListUnits { country, parent_id, limit, after } = query.0;
    let page = Page::parse(&temwen.keys, "units", limit, after.as_deref())?;
    let parent = parent_id.map(UnitId::from);
    let read =
        async |conn: &_| units_store::list(conn, country.as_deref(), parent, page.after, page.rows()).await;
    let rows = temwen.db.read(&caller.0, read).await?;
    let position = |unit: &Unit| (unit.created_at, unit.id.uuid());
    Ok(page::answer(&temwen.keys, "units", page, rows, position, UnitView::from, &request))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Unit 7", "country": "KE"}))]
struct AddUnit {
    /// What it is called: complaints that name it so are known to mean it.
    name: String,
    /// Whose it is, ISO 3166-1 alpha-2.
    country: Option<String>,
    /// The unit that it belongs to.
    parent_id: Option<Uuid>,
    /// The person of the roster who commands it.
    commander_id: Option<Uuid>,
}

/// Enter a unit.
///
/// For administrators. Whoever commands it, or what it belongs to, does not know of matters with a subject of this unit.
#[utoipa::path(tag = "personnel", security(("token" = [])), request_body = AddUnit,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats get the first answer again")),
    responses((status = 201, body = UnitView, description = "The unit"), Refusal))]
#[post("/units")]
async fn add_unit(
    temwen: Data<Temwen>,
    caller: SignedIn,
    key: IdempotencyKey,
    body: Body<AddUnit>,
) -> Result<HttpResponse> {
    allow(&caller, Action::KeepRoster)?;
    let AddUnit { name, country: code, parent_id, commander_id } = body.value;
    let mut faults = Faults::default();
    let name = faults.take("/name", Line::parse(name));
    let code = faults.take_some("/country", code, |code| country(&temwen, code));
    let name = faults.none_or(name)?;
    let new = NewUnit {
        name,
        country: code,
        parent_id: parent_id.map(UnitId::from),
        commander_id: commander_id.map(PersonId::from),
    };
    let added = idempotency::once(&temwen, &caller.0, "units.add", &key, &body.bytes, async |tx| {
        let unit = UnitView::from(units::add(tx, &temwen.register, &new).await?);
        let version = unit.version;
        Ok(Created::new(unit).version(version))
    })
    .await?;
    super::see_to_roster(&temwen).await;
    Ok(added)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Unit 7 Alpha"}))]
#[expect(clippy::option_option, reason = "what is left out stays, what is null is taken away")]
struct ChangeUnit {
    /// Another name. Under the name before, it stays known.
    name: Option<String>,
    /// Whose it is; null for nobody's.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    country: Option<Option<String>>,
    /// The unit that it belongs to; null for none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Uuid>)]
    parent_id: Option<Option<Uuid>>,
    /// The person of the roster who commands it; null for nobody.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Uuid>)]
    commander_id: Option<Option<Uuid>>,
}

/// Change a unit.
///
/// For administrators. A unit never belongs to itself, by however many steps. What the change means for the matters there are takes
/// effect at once.
#[utoipa::path(tag = "personnel", security(("token" = [])), request_body = ChangeUnit,
    params(("id" = Uuid, Path, description = "Which unit"), ("If-Match" = String, Header, description = "The version that you saw")),
    responses((status = 200, body = UnitView, description = "The changed unit"), Refusal))]
#[patch("/units/{id}")]
async fn change_unit(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<UnitId>,
    seen: IfMatch,
    body: Body<ChangeUnit>,
) -> Result<HttpResponse> {
    allow(&caller, Action::KeepRoster)?;
    let ChangeUnit { name, country: code, parent_id, commander_id } = body.value;
    let mut faults = Faults::default();
    if name.is_none() && code.is_none() && parent_id.is_none() && commander_id.is_none() {
        faults.add("", "must change something");
    }
    let name = faults.take_some("/name", name, Line::parse);
    let code = code.map(|code| faults.take_some("/country", code, |code| country(&temwen, code)));
    faults.check()?;
    let change = UnitChange {
        name,
        country: code,
        parent_id: parent_id.map(|parent| parent.map(UnitId::from)),
        commander_id: commander_id.map(|person| person.map(PersonId::from)),
    };
    let unit = temwen
        .db
        .write(&caller.0, "units.change", async |tx| {
            units::change(tx, &temwen.register, *id, seen.0, &change).await
        })
        .await?;
    super::see_to_roster(&temwen).await;
    Ok(versioned(unit.version, &UnitView::from(unit)))
}
