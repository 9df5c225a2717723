//! Complaints: what somebody handed in, before and until it is judged; and the reporter's own thread.
//!
//! Belongs here: receiving a complaint, what makes one acceptable, telling its reporter that it has arrived.
//! Does not belong here: judging it, and anything after it became a case; see [`crate::cases`].
//! May touch: its own stores, [`crate::deadlines`], and [`Tx`].

mod acknowledgement;
mod file_http;
mod given_http;
pub(crate) mod http;
pub mod indexing;
mod list_store;
pub(crate) mod particulars;
pub mod persons;
mod persons_store;
mod receipt;
mod receipt_http;
pub mod redaction;
mod redaction_http;
mod redaction_store;
mod said;
pub mod search;
pub(crate) mod store;
pub mod submission;
mod submission_http;
pub mod thread;
mod thread_http;
mod thread_store;
mod walls_store;

use aws_lc_rs::digest;
use chrono::{DateTime, NaiveDate, Utc};

use self::submission::Submission;
use crate::audit::{Event, What, commitment};
use crate::auth::Role;
use crate::auth::credentials::codes::{AccessCode, Reference};
use crate::auth::credentials::keys::Purpose;
use crate::auth::policy::{self, Action};
use crate::coa::{Event as Start, Matter, Policy};
use crate::db::{Caller, Tx};
use crate::deadlines::{self, Planned};
use crate::error::{Error, Kind, Result};
use crate::parties;
use crate::personnel;
use crate::temwen::Temwen;
use crate::values::{CaseId, ComplaintId, MatterId, UserId, text_enum};
use crate::vault::WrappedKey;
use crate::words;

pub use self::acknowledgement::acknowledge;
pub use self::list_store::{Filter, list};
pub use self::said::{Read, read};
pub(crate) use self::said::{SealedWords, said_in};
pub(crate) use self::store::{Judged, follow_category, judge, of_case, take_over_flags};
pub(crate) use self::walls_store::{copy_walls, wall_reason};

text_enum! {
    /// How far the handling of a complaint has come.
    Status {
        /// It has arrived.
        Received = "received",
        /// Its reporter was told so.
        Acknowledged = "acknowledged",
        /// It belongs to a case.
        InCase = "in_case",
        /// Another body is competent.
        ReferredOut = "referred_out",
        /// It was closed at triage.
        Closed = "closed",
    }
}

text_enum! {
    /// How exactly the day of an incident is known.
    Precision {
        /// To the day.
        Day = "day",
        /// To the month; the day stands at the first.
        Month = "month",
        /// To the year; the day stands at the first of January.
        Year = "year",
        /// Not at all.
        Unknown = "unknown",
    }
}

/// How a complaint is handled; what its author said stands apart.
#[derive(Debug, Clone, diesel::Queryable, diesel::Selectable)]
#[diesel(table_name = crate::db::schema::complaints, check_for_backend(diesel::pg::Pg))]
pub struct Complaint {
    /// Its id.
    pub id: ComplaintId,
    /// What its reporter calls it by.
    pub reference: String,
    /// The matter it belongs to.
    pub matter_id: MatterId,
    /// The case it belongs to.
    pub case_id: Option<CaseId>,
    /// The way it came.
    pub channel: String,
    /// The language it is in.
    pub language: String,
    /// What its reporter takes it for.
    pub reported_category: Option<String>,
    /// What it is taken for now.
    pub category: String,
    /// How soon it wants attention.
    pub priority: String,
    /// What rules turn on, such as `child`.
    pub flags: Vec<String>,
    /// Where it happened.
    pub department: Option<String>,
    /// The contributing country concerned.
    pub country: Option<String>,
    /// When it happened.
    pub incident_from: Option<NaiveDate>,
    /// How exactly that is known.
    pub incident_precision: Precision,
    /// How far its reporter is known.
    pub anonymity: String,
    /// How far its handling has come.
    pub status: Status,
    /// When a device recorded it.
    pub captured_at: Option<DateTime<Utc>>,
    /// When the register stored it.
    pub received_at: DateTime<Utc>,
    /// When its clocks began.
    pub clock_start: DateTime<Utc>,
    /// When its reporter was told that it has arrived.
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// When triage decided.
    pub assessed_at: Option<DateTime<Utc>>,
    /// The account that handed it in, if one did.
    pub submitted_by: Option<UserId>,
    /// The desk that answers for it.
    pub owner_role: Role,
    /// The person there.
    pub owner_id: Option<UserId>,
    /// Counts its changes.
    pub version: i32,
}

