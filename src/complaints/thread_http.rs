//! The reporter's thread over HTTP: for the reporter, and for officers.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::thread::{self, Direction, Message, MessageKind, Pace, TOKEN_SECONDS};
use crate::auth::credentials::work::Use;
use crate::auth::policy::{self, Action};
use crate::coa::{Language, Status as PublicStatus};
use crate::error::{Error, Kind, Result};
use crate::http::body::Body;
use crate::http::extract::{AcceptLanguage, Params, Reporter, SignedIn, Stranger};
use crate::http::idempotency::{self, Created, IdempotencyKey};
use crate::http::page::{self, Items, Page};
use crate::http::problem::Refusal;
use crate::http::source;
use crate::http::work::Proof;
use crate::temwen::Temwen;
use crate::values::{ComplaintId, MessageId, Words};

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(open_thread)
        .service(read_own_complaint)
        .service(list_own_messages)
        .service(write_as_reporter)
        .service(list_messages)
        .service(write_to_reporter);
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reference": "TW-7K3M-QX2D", "access_code": "7XK2M-Q9DTR-4HWPC-JE8VN"}))]
struct OpenThread {
    /// The complaint's reference; small letters and missing hyphens do not matter.
    reference: String,
    /// The code that was shown when it was handed in.
    #[schema(value_type = String)]
    access_code: SecretString,
}

/// A reporter's token.
#[derive(Serialize, ToSchema)]
struct ThreadToken {
    /// For the `Authorization` header.
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// For how many seconds it is good.
    expires_in: i64,
}

/// Open your thread, with reference and access code instead of an account.
///
/// A wrong reference and a wrong code answer alike, and in the same time. Failures slow the next attempts
/// down; whoever gives the proof of work that 429 `work-required` asks for is not.
#[utoipa::path(tag = "reporter", security(()), request_body = OpenThread,
    params(("X-Proof-Of-Work" = Option<String>, Header, description = "Where 429 `work-required` asked for it: its `challenge`, a dot, and a nonce")),
    responses((status = 201, body = ThreadToken, description = "It is open"), Refusal))]
#[post("/reporter/sessions")]
async fn open_thread(
    temwen: Data<Temwen>,
    caller: Stranger,
    request: HttpRequest,
    body: Body<OpenThread>,
) -> Result<HttpResponse> {
    let OpenThread { reference, access_code } = body.value;
    let proof = Proof::of(&request, &temwen, Use::OpenThread)?;
    let from = source::of(&request, temwen.front.trusted_proxies);
    // Whoever did the work is not slowed down, wherever they come from.
    let pace = if proof.is_good() { Pace::Worked } else { Pace::From(from.as_deref()) };
    let opened = thread::open(&temwen, &caller.0, &reference, access_code.expose_secret(), pace).await;
    let access_token = opened.map_err(|error| match (error.kind(), error.retry_after()) {
        (Kind::SlowDown, Some(seconds)) => proof.ask(&temwen, Use::OpenThread, seconds),
        _ => error,
    })?;
    Ok(HttpResponse::Created().json(ThreadToken {
        access_token,
        token_type: "Bearer",
        expires_in: TOKEN_SECONDS,
    }))
}

/// Where a complaint stands.
#[derive(Serialize, ToSchema)]
struct StandingView {
    /// What to call it by.
    reference: String,
    /// In one word.
    status: PublicStatus,
    /// In a sentence, in the language asked for.
    status_text: String,
    /// When it was stored.
    received_at: DateTime<Utc>,
    /// When you hear next, at the latest.
    next_update_by: Option<DateTime<Utc>>,
    /// That in a sentence.
    next_update_text: String,
    /// What else is worth knowing: confidentiality and its limits, help, other ways to complain.
    notes: Vec<String>,
    /// The language of these sentences.
    language: Language,
}

/// Read where your complaint stands, and when you hear next.
///
/// The status in plain words, in the reporter's language, and the date by which they hear next. Nothing is
/// said of who works on it.
#[utoipa::path(tag = "reporter", security(("reporter" = [])),
    params(("Accept-Language" = Option<String>, Header, description = "`ht`, `fr`, `en` or `es`; the complaint's own language unless given")),
    responses((status = 200, body = StandingView, description = "Where it stands"), Refusal))]
#[get("/reporter/complaint")]
async fn read_own_complaint(
    temwen: Data<Temwen>,
    reporter: Reporter,
    language: AcceptLanguage,
) -> Result<HttpResponse> {
    let choose = |own: &str| language.choose(Some(own));
    let standing = thread::standing(&temwen, &reporter.caller, reporter.complaint, choose).await?;
    let thread::Standing {
        reference,
        status,
        status_text,
        received_at,
        next_update_by,
        next_update_text,
        notes,
        language,
    } = standing;
    let view = StandingView {
        reference,
        status,
        status_text,
        received_at,
        next_update_by,
        next_update_text,
        notes,
        language,
    };
    Ok(HttpResponse::Ok().insert_header(("Content-Language", view.language.as_str())).json(view))
}

/// A message of a thread. Which officer wrote it is not told to the reporter.
#[derive(Serialize, ToSchema)]
struct MessageView {
    #[schema(value_type = Uuid)]
    id: MessageId,
    /// Which way it went.
    direction: Direction,
    /// What it is.
    kind: MessageKind,
    /// What it says.
    text: Option<String>,
    /// When it was sent.
    sent_at: DateTime<Utc>,
    /// Which officer wrote it; only officers are told.
    #[serde(skip_serializing_if = "Option::is_none")]
    author_id: Option<Uuid>,
}

