//! The complaint file over HTTP: a complaint with what was said in it.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::http::{ComplaintView, sees_cases};
use super::particulars::{Identities, Particulars};
use super::{Complaint, Said};
use crate::auth::policy;
use crate::coa::Policy;
use crate::db::data_keys;
use crate::error::{Error, Result};
use crate::http::extract::{IfNoneMatch, SignedIn};
use crate::http::problem::Refusal;
use crate::http::{unchanged, versioned};
use crate::temwen::Temwen;
use crate::values::ComplaintId;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(read_complaint);
}

/// A complaint with what was said in it.
#[derive(Serialize, ToSchema)]
struct ComplaintFile {
    /// How it is handled.
    complaint: ComplaintView,
    /// What happened, in the reporter's words, exactly as sent; null once it was erased.
    narrative: Option<String>,
    /// The rest of what was said, without names; null once it was erased.
    particulars: Option<Particulars>,
    /// The names and contacts that you may read; persons in the order of `particulars`.
    identities: Option<Identities>,
    /// What is withheld from you: `reporter`, `victims`, `subjects`.
    withheld: Vec<&'static str>,
    /// How many versions there are with passages taken out: the number of the newest. They are listed at its `redactions`.
    redactions: i32,
    /// When the words were erased: their time was over, and two persons signed.
    erased_at: Option<DateTime<Utc>>,
}

fn file(
    policy: &Policy,
    caller: &SignedIn,
    complaint: Complaint,
    said: Option<Said>,
    redactions: i32,
    erased_at: Option<DateTime<Utc>>,
) -> Result<ComplaintFile> {
    let own = complaint.submitted_by.is_some() && complaint.submitted_by == caller.0.actor.user();
    let may = policy::identities(&caller.0.actor, complaint.is_psea(policy), own);
    let Some(said) = said else {
        let complaint = ComplaintView::of(complaint, sees_cases(caller));
        return Ok(ComplaintFile {
            complaint,
            narrative: None,
            particulars: None,
            identities: None,
            withheld: Vec::new(),
            redactions,
            erased_at,
        });
    };
    let particulars = serde_json::from_str(&said.particulars).map_err(Error::internal)?;
    let all: Option<Identities> =
        said.identities.map(|json| serde_json::from_str(&json)).transpose().map_err(Error::internal)?;
    let mut withheld = Vec::new();
    let identities = all.map(|mut all| {
        if !may.reporter && all.reporter.take().is_some() {
            withheld.push("reporter");
        }
        if !may.victims && (!all.victims.is_empty() || !all.witnesses.is_empty()) {
            (all.victims, all.witnesses) = (Vec::new(), Vec::new());
            withheld.push("victims");
        }
        if !may.subjects && !all.subjects.is_empty() {
            all.subjects = Vec::new();
            withheld.push("subjects");
        }
        all
    });
    let identities = identities.filter(|left| *left != Identities::default());
    Ok(ComplaintFile {
        complaint: ComplaintView::of(complaint, sees_cases(caller)),
        narrative: Some(said.narrative),
        particulars: Some(particulars),
        identities,
        withheld,
        redactions,
        erased_at: None,
    })
}

/// Read a complaint with what was said in it. That you read it is recorded.
///
/// That you read it is recorded. Names and contacts are only in the answer where your role may read them.
#[utoipa::path(tag = "complaints", security(("token" = [])), params(("id" = Uuid, Path, description = "Which complaint")),
    responses((status = 200, body = ComplaintFile, description = "The complaint"), (status = 304, description = "You hold this version"), Refusal))]
#[get("/complaints/{id}")]
async fn read_complaint(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<ComplaintId>,
    held: IfNoneMatch,
) -> Result<HttpResponse> {
    let (complaint, said, redactions) = super::read(&temwen, &caller.0, *id).await?;
    let version = complaint.version;
    if held.holds(version) {
        return Ok(unchanged(version));
    }
    let erased_at = match said {
        Some(_) => None,
        None => {
            temwen.db.read(&caller.0, async |conn| data_keys::destroyed_at(conn, id.uuid()).await).await?
        }
    };
    Ok(versioned(version, &file(&temwen.policy, &caller, complaint, said, redactions, erased_at)?))
}