impl Complaint {
    /// Its marks.
    pub fn flags(&self) -> Vec<&str> {
        self.flags.iter().map(String::as_str).collect()
    }

    /// Whether it concerns sexual exploitation or abuse, or a child.
    pub fn is_psea(&self, policy: &Policy) -> bool {
        policy.in_lane("psea", &self.category, self.flags())
    }
}

/// What somebody said, word for word.
#[derive(Debug, Clone)]
pub struct Said {
    /// What happened, in their words.
    pub narrative: String,
    /// The rest of it, as JSON without names.
    pub particulars: String,
    /// Names and contacts, as JSON.
    pub identities: Option<String>,
}

/// What somebody gets who hands in a complaint.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// The complaint's id.
    pub id: ComplaintId,
    /// What to call it by.
    pub reference: String,
    /// Opens the thread; `None` where it can no longer be derived.
    pub access_code: Option<AccessCode>,
    /// When it was stored.
    pub received_at: DateTime<Utc>,
    /// By when its arrival is confirmed.
    pub acknowledge_by: DateTime<Utc>,
    /// Whether it was stored before, by the same submission.
    pub repeated: bool,
}

/// A complaint on its way into the database.
pub(crate) struct New<'a> {
    pub(crate) id: ComplaintId,
    pub(crate) reference: Reference,
    pub(crate) submission: &'a Submission,
    pub(crate) digest: [u8; 32],
    pub(crate) access_code: Option<[u8; 32]>,
    pub(crate) words: SealedWords,
    pub(crate) received_at: DateTime<Utc>,
    pub(crate) clock_start: DateTime<Utc>,
    pub(crate) submitted_by: Option<UserId>,
    pub(crate) owner_role: Role,
    pub(crate) policy: String,
    pub(crate) external_ref: Option<&'a str>,
    pub(crate) key: &'a WrappedKey,
}

/// How often another reference is tried when one is taken: of 2^35, two alike are rare even among millions.
const TRIES: usize = 8;

/// Receives a complaint.
///
/// The same `submission_id` with the same body gets the first answer again, for ever; with another body it is refused.
/// Nobody is turned away, and the answer leaves after the complaint is durable.
pub async fn submit(temwen: &Temwen, caller: &Caller, submission: &Submission) -> Result<Receipt> {
    if !policy::allows(&caller.actor, Action::SubmitComplaint) {
        return Err(Error::forbidden());
    }
    let policy = &temwen.policy;
    let received_at = temwen.clock.now();
    let for_somebody = policy::allows(&caller.actor, Action::SubmitForSomebody);
    // Only an officer's word says when the mission received it; anybody else's device may be wrong, or lie.
    let captured = submission.captured_at.filter(|_| for_somebody);
    let clock_start = policy.clock_start(&submission.channel, captured, received_at);
    let planned = plan(policy, submission, clock_start, received_at);
    let acknowledge_by =
        planned.iter().find(|p| p.name == deadlines::name::ACKNOWLEDGEMENT).map_or(clock_start, |p| p.due_at);
    // Keyed, so that whoever reads the database cannot try out what somebody may have said.
    let digest = temwen.keys.digest(Purpose::IdempotencyKey, &[b"submission", &submission.digest()?]);
    let tokens = search::of_submission(&temwen.register, submission);

    for _ in 0..TRIES {
        let id = ComplaintId::new();
        let code = AccessCode::derive(&temwen.keys, id.uuid());
        let (key, wrapped) = temwen.db.vault().make_key(id.uuid())?;
        let persons = persons::sealed(temwen, &key, caller, id, submission, received_at)?;
        let salt = commitment::salt().map_err(Error::internal)?;
        let new = New {
            id,
            reference: Reference::random().map_err(Error::internal)?,
            submission,
            digest,
            access_code: Some(code.digest()),
            words: SealedWords::seal(&key, id, submission, &salt)?,
            received_at,
            clock_start,
            submitted_by: caller.actor.user(),
            owner_role: first_owner(policy, submission),
            policy: policy_word(policy),
            external_ref: None,
            key: &wrapped,
        };
        let words = commitment::commit(&salt, submission.narrative.as_str());
        let entry = Event::complaint(What::ComplaintReceived, id, MatterId::from(id.uuid()))
            // The reporter's receipt holds this entry: nothing in it tells what was reported.
            .with("words", words.as_str())
            .with("channel", submission.channel.as_str())
            .with("for_somebody", for_somebody);
        let caller = Caller { about: Some(id), ..caller.clone() };
        let store = async |conn: &_| {
            let (stored, told, walled, found, started) = futures_util::join!(
                store::insert(conn, &new),
                parties::insert(conn, &persons),
                personnel::put_up_walls(conn, MatterId::from(id.uuid()), received_at),
                words::add_new(conn, id, &tokens),
                deadlines::start_for_complaint(conn, id, MatterId::from(id.uuid()), &planned)
            );
            started?;
            told?;
            walled?;
            found?;
            Ok(stored?.then_some(()))
        };
        let follows = personnel::follows(MatterId::from(id.uuid()));
        let stored =
            temwen.db.write_with_follows(&caller, "complaints.submit", entry, follows, store).await?;
        if stored.is_some() {
            let reference = new.reference.to_string();
            return Ok(Receipt {
                id,
                reference,
                access_code: Some(code),
                received_at,
                acknowledge_by,
                repeated: false,
            });
        }
        if let Some(receipt) = repeated(temwen, &caller, submission, &digest).await? {
            return Ok(receipt);
        }
        // Neither stored nor there before: the reference was taken. Another one.
    }
    Err(Error::unavailable(1).because("no free reference was found"))
}

