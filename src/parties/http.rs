//! Parties over HTTP: by pseudonym, to whoever may know of the matter.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{At, Named, Party, PartyRole};
use crate::error::Result;
use crate::http::extract::{Params, SignedIn};
use crate::http::page::{self, Items, Page};
use crate::http::problem::Refusal;
use crate::http::versioned;
use crate::temwen::Temwen;
use crate::values::{CaseId, PartyId};

pub(crate) use super::identity_http::{IdentityGiven, SafeContactGiven};

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(list_parties)
        .service(read_party)
        .configure(super::reveal_http::routes)
        .configure(super::consents_http::routes);
}

/// A person of a matter, by pseudonym. Who they are is revealed by itself, for a purpose.
#[derive(Serialize, ToSchema)]
pub(crate) struct PartyView {
    #[schema(value_type = Uuid)]
    id: PartyId,
    /// What everybody calls them: `R-…`, `V-…`, `W-…` or `S-…`.
    pseudonym: String,
    /// Their part.
    role: PartyRole,
    /// Their place among those of their role in what was handed in, from 1.
    position: i32,
    /// A word of the policy.
    sex: Option<String>,
    /// A word of the policy.
    age_band: Option<String>,
    /// Whether they are known to be under 18.
    child: bool,
    /// ISO 3166-1 alpha-2 code.
    country: Option<String>,
    /// Whether a name, a number or a contact is known, and withheld.
    identified: bool,
    /// Whether nothing that they are sent may name the mission.
    no_mission_name: bool,
    /// When they were added.
    added_at: DateTime<Utc>,
    /// Counts changes; send it back in `If-Match`.
    pub(crate) version: i32,
}

impl From<Party> for PartyView {
    fn from(party: Party) -> Self {
        let Party {
            id,
            pseudonym,
            role,
            position,
            sex,
            age_band,
            child,
            country,
            identified,
            discreet,
            added_at,
            version,
            ..
        } = party;
        Self {
            id,
            pseudonym,
            role,
            position,
            sex,
            age_band,
            child,
            country,
            identified,
            no_mission_name: discreet,
            added_at,
            version,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListParties {
    /// How many at most, 1 to 200; 50 unless given.
    limit: Option<u32>,
    /// The cursor of the page before.
    after: Option<String>,
}

/// List the persons of a case, by pseudonym, in the order in which they were added.
///
/// Whoever supports victims sees the victims. Nobody's name is in it, whoever asks. That you read it is recorded.
#[utoipa::path(tag = "parties", security(("token" = [])), params(("id" = Uuid, Path, description = "Which case"), ListParties),
    responses((status = 200, body = Items<PartyView>, description = "A page of persons"), Refusal))]
#[get("/cases/{id}/parties")]
async fn list_parties(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<CaseId>,
    request: HttpRequest,
    query: Params<ListParties>,
) -> Result<HttpResponse> {
    let page = Page::parse(&temwen.keys, "parties", query.0.limit, query.0.after.as_deref())?;
    let read = async |tx: &mut _| super::list(tx, At::Case(*id), page.after, page.rows()).await;
    let rows = temwen.db.write(&caller.0, "parties.list", read).await?;
    let position = |party: &Party| (party.added_at, party.id.uuid());
    Ok(page::answer(&temwen.keys, "parties", page, rows, position, PartyView::from, &request))
}

/// Read about a person of a case, by pseudonym.
///
/// `party` is their id or their pseudonym. That you read it is recorded.
#[utoipa::path(tag = "parties", security(("token" = [])),
    params(("id" = Uuid, Path, description = "Which case"), ("party" = String, Path, description = "Whom: id or pseudonym")),
    responses((status = 200, body = PartyView, description = "The person"), Refusal))]
#[get("/cases/{id}/parties/{party}")]
async fn read_party(
    temwen: Data<Temwen>,
    caller: SignedIn,
    path: Path<(CaseId, String)>,
) -> Result<HttpResponse> {
    let (id, party) = path.into_inner();
    let named = Named::parse(&party)?;
    let read = async |tx: &mut _| super::read(tx, At::Case(id), &named).await;
    let party = temwen.db.write(&caller.0, "parties.read", read).await?;
    Ok(versioned(party.version, &PartyView::from(party)))
}
