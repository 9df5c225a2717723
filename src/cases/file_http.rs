//! The case file over HTTP: a case with all that hangs on it.

use std::collections::HashMap;

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::CaseFile;
use super::file_store::{Allegation, Told};
use super::http::CaseView;
use super::workflow::Step;
use crate::audit::{Event, What};
use crate::auth::Role;
use crate::auth::policy::{self, Action};
use crate::complaints::http::ComplaintView;
use crate::db::data_keys::{self, Keys};
use crate::deadlines::http::DeadlineView;
use crate::error::{Error, Result};
use crate::http::extract::{IfNoneMatch, SignedIn};
use crate::http::problem::Refusal;
use crate::http::{unchanged, versioned};
use crate::parties;
use crate::temwen::Temwen;
use crate::values::{CaseId, PartyId, UserId};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(read_case);
}

/// Somebody who works on a case.
#[derive(Serialize, ToSchema)]
struct AssignmentView {
    /// Their account.
    #[schema(value_type = Uuid)]
    user_id: UserId,
    /// As what.
    role: Role,
    /// Since when.
    assigned_at: DateTime<Utc>,
}

/// What is alleged in a case.
#[derive(Serialize, ToSchema)]
struct AllegationView {
    id: Uuid,
    /// Its place in the case.
    position: i32,
    /// A word of the policy.
    r#type: Option<String>,
    /// What its source calls it.
    reported_as: Option<String>,
    /// What it is taken for.
    category: String,
    /// Whoever is accused, by pseudonym; who they are is revealed by itself.
    subject: Option<String>,
    /// Their unit.
    subject_unit: Option<String>,
    /// Their rank.
    subject_rank: Option<String>,
    /// What was found, in the source's words.
    finding: Option<String>,
    /// What was found, in our vocabulary.
    outcome: Option<String>,
    /// What followed.
    discipline: Option<String>,
}

/// A case with all that hangs on it and you may know of.
#[derive(Serialize, ToSchema)]
struct CaseFileView {
    /// The case.
    case: CaseView,
    /// The steps that you may take now.
    steps: Vec<Step>,
    /// Who works on it.
    assignments: Vec<AssignmentView>,
    /// The complaints that it grew from.
    complaints: Vec<ComplaintView>,
    /// What is alleged.
    allegations: Vec<AllegationView>,
    /// Its clocks.
    deadlines: Vec<DeadlineView>,
    /// When what was said and written in it was erased: its time was over, and two persons signed.
    erased_at: Option<DateTime<Utc>>,
}

/// The source's numbers of those accused, and the persons whom they mean.
async fn subjects(
    temwen: &Temwen,
    caller: &SignedIn,
    case: CaseId,
    told: &[Told],
) -> Result<HashMap<String, String>> {
    let mut meant: HashMap<PartyId, &str> = HashMap::new();
    for number in told.iter().filter_map(|told| told.subject_ref.as_deref()) {
        meant.insert(parties::known_as(&temwen.register, case, number), number);
    }
    if meant.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<PartyId> = meant.keys().copied().collect();
    let found = temwen.db.read(&caller.0, async |conn| parties::pseudonyms(conn, &ids).await).await?;
    let named = |(id, pseudonym)| Some(((*meant.get(&id)?).to_owned(), pseudonym));
    Ok(found.into_iter().filter_map(named).collect())
}

async fn view(
    temwen: &Temwen,
    caller: &SignedIn,
    file: CaseFile,
    erased_at: Option<DateTime<Utc>>,
) -> Result<CaseFileView> {
    let CaseFile { case, assignments, complaints, allegations, deadlines, duty, key } = file;
    let keys = Keys::new(temwen.db.vault(), key);
    let user = caller.0.actor.user();
    let investigates =
        assignments.iter().any(|each| Some(each.user_id) == user && each.role == Role::Investigator);
    let steps = super::open_steps(&temwen.policy, &case, &caller.0.actor, duty, investigates);
    let told = allegations.iter().map(|allegation| allegation.told(&keys)).collect::<Result<Vec<Told>>>()?;
    let subjects = subjects(temwen, caller, case.id, &told).await?;
    let now = temwen.clock.now();
    let alleged = |(allegation, told): (Allegation, Told)| {
        let subject = told.subject_ref.as_ref().and_then(|number| subjects.get(number)).cloned();
        AllegationView {
            id: allegation.id.uuid(),
            position: allegation.position,
            r#type: allegation.type_,
            reported_as: told.reported_as,
            category: allegation.category,
            subject,
            subject_unit: told.subject_unit,
            subject_rank: told.subject_rank,
            finding: told.finding,
            outcome: allegation.outcome,
            discipline: told.discipline,
        }
    };
    Ok(CaseFileView {
        steps,
        case: case.into(),
        assignments: assignments
            .into_iter()
            .map(|each| AssignmentView {
                user_id: each.user_id,
                role: each.role,
                assigned_at: each.assigned_at,
            })
            .collect(),
        complaints: complaints.into_iter().map(|complaint| ComplaintView::of(complaint, true)).collect(),
        allegations: allegations.into_iter().zip(told).map(alleged).collect(),
        deadlines: deadlines.into_iter().map(|deadline| DeadlineView::at(now, deadline)).collect(),
        erased_at,
    })
}

/// Read a case with all that hangs on it. That you read it is recorded.
///
/// That you read it is recorded. `steps` names what you may do with it now; the `ETag` goes into `If-Match`
/// of any change.
#[utoipa::path(tag = "cases", security(("token" = [])), params(("id" = Uuid, Path, description = "Which case")),
    responses((status = 200, body = CaseFileView, description = "The case"), (status = 304, description = "You hold this version"), Refusal))]
#[get("/cases/{id}")]
async fn read_case(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<CaseId>,
    held: IfNoneMatch,
) -> Result<HttpResponse> {
    if !policy::allows(&caller.0.actor, Action::ReadCases) {
        return Err(Error::forbidden());
    }
    let user = caller.0.actor.user().ok_or_else(Error::forbidden)?;
    let read = async |conn: &_| super::read_file(conn, *id, user).await;
    let entry = Event::case_read(What::CaseRead, *id);
    let file =
        temwen.db.read_recorded(&caller.0, "cases.read", entry, read).await?.ok_or_else(Error::not_found)?;
    let version = file.case.version;
    if held.holds(version) {
        return Ok(unchanged(version));
    }
    let erased_at = match &file.key {
        Some(key) if key.wrapped.is_none() => {
            temwen.db.read(&caller.0, async |conn| data_keys::destroyed_at(conn, key.id).await).await?
        }
        _ => None,
    };
    Ok(versioned(version, &view(&temwen, &caller, file, erased_at).await?))
}