/// The limits that run from a complaint's arrival.
pub(crate) fn plan(
    policy: &Policy,
    submission: &Submission,
    clock_start: DateTime<Utc>,
    received_at: DateTime<Utc>,
) -> Vec<Planned> {
    let flags: Vec<&str> = submission.flags.iter().map(String::as_str).collect();
    let matter = Matter { category: &submission.category, flags: &flags, priority: &submission.priority };
    let mut planned = deadlines::plan(policy, Start::ClockStart, &matter, clock_start);
    planned.extend(deadlines::plan(policy, Start::Received, &matter, received_at));
    planned
}

/// The desk that a new complaint lies on: never none.
pub(crate) fn first_owner(policy: &Policy, submission: &Submission) -> Role {
    if policy.in_lane("psea", &submission.category, submission.flags.iter().map(String::as_str)) {
        Role::PseaCoordinator
    } else {
        Role::IntakeOfficer
    }
}

/// The policy that something happened under, in one word.
pub(crate) fn policy_word(policy: &Policy) -> String {
    format!("{}@{}", policy.id, policy.version)
}

/// The first answer to a submission that was stored before.
async fn repeated(
    temwen: &Temwen,
    caller: &Caller,
    submission: &Submission,
    digest: &[u8; 32],
) -> Result<Option<Receipt>> {
    let id = submission.id;
    let Some(first) = temwen.db.read(caller, async |conn| store::submitted_before(conn, id).await).await?
    else {
        return Ok(None);
    };
    if first.hidden {
        // A receipt opens the reporter's thread: whoever was walled off since does not get another.
        return Err(Error::not_found());
    }
    if first.digest != digest {
        return Err(match submission.keyed {
            submission::Keyed::ByIdempotencyKey => {
                Error::new(Kind::KeyReused, "this Idempotency-Key was used with another body")
            }
            _ => Error::new(
                Kind::Exists,
                "a complaint with this submission_id and another body is stored already; nothing was changed",
            ),
        });
    }
    // Where the key file was replaced, the code of then can no longer be derived; a wrong one is never handed out.
    let code = AccessCode::derive(&temwen.keys, first.id.uuid());
    let access_code = first.code_digest.is_some_and(|stored| code.matches(&stored)).then_some(code);
    let planned = plan(&temwen.policy, submission, first.clock_start, first.received_at);
    let acknowledge_by = planned
        .iter()
        .find(|p| p.name == deadlines::name::ACKNOWLEDGEMENT)
        .map_or(first.clock_start, |p| p.due_at);
    Ok(Some(Receipt {
        id: first.id,
        reference: first.reference,
        access_code,
        received_at: first.received_at,
        acknowledge_by,
        repeated: true,
    }))
}

/// A complaint, held until the transaction ends; as seen by whoever acts.
pub async fn lock(tx: &mut Tx, id: ComplaintId) -> Result<Complaint> {
    store::lock(tx, id).await?.ok_or_else(Error::not_found)
}

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(digest::digest(&digest::SHA256, bytes).as_ref()) {
        *to = *from;
    }
    out
}
