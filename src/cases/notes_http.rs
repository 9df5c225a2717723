//! Notes, deadlines and the timeline of a case over HTTP.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::notes::{self, Note};
use crate::audit::{Seen, What};
use crate::auth::policy::{self, Action};
use crate::deadlines::http::DeadlineView;
use crate::error::{Error, Result};
use crate::http::body::Body;
use crate::http::extract::{Params, SignedIn};
use crate::http::idempotency::{self, Created, IdempotencyKey};
use crate::http::page::{self, Items, Page};
use crate::http::problem::Refusal;
use crate::temwen::Temwen;
use crate::values::{CaseId, Words};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(list_notes).service(write_note).service(read_timeline).service(list_case_deadlines);
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Paging {
    /// How many at most, 1 to 200; 50 unless given.
    limit: Option<u32>,
    /// The cursor of the page before.
    after: Option<String>,
}

/// A note.
#[derive(Serialize, ToSchema)]
struct NoteView {
    id: Uuid,
    /// Who wrote it.
    author_id: Uuid,
    /// What it says; null once it was erased.
    text: Option<String>,
    /// When it was written.
    written_at: DateTime<Utc>,
}

impl From<Note> for NoteView {
    fn from(note: Note) -> Self {
        let Note { id, author_id, text, written_at } = note;
        Self { id: id.uuid(), author_id: author_id.uuid(), text, written_at }
    }
}

/// List the notes of a case, oldest first. That you read them is recorded.
///
/// Notes are internal: neither reporters nor national authorities see them. That you read them is recorded.
#[utoipa::path(tag = "cases", security(("token" = [])), params(("id" = Uuid, Path, description = "Which case"), Paging),
    responses((status = 200, body = Items<NoteView>, description = "A page of notes"), Refusal))]
#[get("/cases/{id}/notes")]
async fn list_notes(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<CaseId>,
    request: HttpRequest,
    query: Params<Paging>,
) -> Result<HttpResponse> {
    if !policy::allows(&caller.0.actor, Action::Notes) {
        return Err(Error::forbidden());
    }
    let page = Page::parse(&temwen.keys, "notes", query.0.limit, query.0.after.as_deref())?;
    let rows = notes::read(&temwen, &caller.0, *id, page.after, page.rows()).await?;
    Ok(page::answer(
        &temwen.keys,
        "notes",
        page,
        rows,
        |note| (note.written_at, note.id.uuid()),
        NoteView::from,
        &request,
    ))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"text": "The clinic confirms the date."}))]
struct WriteNote {
    /// What it says: up to 65536 bytes.
    text: String,
}

/// Write a note on a case. It is never changed; a correction is another note.
///
/// A note is never changed; a correction is another note.
#[utoipa::path(tag = "cases", security(("token" = [])), request_body = WriteNote,
    params(("id" = Uuid, Path, description = "Which case"), ("Idempotency-Key" = Option<String>, Header, description = "Repeats get the first answer again")),
    responses((status = 201, body = NoteView, description = "The note"), Refusal))]
#[post("/cases/{id}/notes")]
async fn write_note(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<CaseId>,
    key: IdempotencyKey,
    body: Body<WriteNote>,
) -> Result<HttpResponse> {
    let words = Words::parse(body.value.text).map_err(|why| Error::fault("/text", why))?;
    idempotency::once(&temwen, &caller.0, "cases.note", &key.at(id.uuid()), &body.bytes, async |tx| {
        let (note, matter) = notes::write(tx, &temwen.register, *id, &words).await?;
        Ok(Created::new(NoteView::from(note)).within(matter))
    })
    .await
}

/// An entry of the audit record.
#[derive(Serialize, ToSchema)]
struct EntryView {
    id: Uuid,
    /// Its place in the log, from 0; null in the second before it has one.
    place: Option<i64>,
    /// When it happened.
    at: DateTime<Utc>,
    /// What kind of actor did it: `user`, `reporter`, `public` or `system`.
    actor_kind: String,
    /// Which one.
    actor: String,
    /// What was done.
    action: String,
    /// To what kind of thing.
    object_kind: String,
    /// To which.
    object_id: Uuid,
    /// In which request.
    request_id: String,
    /// Ids and words that belong to it.
    #[schema(value_type = Object)]
    detail: serde_json::Value,
}

impl From<(Seen, Option<i64>)> for EntryView {
    fn from((seen, place): (Seen, Option<i64>)) -> Self {
        let Seen { id, at, actor_kind, actor, action, object_kind, object_id, request_id, detail, .. } = seen;
        // An officer who complained themselves is a reporter like any other: the story of the case does not name them.
        let for_somebody = detail.get("for_somebody").and_then(serde_json::Value::as_bool) == Some(true);
        let own = action == What::ComplaintReceived.as_str() && actor_kind == "user" && !for_somebody;
        let actor = if own { "withheld".to_owned() } else { actor };
        Self {
            id: id.uuid(),
            place,
            at,
            actor_kind,
            actor,
            action,
            object_kind,
            object_id,
            request_id,
            detail,
        }
    }
}

/// Read what was done in a case, oldest first. That you read it is recorded too.
///
/// Entries hold ids and words, never names or free text. Who did what is said by the server, never by a
/// request.
#[utoipa::path(tag = "cases", security(("token" = [])), params(("id" = Uuid, Path, description = "Which case"), Paging),
    responses((status = 200, body = Items<EntryView>, description = "A page of entries"), Refusal))]
#[get("/cases/{id}/timeline")]
async fn read_timeline(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<CaseId>,
    request: HttpRequest,
    query: Params<Paging>,
) -> Result<HttpResponse> {
    let page = Page::parse(&temwen.keys, "timeline", query.0.limit, query.0.after.as_deref())?;
    let read = async |tx: &mut _| notes::timeline(tx, *id, page.after, page.rows()).await;
    let rows = temwen.db.write(&caller.0, "cases.timeline", read).await?;
    Ok(page::answer(
        &temwen.keys,
        "timeline",
        page,
        rows,
        |(entry, _)| (entry.at, entry.id.uuid()),
        EntryView::from,
        &request,
    ))
}

/// The deadlines of a case.
#[derive(Serialize, ToSchema)]
struct CaseDeadlines {
    /// The earliest due first.
    items: Vec<DeadlineView>,
}

/// List the deadlines of a case and of its complaints, the earliest due first.
///
/// Met ones stay in the list. A paused one says since when.
#[utoipa::path(tag = "cases", security(("token" = [])), params(("id" = Uuid, Path, description = "Which case")),
    responses((status = 200, body = CaseDeadlines, description = "Its deadlines"), Refusal))]
#[get("/cases/{id}/deadlines")]
async fn list_case_deadlines(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<CaseId>,
) -> Result<HttpResponse> {
    if !policy::allows(&caller.0.actor, Action::ReadDeadlines) {
        return Err(Error::forbidden());
    }
    let user = caller.0.actor.user().ok_or_else(Error::forbidden)?;
    let file = temwen
        .db
        .read(&caller.0, async |conn| super::read_file(conn, *id, user).await)
        .await?
        .ok_or_else(Error::not_found)?;
    let now = temwen.clock.now();
    let items = file.deadlines.into_iter().map(|deadline| DeadlineView::at(now, deadline)).collect();
    Ok(HttpResponse::Ok().json(CaseDeadlines { items }))
}
