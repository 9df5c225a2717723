//! The exact bytes of an entry: what is hashed into the log, what a receipt holds, what a seal is over.
//!
//! Canonical JSON (RFC 8785). This form never changes: a receipt is checked against it for decades. Something new gets a
//! new version, `v`, beside it.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// The version of the form.
const VERSION: u8 = 1;

/// What the server itself says in an entry, as it writes it.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// The entry's id.
    pub id: Uuid,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What kind of actor did it.
    pub actor_kind: &'a str,
    /// Which one.
    pub actor: &'a str,
    /// What was done.
    pub action: &'a str,
    /// To what kind of thing.
    pub object_kind: &'a str,
    /// To which.
    pub object_id: Uuid,
    /// In which request.
    pub request: &'a str,
    /// Ids and words that belong to it.
    pub detail: &'a Map<String, Value>,
}

impl Said<'_> {
    fn members(&self) -> Map<String, Value> {
        let mut all = Map::new();
        let mut say = |name: &str, value: Value| all.insert(name.to_owned(), value);
        say("id", Value::from(self.id.to_string()));
        say("at", Value::from(self.at.to_rfc3339_opts(SecondsFormat::Micros, true)));
        say("actor", json!({ "id": self.actor, "kind": self.actor_kind }));
        say("action", Value::from(self.action));
        say("object", json!({ "id": self.object_id.to_string(), "kind": self.object_kind }));
        say("request", Value::from(self.request));
        say("detail", Value::Object(self.detail.clone()));
        say("v", Value::from(VERSION));
        all
    }

    /// The form that the seal is over.
    pub fn canonical(&self) -> String {
        canonical(&Value::Object(self.members()))
    }
}

/// What the database adds to an entry as it stores it.
#[derive(Debug, Clone, Copy)]
pub struct Kept<'a> {
    /// The matter it belongs to.
    pub matter: Option<Uuid>,
    /// What makes its hash tell nothing.
    pub salt: Uuid,
    /// The server's seal.
    pub seal: Option<&'a [u8]>,
    /// Table, key, state and former state of every row that was changed, between spaces.
    pub changes: &'a [String],
}

/// The exact bytes of an entry's leaf.
pub fn of(said: &Said<'_>, kept: &Kept<'_>) -> String {
    let mut all = said.members();
    if let Some(matter) = kept.matter {
        all.insert("matter".to_owned(), Value::from(matter.to_string()));
    }
    if let Some(seal) = kept.seal {
        all.insert("seal".to_owned(), Value::from(hex(seal)));
    }
    all.insert("salt".to_owned(), Value::from(kept.salt.simple().to_string()));
    let changes = kept.changes.iter().map(|line| {
        let change = Change::read(line);
        match change.was {
            Some(was) => json!({ "id": change.id, "kind": change.kind, "state": change.state, "was": was }),
            None => json!({ "id": change.id, "kind": change.kind, "state": change.state }),
        }
    });
    all.insert("changes".to_owned(), changes.collect());
    canonical(&Value::Object(all))
}

/// What a row looks like after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    /// The row's table.
    pub kind: &'a str,
    /// The row's key.
    pub id: &'a str,
    /// SHA-256 of the canonical form of its columns, in hexadecimal.
    pub state: &'a str,
    /// The same of what it was before; none for a row that is new.
    pub was: Option<&'a str>,
}

impl<'a> Change<'a> {
    /// Reads the form in which the database notes it. What is missing is empty, so that nothing else looks the same.
    pub fn read(line: &'a str) -> Self {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (rest, was) = rest.rsplit_once(' ').unwrap_or((rest, ""));
        let (id, state) = rest.rsplit_once(' ').unwrap_or((rest, ""));
        Self { kind, id, state, was: Some(was).filter(|was| *was != "-") }
    }
}

/// The canonical form (RFC 8785) of `value`. Our numbers are whole and our keys ASCII, and such a value always has one.
pub fn canonical(value: &Value) -> String {
    serde_json_canonicalizer::to_string(value).unwrap_or_default()
}

/// The canonical form of a row as the database tells it: members without a value are left out, however deep.
pub fn canonical_row(mut row: Value) -> String {
    leave_out_nothing(&mut row);
    canonical(&row)
}

fn leave_out_nothing(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(leave_out_nothing);
        }
        Value::Array(elements) => elements.iter_mut().for_each(leave_out_nothing),
        _ => {}
    }
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut all, byte| {
        for half in [byte >> 4, byte & 15] {
            all.extend(char::from_digit(u32::from(half), 16));
        }
        all
    })
}

/// SHA-256, in hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref())
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;

    use super::*;

    #[test]
    fn p8_the_form_of_a_leaf_never_changes() {
        let mut detail = Map::new();
        detail.insert("channel".to_owned(), Value::from("web_form"));
        detail.insert("words".to_owned(), Value::from("ab"));
        let said = Said {
            id: Uuid::from_u128(1),
            at: Utc.with_ymd_and_hms(2026, 11, 3, 9, 0, 0).unwrap(),
            actor_kind: "public",
            actor: "public",
            action: "complaint.received",
            object_kind: "complaint",
            object_id: Uuid::from_u128(2),
            request: "r-1",
            detail: &detail,
        };
        let kept = Kept {
            matter: Some(Uuid::from_u128(2)),
            salt: Uuid::from_u128(3),
            seal: Some(&[0xAB; 32]),
            changes: &["walls a/b c0ffee -".to_owned(), "cases c 2 1".to_owned()],
        };
        assert_eq!(
            of(&said, &kept),
            format!(
                r#"{{"action":"complaint.received","actor":{{"id":"public","kind":"public"}},"at":"2026-11-03T09:00:00.000000Z","changes":[{{"id":"a/b","kind":"walls","state":"c0ffee"}},{{"id":"c","kind":"cases","state":"2","was":"1"}}],"detail":{{"channel":"web_form","words":"ab"}},"id":"00000000-0000-0000-0000-000000000001","matter":"00000000-0000-0000-0000-000000000002","object":{{"id":"00000000-0000-0000-0000-000000000002","kind":"complaint"}},"request":"r-1","salt":"00000000000000000000000000000003","seal":"{}","v":1}}"#,
                "ab".repeat(32)
            )
        );
    }

    #[test]
    fn a_row_without_a_value_in_a_column_looks_like_one_without_the_column() {
        let row = json!({ "b": null, "a": [1, null, { "d": null, "c": "é\u{7f}\n" }] });
        assert_eq!(canonical_row(row), "{\"a\":[1,null,{\"c\":\"é\u{7f}\\n\"}]}");
    }
}