impl MessageView {
    fn of(message: Message, with_author: bool) -> Self {
        let Message { id, direction, author_id, kind, text, sent_at } = message;
        Self {
            id,
            direction,
            kind,
            text,
            sent_at,
            author_id: author_id.filter(|_| with_author).map(super::super::values::UserId::uuid),
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListMessages {
    /// How many at most, 1 to 200; 50 unless given.
    limit: Option<u32>,
    /// The cursor of the page before.
    after: Option<String>,
}

/// List the messages of your thread, oldest first.
///
/// Both directions, the oldest first.
#[utoipa::path(tag = "reporter", security(("reporter" = [])), params(ListMessages),
    responses((status = 200, body = Items<MessageView>, description = "A page of messages"), Refusal))]
#[get("/reporter/messages")]
async fn list_own_messages(
    temwen: Data<Temwen>,
    reporter: Reporter,
    request: HttpRequest,
    query: Params<ListMessages>,
) -> Result<HttpResponse> {
    let page = Page::parse(&temwen.keys, "messages", query.0.limit, query.0.after.as_deref())?;
    let rows = thread::read(&temwen, &reporter.caller, reporter.complaint, page.after, page.rows()).await?;
    let position = |message: &Message| (message.sent_at, message.id.uuid());
    Ok(page::answer(
        &temwen.keys,
        "messages",
        page,
        rows,
        position,
        |message| MessageView::of(message, false),
        &request,
    ))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"text": "I have remembered the number of the vehicle."}))]
struct WriteAsReporter {
    /// What you want to say: up to 65536 bytes, kept exactly as sent.
    text: String,
}

/// Write to those who work on your complaint.
///
/// For what comes to mind later: the complaint itself is never changed. A message is never changed either.
#[utoipa::path(tag = "reporter", security(("reporter" = [])), request_body = WriteAsReporter,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats get the first answer again")),
    responses((status = 201, body = MessageView, description = "Your message"), Refusal))]
#[post("/reporter/messages")]
async fn write_as_reporter(
    temwen: Data<Temwen>,
    reporter: Reporter,
    key: IdempotencyKey,
    body: Body<WriteAsReporter>,
) -> Result<HttpResponse> {
    let words = Words::parse(body.value.text).map_err(|why| Error::fault("/text", why))?;
    idempotency::once(&temwen, &reporter.caller, "reporter.write", &key, &body.bytes, async |tx| {
        let message = thread::write_as_reporter(tx, &temwen.register, reporter.complaint, &words).await?;
        Ok(Created::new(MessageView::of(message, false)))
    })
    .await
}

/// List the messages of a reporter's thread, oldest first. That you read them is recorded.
///
/// Both directions, the oldest first. That you read them is recorded.
#[utoipa::path(tag = "complaints", security(("token" = [])), params(("id" = Uuid, Path, description = "Which complaint"), ListMessages),
    responses((status = 200, body = Items<MessageView>, description = "A page of messages"), Refusal))]
#[get("/complaints/{id}/messages")]
async fn list_messages(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<ComplaintId>,
    request: HttpRequest,
    query: Params<ListMessages>,
) -> Result<HttpResponse> {
    if !policy::allows(&caller.0.actor, Action::WriteToReporter) {
        return Err(Error::forbidden());
    }
    let page = Page::parse(&temwen.keys, "messages", query.0.limit, query.0.after.as_deref())?;
    let rows = thread::read(&temwen, &caller.0, *id, page.after, page.rows()).await?;
    let position = |message: &Message| (message.sent_at, message.id.uuid());
    Ok(page::answer(
        &temwen.keys,
        "messages",
        page,
        rows,
        position,
        |message| MessageView::of(message, true),
        &request,
    ))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"text": "Do you remember the time of day?", "question": true}))]
struct WriteToReporter {
    /// What to tell the reporter: up to 65536 bytes.
    text: String,
    /// Whether it asks for something that is needed to go on.
    #[serde(default)]
    question: bool,
}

/// Write to the reporter.
///
/// The reporter finds it in their thread; nothing is sent by mail or telephone. A message is never changed.
#[utoipa::path(tag = "complaints", security(("token" = [])), request_body = WriteToReporter,
    params(("id" = Uuid, Path, description = "Which complaint"), ("Idempotency-Key" = Option<String>, Header, description = "Repeats get the first answer again")),
    responses((status = 201, body = MessageView, description = "The message"), Refusal))]
#[post("/complaints/{id}/messages")]
async fn write_to_reporter(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<ComplaintId>,
    key: IdempotencyKey,
    body: Body<WriteToReporter>,
) -> Result<HttpResponse> {
    let words = Words::parse(body.value.text).map_err(|why| Error::fault("/text", why))?;
    let kind = if body.value.question { MessageKind::Question } else { MessageKind::Message };
    idempotency::once(&temwen, &caller.0, "complaints.write", &key.at(id.uuid()), &body.bytes, async |tx| {
        let (message, matter) =
            thread::write_as_officer(tx, &temwen.register, &temwen.texts, *id, kind, &words).await?;
        Ok(Created::new(MessageView::of(message, true)).within(matter))
    })
    .await
}
