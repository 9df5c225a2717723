//! The reporter's own thread: where the complaint stands, in plain words, and messages both ways.
//!
//! Reference and access code stand in for an account. The thread belongs to the complaint, not to the officer who wrote in
//! it: whoever takes over sees all of it, and so does the reporter.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::thread_store as store;
use super::{Complaint, lock, search};
use crate::audit::{Event, What};
use crate::auth::Actor;
use crate::auth::credentials::codes::{AccessCode, Reference};
use crate::auth::credentials::slowdown::Wait;
use crate::auth::credentials::tokens::{Claims, Kind as TokenKind};
use crate::auth::policy::{self, Action};
use crate::coa::{Key, Language, Policy, Status as PublicStatus, Texts};
use crate::db::data_keys::Keys;
use crate::db::{Caller, Tx};
use crate::deadlines;
use crate::error::{Error, Kind, Result};
use crate::parties::{self, ContactRules};
use crate::temwen::Temwen;
use crate::values::{ComplaintId, MatterId, MessageId, SessionId, UserId, Words, text_enum};
use crate::vault::DataKey;

/// How long a reporter's token is good. It cannot be refreshed: reference and code open the thread again.
pub const TOKEN_SECONDS: i64 = 15 * 60;

text_enum! {
    /// Which way a message went.
    Direction {
        /// From an officer.
        ToReporter = "to_reporter",
        /// From the reporter.
        FromReporter = "from_reporter",
    }
}

text_enum! {
    /// What a message is.
    MessageKind {
        /// That the complaint has arrived.
        Acknowledgement = "acknowledgement",
        /// Something that is needed to go on.
        Question = "question",
        /// Anything else.
        Message = "message",
    }
}

/// A message in a reporter's thread.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// Which way it went.
    pub direction: Direction,
    /// Which officer wrote it.
    pub author_id: Option<UserId>,
    /// What it is.
    pub kind: MessageKind,
    /// What it says; `None` once it was erased.
    pub text: Option<String>,
    /// When it was sent.
    pub sent_at: DateTime<Utc>,
}

/// Where a complaint stands, as its reporter is told.
#[derive(Debug)]
pub struct Standing {
    /// What to call it by.
    pub reference: String,
    /// In one word.
    pub status: PublicStatus,
    /// In a sentence.
    pub status_text: String,
    /// When it was stored.
    pub received_at: DateTime<Utc>,
    /// When the reporter hears next, at the latest.
    pub next_update_by: Option<DateTime<Utc>>,
    /// That in a sentence, late or not.
    pub next_update_text: String,
    /// What else is worth knowing.
    pub notes: Vec<String>,
    /// The language of these sentences.
    pub language: Language,
}

/// How fast somebody may try.
#[derive(Debug, Clone, Copy)]
pub enum Pace<'a> {
    /// They did work for this attempt.
    Worked,
    /// As those from this network do.
    From(Option<&'a str>),
}

fn no_thread() -> Error {
    Error::new(Kind::Unauthenticated, "there is no complaint with this reference and access code")
}

