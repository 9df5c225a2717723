//! Entries over HTTP, for auditors: who did what and when, in ids and words, and the proof of each.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::auditors_store::{Asked, Audited, list};
use super::{Place, prove};
use crate::audit::leaf::Change;
use crate::audit::{Event, What};
use crate::auth::policy::{self, Action};
use crate::error::{Error, Result};
use crate::http::extract::{Params, SignedIn};
use crate::http::page::{self, Items, Page};
use crate::http::problem::Refusal;
use crate::temwen::Temwen;
use crate::values::{EntryId, MatterId};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(list_entries).service(read_proof);
}

pub(super) fn allow(caller: &SignedIn) -> Result<()> {
    if policy::allows(&caller.0.actor, Action::Audit) { Ok(()) } else { Err(Error::forbidden()) }
}

/// What a row looks like after an entry.
#[derive(Serialize, ToSchema)]
struct ChangeView {
    /// The row's table.
    kind: String,
    /// The row's key.
    id: String,
    /// SHA-256, in hexadecimal, of the canonical form (RFC 8785) of what it holds. It tells nothing of that.
    state: String,
    /// The same of what it held before; null for a row that is new.
    was: Option<String>,
}

/// An entry of the audit record, as an auditor sees it.
#[derive(Serialize, ToSchema)]
struct AuditView {
    id: Uuid,
    /// Its place in the log, from 0; null in the second before it has one.
    place: Option<i64>,
    /// When it happened.
    at: DateTime<Utc>,
    /// What kind of actor did it: `user`, `reporter`, `public` or `system`.
    actor_kind: String,
    /// Which one.
    actor: String,
    /// What was done: a word of the catalogue.
    action: String,
    /// To what kind of thing.
    object_kind: String,
    /// To which.
    object_id: Uuid,
    /// The matter it belongs to.
    matter_id: Option<Uuid>,
    /// In which request.
    request_id: String,
    /// Ids and words that belong to it.
    #[schema(value_type = Object)]
    detail: Value,
    /// What every row that was changed looks like since.
    changes: Vec<ChangeView>,
}

impl From<Audited> for AuditView {
    fn from((seen, place): Audited) -> Self {
        let changes = seen.changes.iter().map(|line| {
            let Change { kind, id, state, was } = Change::read(line);
            ChangeView {
                kind: kind.to_owned(),
                id: id.to_owned(),
                state: state.to_owned(),
                was: was.map(str::to_owned),
            }
        });
        Self {
            id: seen.id.uuid(),
            place,
            at: seen.at,
            changes: changes.collect(),
            actor_kind: seen.actor_kind,
            actor: seen.actor,
            action: seen.action,
            object_kind: seen.object_kind,
            object_id: seen.object_id,
            matter_id: seen.matter_id,
            request_id: seen.request_id,
            detail: seen.detail,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListEntries {
    /// Only what this actor did: the id of an account or of a reporter's complaint, `public`, or the name of a part of the
    /// system.
    actor: Option<String>,
    /// Only this action, such as `case.advanced`.
    action: Option<String>,
    /// Only what was done to this object.
    object: Option<Uuid>,
    /// Only what belongs to this matter.
    matter: Option<Uuid>,
    /// Not before this moment.
    from: Option<DateTime<Utc>>,
    /// Before this moment.
    to: Option<DateTime<Utc>>,
    /// How many at most, 1 to 200; 50 unless given.
    limit: Option<u32>,
    /// The cursor of the page before.
    after: Option<String>,
}

/// List the entries of the audit record, newest first, as an auditor.
///
/// They say who did what, when, to which object, and hold no name and no text. Entries of a matter that is hidden from you
/// are not among them. That you read them is recorded.
#[utoipa::path(tag = "audit", security(("token" = [])), params(ListEntries),
    responses((status = 200, body = Items<AuditView>, description = "A page of entries"), Refusal))]
#[get("/audit/entries")]
async fn list_entries(
    temwen: Data<Temwen>,
    caller: SignedIn,
    request: HttpRequest,
    query: Params<ListEntries>,
) -> Result<HttpResponse> {
    allow(&caller)?;
    let ListEntries { actor, action, object, matter, from, to, limit, after } = query.0;
    page::moments(&[("from", from), ("to", to)])?;
    if action.as_deref().is_some_and(|word| What::from_word(word).is_none()) {
        return Err(Error::fault("action", "is no word of the catalogue of events"));
    }
    let page = Page::parse(&temwen.keys, "audit", limit, after.as_deref())?;
    // Which matter was looked at is for those to know from whom it is not hidden; so its id stands where the wall looks for
    // it, and an object's nowhere.
    let entry = Event::register(What::EntriesRead)
        .within(matter.map(MatterId::from))
        .with_some("actor", actor.as_deref())
        .with_some("action", action.as_deref())
        .with("one_object", object.is_some())
        .with_some("from", from)
        .with_some("to", to);
    let asked = Asked { actor, action, object, matter, from, to };
    let read = async |conn: &_| list(conn, &asked, page.after, page.rows()).await.map(Some);
    let rows = temwen.db.read_recorded(&caller.0, "audit.list", entry, read).await?.unwrap_or_default();
    let position = |(seen, _): &Audited| (seen.at, seen.id.uuid());
    Ok(page::answer(&temwen.keys, "audit", page, rows, position, AuditView::from, &request))
}

/// The proof that an entry is in the log.
#[derive(Serialize, ToSchema)]
struct EntryProof {
    /// The exact bytes of the entry: what is hashed into the log.
    entry: String,
    /// Its place in the log, from 0.
    place: u64,
    /// A C2SP `tlog-proof`, which verifies offline.
    proof: String,
}

/// Read the proof that an entry is in the log, as an auditor.
///
/// Together with the log's key it can be checked anywhere, by anybody, with tools that are not ours. In the second before an
/// entry has its place, the answer is 503 with `Retry-After`.
#[utoipa::path(tag = "audit", security(("token" = [])), params(("id" = Uuid, Path, description = "Which entry")),
    responses((status = 200, body = EntryProof, description = "The entry and its proof"), Refusal))]
#[get("/audit/entries/{id}/proof")]
async fn read_proof(temwen: Data<Temwen>, caller: SignedIn, id: Path<EntryId>) -> Result<HttpResponse> {
    allow(&caller)?;
    match prove(&temwen, &caller.0, id.uuid()).await? {
        Place::Unknown => Err(Error::not_found()),
        Place::Waits => Err(Error::unavailable(1).because("the entry has no signed place yet")),
        Place::Proven(proven) => {
            let place = i64::try_from(proven.place).unwrap_or(i64::MAX);
            let event = Event::register(What::EntriesRead).with("from", place).with("count", 1);
            temwen.db.remember(&caller.0, "audit.prove", event).await?;
            Ok(HttpResponse::Ok().json(EntryProof {
                proof: proven.proof.to_text(),
                entry: proven.entry,
                place: proven.place,
            }))
        }
    }
}
