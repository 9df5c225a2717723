//! The roster over HTTP: persons.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, patch, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::store::{self, Filter};
use super::{Known, Leadership, Person, PersonChange};
use crate::audit::{Event, What};
use crate::auth::policy::{self, Action};
use crate::coa::Vocabulary;
use crate::error::{Error, Result};
use crate::http::body::Body;
use crate::http::extract::{IfMatch, Params, SignedIn};
use crate::http::idempotency::{self, Created, IdempotencyKey};
use crate::http::json::given;
use crate::http::page::{self, Items, Page};
use crate::http::problem::Refusal;
use crate::http::versioned;
use crate::temwen::Temwen;
use crate::values::{Faults, Line, PersonId, UnitId, UserId};

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(list_personnel)
        .service(add_person)
        .service(read_person)
        .service(change_person)
        .configure(super::units_http::routes);
}

/// A person of the roster.
#[derive(Serialize, ToSchema)]
struct PersonView {
    #[schema(value_type = Uuid)]
    id: PersonId,
    /// The name.
    name: String,
    /// The service number.
    service_number: Option<String>,
    /// The unit that they serve in.
    #[schema(value_type = Option<Uuid>)]
    unit_id: Option<UnitId>,
    /// As what they serve.
    rank: Option<String>,
    /// The contributing country, ISO 3166-1 alpha-2.
    country: Option<String>,
    /// The account that is theirs.
    #[schema(value_type = Option<Uuid>)]
    user_id: Option<UserId>,
    /// Their office in the leadership. What is said about whoever has one is dealt with outside the mission.
    leadership: Leadership,
    /// Since when they no longer serve.
    left_at: Option<DateTime<Utc>>,
    /// When they were entered.
    created_at: DateTime<Utc>,
    /// Counts the changes; send it back in `If-Match`.
    version: i32,
}

impl From<Person> for PersonView {
    fn from(Person { kept, name, service_number }: Person) -> Self {
        Self {
            id: kept.id,
            name,
            service_number,
            unit_id: kept.unit_id,
            rank: kept.rank,
            country: kept.country,
            user_id: kept.user_id,
            leadership: kept.leadership,
            left_at: kept.left_at,
            created_at: kept.created_at,
            version: kept.version,
        }
    }
}

pub(super) fn allow(caller: &SignedIn, action: Action) -> Result<()> {
    if policy::allows(&caller.0.actor, action) { Ok(()) } else { Err(Error::forbidden()) }
}

/// A contributing country that the policy knows.
pub(super) fn country(temwen: &Temwen, code: String) -> Result<String, &'static str> {
    if temwen.policy.knows(Vocabulary::Country, &code) {
        Ok(code)
    } else {
        Err("is not a contributing country of the policy")
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListPersonnel {
    /// Only persons of this unit.
    unit_id: Option<Uuid>,
    /// Only persons of this contributing country.
    country: Option<String>,
    /// Only persons with this office.
    leadership: Option<Leadership>,
    /// Only those who serve (`true`) or have left (`false`).
    serving: Option<bool>,
    /// How many at most, 1 to 200; 50 unless given.
    limit: Option<u32>,
    /// The cursor of the page before.
    after: Option<String>,
}

/// List who serves, newest entry first. That you read it is recorded.
///
/// For administrators, who keep the roster, and for those who give work to others.
#[utoipa::path(tag = "personnel", security(("token" = [])), params(ListPersonnel),
    responses((status = 200, body = Items<PersonView>, description = "A page of persons"), Refusal))]
#[get("/personnel")]
async fn list_personnel(
    temwen: Data<Temwen>,
    caller: SignedIn,
    request: HttpRequest,
    query: Params<ListPersonnel>,
) -> Result<HttpResponse> {
    allow(&caller, Action::ReadRoster)?;
    let ListPersonnel { unit_id, country, leadership, serving, limit, after } = query.0;
    let page = Page::parse(&temwen.keys, "personnel", limit, after.as_deref())?;
    let filter = Filter { unit: unit_id.map(UnitId::from), country, leadership, serving };
    let read = async |conn: &_| store::list(conn, &filter, page.after, page.rows()).await.map(Some);
    let event = Event::register(What::RosterRead);
    let rows = temwen.db.read_recorded(&caller.0, "personnel.list", event, read).await?.unwrap_or_default();
    let persons = rows.into_iter().map(|row| row.open(&temwen.register)).collect::<Result<Vec<_>>>()?;
    let position = |person: &Person| (person.kept.created_at, person.kept.id.uuid());
    Ok(page::answer(&temwen.keys, "personnel", page, persons, position, PersonView::from, &request))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "John Sample", "service_number": "KE-1042", "rank": "sergeant", "country": "KE"}))]
struct AddPerson {
    /// The name.
    name: String,
    /// The service number.
    service_number: Option<String>,
    /// The unit that they serve in.
    unit_id: Option<Uuid>,
    /// As what they serve.
    rank: Option<String>,
    /// The contributing country, ISO 3166-1 alpha-2.
    country: Option<String>,
    /// The account that is theirs.
    user_id: Option<Uuid>,
    /// Their office in the leadership; none unless given.
    leadership: Option<Leadership>,
}