/// Opens a thread. A wrong reference and a wrong code answer alike; failures slow the next attempts down.
pub async fn open(
    temwen: &Temwen,
    caller: &Caller,
    reference: &str,
    code: &str,
    pace: Pace<'_>,
) -> Result<String> {
    let (Ok(reference), Ok(code)) = (Reference::parse(reference), AccessCode::parse(code)) else {
        return Err(no_thread());
    };
    let reference = reference.to_string();
    let attempt = match pace {
        Pace::Worked => None,
        Pace::From(source) => match temwen.slowdown.delay(&reference, source, std::time::Instant::now()) {
            Wait::Refuse { retry_after } => {
                return Err(Error::slow_down(u32::try_from(retry_after).unwrap_or(60)));
            }
            Wait::Go(attempt) => Some(attempt),
        },
    };
    if let Some(attempt) = attempt.as_ref().filter(|attempt| !attempt.wait().is_zero()) {
        tokio::time::sleep(attempt.wait()).await;
    }
    let system = caller.as_system("reporter_sign_in");
    let digest = code.digest();
    let found =
        match temwen.db.read(&system, async |conn| store::for_code(conn, &reference, &digest).await).await {
            Ok(found) => found,
            Err(error) => {
                if let Some(attempt) = attempt {
                    attempt.not_judged();
                }
                return Err(error);
            }
        };
    let Some(complaint) = found else {
        drop(attempt);
        // Which reference was tried is not remembered: the same entry for a wrong reference and a wrong code.
        let event = Event::register(What::ReporterRefused);
        temwen.db.remember(&system, "reporter.refuse", event).await?;
        return Err(no_thread());
    };
    if let Some(attempt) = attempt {
        attempt.succeeded();
    }
    let entry = Event::complaint_read(What::ReporterSignedIn, complaint);
    let reporter = Caller::new(crate::auth::Actor::Reporter(complaint), caller.request.clone());
    temwen
        .db
        .read_recorded(&reporter, "reporter.open", entry, async |_| Ok(Some(())))
        .await?
        .ok_or_else(no_thread)?;
    let now = temwen.clock.now().timestamp();
    let claims = Claims {
        sub: complaint.uuid(),
        sid: SessionId::new().uuid(),
        kind: TokenKind::Reporter,
        roles: Vec::new(),
        country: None,
        seat: None,
        rv: 0,
        iat: now,
        exp: now + TOKEN_SECONDS,
    };
    temwen.tokens.issue(&claims).map_err(Error::internal)
}

/// Where the complaint stands, in the reporter's language.
pub async fn standing(
    temwen: &Temwen,
    caller: &Caller,
    complaint: ComplaintId,
    choose: impl Fn(&str) -> Language,
) -> Result<Standing> {
    let entry = Event::complaint_read(What::ReporterRead, complaint);
    let read = async |conn: &_| {
        let (standing, rules) =
            futures_util::join!(store::standing(conn, complaint), parties::contact_rules(conn, complaint));
        let rules = rules?;
        Ok(standing?.map(|standing| (standing, rules)))
    };
    let ((complaint, stage, next), rules) =
        temwen.db.read_recorded(caller, "reporter.read", entry, read).await?.ok_or_else(no_thread)?;
    let language = choose(&complaint.language);
    let status = public_status(&temwen.policy, &complaint, stage.as_deref());
    let say = |key| temwen.texts.say(language, key, &[]);
    Ok(Standing {
        status_text: say(Key::Status(status)),
        next_update_text: next_update(temwen, language, next, rules),
        notes: vec![
            say(Key::ConfidentialityLimits),
            say(Key::SupportOffer),
            say(Key::Retaliation),
            say(Key::RoutesIntroduction),
            say(Key::RouteOhchr),
            say(Key::RouteOpc),
            say(Key::RouteLine),
        ],
        reference: complaint.reference,
        received_at: complaint.received_at,
        next_update_by: next,
        status,
        language,
    })
}

/// The word that the reporter is told: of the case, once there is one, otherwise of the complaint.
fn public_status(policy: &Policy, complaint: &Complaint, stage: Option<&str>) -> PublicStatus {
    let word = stage.unwrap_or(complaint.status.as_str());
    policy.stage(word).map_or(PublicStatus::Received, |stage| stage.told)
}

fn next_update(
    temwen: &Temwen,
    language: Language,
    next: Option<DateTime<Utc>>,
    rules: ContactRules,
) -> String {
    let texts = &temwen.texts;
    let Some(next) = next else { return texts.say(language, Key::NoUpdateDue, &[]) };
    let date = texts.date(language, temwen.policy.calendar().last_day(next));
    let key = match next < temwen.clock.now() {
        true if rules.no_mission_name => Key::UpdateLateNeutral,
        true => Key::UpdateLate,
        false => Key::NextUpdate,
    };
    texts.say(language, key, &[("date", &date)])
}

