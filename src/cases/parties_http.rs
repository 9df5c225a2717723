//! Adding persons to a case, and learning more about them, over HTTP.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, patch, post};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::coa::{Policy, Vocabulary};
use crate::error::{Error, Result};
use crate::http::body::Body;
use crate::http::extract::{IfMatch, SignedIn};
use crate::http::idempotency::{self, Created, IdempotencyKey};
use crate::http::problem::Refusal;
use crate::http::versioned;
use crate::parties::http::{IdentityGiven, PartyView};
use crate::parties::{Keep, Learned, Named, NewParty, PartyRole};
use crate::temwen::Temwen;
use crate::values::{CaseId, Faults};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(add_party).service(change_party);
}

/// The words about a person that stand in the clear, checked.
fn word(
    policy: &Policy,
    faults: &mut Faults,
    pointer: &str,
    vocabulary: Vocabulary,
    word: Option<String>,
) -> Option<String> {
    if let Some(word) = &word
        && !policy.knows(vocabulary, word)
    {
        faults.add(pointer, format!("is not one of the policy's {}", vocabulary.section().replace('_', " ")));
    }
    word
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"role": "subject", "country": "KE", "identity": {"name": "John Sample", "service_number": "KE-1042", "unit": "Unit 7"}}))]
struct AddParty {
    /// Their part.
    role: PartyRole,
    /// A word of the policy.
    sex: Option<String>,
    /// A word of the policy.
    age_band: Option<String>,
    /// ISO 3166-1 alpha-2 code.
    country: Option<String>,
    /// Who they are; sealed.
    identity: Option<IdentityGiven>,
}

impl AddParty {
    fn parse(self, policy: &Policy) -> Result<NewParty> {
        let mut faults = Faults::default();
        let age_band = word(policy, &mut faults, "/age_band", Vocabulary::AgeBand, self.age_band);
        let new = NewParty {
            role: self.role,
            position: 1,
            speaks: false,
            sex: word(policy, &mut faults, "/sex", Vocabulary::Sex, self.sex),
            child: policy.is_child(age_band.as_deref(), []),
            age_band,
            country: word(policy, &mut faults, "/country", Vocabulary::Country, self.country),
            identity: self.identity.map(|given| given.parse(&mut faults)).unwrap_or_default(),
            consents: Vec::new(),
        };
        faults.check()?;
        Ok(new)
    }
}

/// Add a person to a case.
///
/// They get a pseudonym, by which everybody calls them from then on; who they are is sealed. If they are, or may be, somebody with an
/// account, the case no longer exists for that account.
#[utoipa::path(tag = "parties", security(("token" = [])), request_body = AddParty,
    params(("id" = Uuid, Path, description = "Which case"), ("Idempotency-Key" = Option<String>, Header, description = "Repeats get the first answer again")),
    responses((status = 201, body = PartyView, description = "The person"), Refusal))]
#[post("/cases/{id}/parties")]
async fn add_party(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<CaseId>,
    key: IdempotencyKey,
    body: Body<AddParty>,
) -> Result<HttpResponse> {
    let new = body.value.parse(&temwen.policy)?;
    idempotency::once(&temwen, &caller.0, "parties.add", &key.at(id.uuid()), &body.bytes, async |tx| {
        let party = super::parties::add(tx, Keep::of(&temwen), *id, new).await?;
        let (version, matter) = (party.version, party.matter_id);
        let location = format!("/v1/cases/{id}/parties/{}", party.pseudonym);
        Ok(Created::new(PartyView::from(party)).version(version).at(location).within(matter))
    })
    .await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"identity": {"name": "John Sample", "service_number": "KE-1042"}}))]
struct ChangeParty {
    /// A word of the policy.
    sex: Option<String>,
    /// A word of the policy.
    age_band: Option<String>,
    /// ISO 3166-1 alpha-2 code.
    country: Option<String>,
    /// What was learned of who they are; what it does not say stays as it was.
    identity: Option<IdentityGiven>,
}

/// Describe or identify a person of a case. What was known before is kept beside it.
///
/// Their pseudonym and part stay. Walls follow as when a person is added.
#[utoipa::path(tag = "parties", security(("token" = [])), request_body = ChangeParty,
    params(("id" = Uuid, Path, description = "Which case"), ("party" = String, Path, description = "Whom: id or pseudonym"),
        ("If-Match" = String, Header, description = "The version that you saw")),
    responses((status = 200, body = PartyView, description = "The person"), Refusal))]
#[patch("/cases/{id}/parties/{party}")]
async fn change_party(
    temwen: Data<Temwen>,
    caller: SignedIn,
    path: Path<(CaseId, String)>,
    seen: IfMatch,
    body: Body<ChangeParty>,
) -> Result<HttpResponse> {
    let named = Named::parse(&path.1)?;
    let ChangeParty { sex, age_band, country, identity } = body.value;
    if sex.is_none() && age_band.is_none() && country.is_none() && identity.is_none() {
        return Err(Error::fault("", "must say something about the person"));
    }
    let policy = &temwen.policy;
    let mut faults = Faults::default();
    let learned = Learned {
        sex: word(policy, &mut faults, "/sex", Vocabulary::Sex, sex),
        age_band: word(policy, &mut faults, "/age_band", Vocabulary::AgeBand, age_band),
        country: word(policy, &mut faults, "/country", Vocabulary::Country, country),
        identity: identity.map(|given| given.parse(&mut faults)),
    };
    faults.check()?;
    let work = async |tx: &mut _| {
        super::parties::learn(tx, Keep::of(&temwen), path.0, &named, seen.0, learned).await
    };
    let party = temwen.db.write(&caller.0, "parties.change", work).await?;
    Ok(versioned(party.version, &PartyView::from(party)))
}
