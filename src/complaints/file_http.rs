//! The complaint file over HTTP: a complaint with what was said in it.

use std::collections::BTreeSet;

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::Read;
use super::http::{ComplaintView, sees_cases, shown};
use super::particulars::Particulars;
use crate::db::data_keys;
use crate::error::{Error, Result};
use crate::http::extract::{IfNoneMatch, SignedIn};
use crate::http::problem::Refusal;
use crate::http::{unchanged, versioned};
use crate::parties::PartyRole;
use crate::parties::http::PartyView;
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
    /// The persons by pseudonym; `position` is their place among those of their role in `particulars`.
    parties: Vec<PartyView>,
    /// Of which parts somebody is known by name, number or contact: it is withheld, and revealed by itself.
    withheld: Vec<PartyRole>,
    /// How many versions there are with passages taken out: the number of the newest. They are listed at its `redactions`.
    redactions: i32,
    /// When the words were erased: their time was over, and two persons signed.
    erased_at: Option<DateTime<Utc>>,
}

fn file(
    temwen: &Temwen,
    caller: &SignedIn,
    read: Read,
    erased_at: Option<DateTime<Utc>>,
) -> Result<ComplaintFile> {
    let Read { complaint, said, parties, redactions } = read;
    let withheld: BTreeSet<PartyRole> =
        parties.iter().filter(|party| party.identified).map(|party| party.role).collect();
    let (narrative, particulars) = said.map(|said| (said.narrative, said.particulars)).unzip();
    let particulars =
        particulars.map(|json: String| serde_json::from_str(&json)).transpose().map_err(Error::internal)?;
    Ok(ComplaintFile {
        complaint: ComplaintView::of(shown(temwen, caller, complaint), sees_cases(caller)),
        narrative,
        particulars,
        parties: parties.into_iter().map(PartyView::from).collect(),
        withheld: withheld.into_iter().collect(),
        redactions,
        erased_at,
    })
}

/// Read a complaint with what was said in it. That you read it is recorded.
///
/// Persons stand in it by pseudonym. Who they are is never in it: ask for a reveal, with a purpose.
#[utoipa::path(tag = "complaints", security(("token" = [])), params(("id" = Uuid, Path, description = "Which complaint")),
    responses((status = 200, body = ComplaintFile, description = "The complaint"), (status = 304, description = "You hold this version"), Refusal))]
#[get("/complaints/{id}")]
async fn read_complaint(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<ComplaintId>,
    held: IfNoneMatch,
) -> Result<HttpResponse> {
    let read = super::read(&temwen, &caller.0, *id).await?;
    let version = read.complaint.version;
    if held.holds(version) {
        return Ok(unchanged(version));
    }
    let erased_at = match read.said {
        Some(_) => None,
        None => {
            temwen.db.read(&caller.0, async |conn| data_keys::destroyed_at(conn, id.uuid()).await).await?
        }
    };
    Ok(versioned(version, &file(&temwen, &caller, read, erased_at)?))
}