/// The messages of a complaint's thread, oldest first. That they were read is recorded.
pub async fn read(
    temwen: &Temwen,
    caller: &Caller,
    complaint: ComplaintId,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> Result<Vec<Message>> {
    let (name, what) = match caller.actor {
        Actor::Reporter(_) => ("reporter.messages", What::ReporterRead),
        _ => ("complaints.messages", What::MessagesRead),
    };
    if !policy::allows(&caller.actor, Action::WriteToReporter) {
        return Err(Error::forbidden());
    }
    let read = async |conn: &_| store::messages(conn, complaint, after, rows).await;
    let entry = Event::complaint_read(what, complaint);
    let (sealed, key) =
        temwen.db.read_recorded(caller, name, entry, read).await?.ok_or_else(Error::not_found)?;
    let keys = Keys::new(temwen.db.vault(), [key]);
    sealed.into_iter().map(|message| message.open(&keys)).collect()
}

/// The reporter writes.
pub async fn write_as_reporter(
    tx: &mut Tx,
    register: &DataKey,
    complaint: ComplaintId,
    words: &Words,
) -> Result<Message> {
    tx.allow(Action::WriteToReporter)?;
    let (matter, language) = store::matter_of(tx, complaint).await?.ok_or_else(no_thread)?;
    let message =
        store::insert(tx, complaint, Direction::FromReporter, MessageKind::Message, words.as_str()).await?;
    search::add_message(tx, register, complaint, &language, words.as_str()).await?;
    record(tx, complaint, matter, &message);
    Ok(message)
}

/// An officer writes to the reporter.
pub async fn write_as_officer(
    tx: &mut Tx,
    register: &DataKey,
    texts: &Texts,
    complaint: ComplaintId,
    kind: MessageKind,
    words: &Words,
) -> Result<(Message, MatterId)> {
    let complaint = lock(tx, complaint).await?;
    tx.allow(Action::WriteToReporter)?;
    keep_to_rules(tx, texts, complaint.id, "/text", words).await?;
    let message = send_to_reporter(tx, &complaint, kind, words.as_str()).await?;
    search::add_message(tx, register, complaint.id, &complaint.language, words.as_str()).await?;
    if kind == MessageKind::Message {
        // A question is no answer; anything else that an officer writes tells the reporter how it goes on.
        deadlines::meet_for_complaint(tx, complaint.id, complaint.matter_id, deadlines::name::FEEDBACK)
            .await?;
    }
    Ok((message, complaint.matter_id))
}

/// Refuses words that name the mission to somebody who asked that it is not named: their telephone may be searched.
pub(super) async fn keep_to_rules(
    tx: &mut Tx,
    texts: &Texts,
    complaint: ComplaintId,
    pointer: &str,
    words: &Words,
) -> Result<()> {
    if !texts.name_the_mission(words.as_str()) {
        return Ok(());
    }
    let rules = tx.ask(async |conn| parties::contact_rules(conn, complaint).await).await?;
    if rules.no_mission_name {
        return Err(Error::fault(
            pointer,
            "names the mission; this person asked that nothing they read does",
        ));
    }
    Ok(())
}

/// Puts a message to the reporter into the thread.
pub(super) async fn send_to_reporter(
    tx: &mut Tx,
    complaint: &Complaint,
    kind: MessageKind,
    text: &str,
) -> Result<Message> {
    let message = store::insert(tx, complaint.id, Direction::ToReporter, kind, text).await?;
    record(tx, complaint.id, complaint.matter_id, &message);
    Ok(message)
}

fn record(tx: &mut Tx, complaint: ComplaintId, matter: MatterId, message: &Message) {
    tx.record(
        Event::complaint(What::MessageSent, complaint, matter)
            .with("message", message.id.uuid())
            .with("direction", message.direction.as_str()),
    );
}