/// Enter a person in the roster.
///
/// For administrators. If a matter names this person, it is hidden from their account at once; if it names somebody of their unit,
/// or of what they command, too.
#[utoipa::path(tag = "personnel", security(("token" = [])), request_body = AddPerson,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats get the first answer again")),
    responses((status = 201, body = PersonView, description = "The person"), Refusal))]
#[post("/personnel")]
async fn add_person(
    temwen: Data<Temwen>,
    caller: SignedIn,
    key: IdempotencyKey,
    body: Body<AddPerson>,
) -> Result<HttpResponse> {
    allow(&caller, Action::KeepRoster)?;
    let AddPerson { name, service_number, unit_id, rank, country: code, user_id, leadership } = body.value;
    let mut faults = Faults::default();
    let name = faults.take("/name", Line::parse(name));
    let service_number = faults.take_some("/service_number", service_number, Line::parse);
    let rank = faults.take_some("/rank", rank, Line::parse);
    let code = faults.take_some("/country", code, |code| country(&temwen, code));
    let name = faults.none_or(name)?;
    let known = Known {
        name,
        service_number,
        unit_id: unit_id.map(UnitId::from),
        rank,
        country: code,
        user_id: user_id.map(UserId::from),
        leadership: leadership.unwrap_or(Leadership::None),
    };
    let added = idempotency::once(&temwen, &caller.0, "personnel.add", &key, &body.bytes, async |tx| {
        let person = PersonView::from(super::add(tx, &temwen.register, &known).await?);
        let (version, location) = (person.version, format!("/v1/personnel/{}", person.id));
        Ok(Created::new(person).version(version).at(location))
    })
    .await?;
    super::see_to_roster(&temwen).await;
    Ok(added)
}

/// Read a person's entry. That you read it is recorded.
///
/// Answers the version that goes into `If-Match` of a change.
#[utoipa::path(tag = "personnel", security(("token" = [])), params(("id" = Uuid, Path, description = "Which person")),
    responses((status = 200, body = PersonView, description = "The person"), Refusal))]
#[get("/personnel/{id}")]
async fn read_person(temwen: Data<Temwen>, caller: SignedIn, id: Path<PersonId>) -> Result<HttpResponse> {
    allow(&caller, Action::ReadRoster)?;
    let event = Event::of(What::RosterRead, "person", id.uuid());
    let read = async |conn: &_| store::read(conn, *id).await;
    let row = temwen.db.read_recorded(&caller.0, "personnel.read", event, read).await?;
    let person = row.ok_or_else(Error::not_found)?.open(&temwen.register)?;
    Ok(versioned(person.kept.version, &PersonView::from(person)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"rank": "inspector", "left": false}))]
#[expect(clippy::option_option, reason = "what is left out stays, what is null is taken away")]
struct ChangePerson {
    /// Another name. Under the name before, they stay known.
    name: Option<String>,
    /// Another service number; null takes it away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    service_number: Option<Option<String>>,
    /// Another unit; null for none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Uuid>)]
    unit_id: Option<Option<Uuid>>,
    /// Another rank; null for none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    rank: Option<Option<String>>,
    /// Another contributing country; null for none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    country: Option<Option<String>>,
    /// Another account; null for none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Uuid>)]
    user_id: Option<Option<Uuid>>,
    /// Another office.
    leadership: Option<Leadership>,
    /// Whether they have left (`true`), or serve again.
    left: Option<bool>,
}

/// Change a person's entry.
///
/// For administrators. What it means for the matters there are takes effect at once: who is named, and who serves with a subject or
/// commands above one, no longer knows of them. A wall that is there stays.
#[utoipa::path(tag = "personnel", security(("token" = [])), request_body = ChangePerson,
    params(("id" = Uuid, Path, description = "Which person"), ("If-Match" = String, Header, description = "The version that you saw")),
    responses((status = 200, body = PersonView, description = "The changed entry"), Refusal))]
#[patch("/personnel/{id}")]
async fn change_person(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<PersonId>,
    seen: IfMatch,
    body: Body<ChangePerson>,
) -> Result<HttpResponse> {
    allow(&caller, Action::KeepRoster)?;
    let ChangePerson { name, service_number, unit_id, rank, country: code, user_id, leadership, left } =
        body.value;
    let mut faults = Faults::default();
    let nothing = name.is_none()
        && service_number.is_none()
        && unit_id.is_none()
        && rank.is_none()
        && code.is_none()
        && user_id.is_none()
        && leadership.is_none()
        && left.is_none();
    if nothing {
        faults.add("", "must change something");
    }
    let mut line = |pointer: &str, text: Option<Option<String>>| {
        text.map(|text| faults.take_some(pointer, text, Line::parse))
    };
    let service_number = line("/service_number", service_number);
    let rank = line("/rank", rank);
    let name = faults.take_some("/name", name, Line::parse);
    let code = code.map(|code| faults.take_some("/country", code, |code| country(&temwen, code)));
    faults.check()?;
    let change = PersonChange {
        name,
        service_number,
        unit_id: unit_id.map(|unit| unit.map(UnitId::from)),
        rank,
        country: code,
        user_id: user_id.map(|user| user.map(UserId::from)),
        leadership,
        left,
    };
    let person = temwen
        .db
        .write(&caller.0, "personnel.change", async |tx| {
            super::change(tx, &temwen.register, *id, seen.0, &change).await
        })
        .await?;
    super::see_to_roster(&temwen).await;
    Ok(versioned(person.kept.version, &PersonView::from(person)))
}
