//! What happened, who did it, when: append only.
//!
//! Belongs here: the catalogue of events, and how an entry is made. Knows no other feature: an event names things by id
//! and by word. Entries are written by [`crate::db`] alone, in the transaction of what they tell of.

mod catalogue;
pub mod commitment;
pub mod leaf;
mod store;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::auth::credentials::EntrySeal;
use crate::db::Caller;
use crate::values::{CaseId, ComplaintId, EntryId, MatterId, SessionId, UserId};

pub use self::catalogue::What;
pub use self::store::{Seen, Start, last_policy_digest, last_start, of_matter};
pub(crate) use self::store::{append, append_if_seen, append_what_followed};

/// How many changed rows an entry takes before the next entry about the same object takes over; the rest stays with the last.
pub const MOST_CHANGES: usize = 200;

/// A value that may stand in an entry: an id, a word, a number or a flag; never free text.
#[derive(Debug, Clone)]
pub struct Detail(Value);

impl Detail {
    /// A word; anything that does not look like one is replaced, so that no free text gets in by mistake.
    pub fn word(word: &str) -> Self {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '@' | ',');
        let good = !word.is_empty() && word.len() <= 128 && word.chars().all(plain);
        Self(Value::from(if good { word } else { "(withheld)" }))
    }
}

impl Detail {
    /// Several words.
    pub fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        Self(Value::Array(words.into_iter().map(|word| Self::word(word).0).collect()))
    }
}

impl From<&str> for Detail {
    fn from(word: &str) -> Self {
        Self::word(word)
    }
}
impl From<Uuid> for Detail {
    fn from(id: Uuid) -> Self {
        Self(Value::from(id.to_string()))
    }
}
impl From<i64> for Detail {
    fn from(number: i64) -> Self {
        // The canonical form (RFC 8785) knows whole numbers up to 2^53 - 1; what is larger comes from somebody hostile.
        const LARGEST: i64 = (1 << 53) - 1;
        Self(Value::from(number.clamp(-LARGEST, LARGEST)))
    }
}
impl From<i32> for Detail {
    fn from(number: i32) -> Self {
        Self(Value::from(number))
    }
}
impl From<bool> for Detail {
    fn from(flag: bool) -> Self {
        Self(Value::from(flag))
    }
}
impl From<DateTime<Utc>> for Detail {
    fn from(moment: DateTime<Utc>) -> Self {
        Self(Value::from(moment.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)))
    }
}

/// Something that happened, before it is known who did it and when.
#[derive(Debug, Clone)]
pub struct Event {
    what: What,
    object_kind: &'static str,
    object_id: Uuid,
    matter: Option<MatterId>,
    detail: Map<String, Value>,
}

impl Event {
    fn on(what: What, object_kind: &'static str, object_id: Uuid) -> Self {
        Self { what, object_kind, object_id, matter: None, detail: Map::new() }
    }

    /// Something happened to an account.
    pub fn user(what: What, user: UserId) -> Self {
        Self::on(what, "user", user.uuid())
    }

    /// Something happened to a session.
    pub fn session(what: What, session: SessionId) -> Self {
        Self::on(what, "session", session.uuid())
    }

    /// Something happened to a complaint.
    pub fn complaint(what: What, complaint: ComplaintId, matter: MatterId) -> Self {
        Self { matter: Some(matter), ..Self::on(what, "complaint", complaint.uuid()) }
    }

    /// Something happened to a case.
    pub fn case(what: What, case: CaseId, matter: MatterId) -> Self {
        Self { matter: Some(matter), ..Self::on(what, "case", case.uuid()) }
    }

    /// A complaint was read; its matter is found when the entry is written.
    pub fn complaint_read(what: What, complaint: ComplaintId) -> Self {
        Self::on(what, "complaint", complaint.uuid())
    }

    /// A case was read; its matter is found when the entry is written.
    pub fn case_read(what: What, case: CaseId) -> Self {
        Self::on(what, "case", case.uuid())
    }

    /// Something happened to a matter as a whole.
    pub fn matter(what: What, matter: MatterId) -> Self {
        Self { matter: Some(matter), ..Self::on(what, "matter", matter.uuid()) }
    }

    /// Something happened to a person or a unit of the roster, or to somebody's leave to see a case.
    pub fn of(what: What, kind: &'static str, id: Uuid) -> Self {
        Self::on(what, kind, id)
    }

    /// Something happened to the register itself.
    pub fn register(what: What) -> Self {
        Self::on(what, "register", Uuid::nil())
    }

    /// The same, as part of a matter: whoever may not know of that matter does not see the entry.
    #[must_use]
    pub fn within(self, matter: Option<MatterId>) -> Self {
        Self { matter, ..self }
    }

    /// The words that belong to it.
    pub fn detail(&self) -> &Map<String, Value> {
        &self.detail
    }

    /// Adds a detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Detail>) -> Self {
        self.detail.insert(name.to_owned(), value.into().0);
        self
    }

    /// Adds a detail, if there is one.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<impl Into<Detail>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}

/// An event with its author and its moment.
#[derive(Debug, Clone)]
pub struct Entry {
    id: EntryId,
    at: DateTime<Utc>,
    actor_kind: &'static str,
    actor: String,
    request: String,
    event: Event,
}

impl Entry {
    /// Author, moment and request come from the server, never from a request's body.
    pub(crate) fn new(event: Event, caller: &Caller, at: DateTime<Utc>) -> Self {
        let identity = caller.actor.identity();
        Self {
            id: EntryId::new(),
            at,
            actor_kind: identity.kind,
            actor: identity.name,
            request: caller.request.to_string(),
            event,
        }
    }

    /// Its seal: over all that the server itself says in it.
    fn seal(&self, seal: &EntrySeal) -> Vec<u8> {
        let said = leaf::Said {
            id: self.id.uuid(),
            at: self.at,
            actor_kind: self.actor_kind,
            actor: &self.actor,
            action: self.event.what.as_str(),
            object_kind: self.event.object_kind,
            object_id: self.event.object_id,
            request: &self.request,
            detail: &self.event.detail,
        };
        seal.of(said.canonical().as_bytes()).to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p2_no_free_text_gets_into_an_entry() {
        for text in ["He hit me", "Jean-Baptiste Éloi", "", "a\nb", &"x".repeat(200)] {
            assert_eq!(Detail::word(text).0, "(withheld)", "{text:?}");
        }
        assert_eq!(Detail::word("sexual_exploitation_abuse").0, "sexual_exploitation_abuse");
    }
}
