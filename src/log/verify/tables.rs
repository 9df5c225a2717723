//! The tables whose rows are remembered, and the triggers that see to it.

use std::collections::{BTreeSet, HashMap};

use super::finding::{Finding, Flaw};
use super::verify_store::{self as store, Asked, View};
use super::{functions, functions_store};

/// What names a row of a table, as the migration that made the table remembered says it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Key {
    /// One UUID.
    Id(&'static str),
    /// Two of them, with a slash between.
    Pair(&'static str, &'static str),
    /// A digest, in hexadecimal.
    Digest(&'static str),
    /// A year.
    Year(&'static str),
}

impl Key {
    /// The key of a row, as SQL.
    pub(super) fn of_row(self) -> String {
        match self {
            Self::Id(column) | Self::Year(column) => format!("r.{column}::text"),
            Self::Pair(first, second) => format!("r.{first} || '/' || r.{second}"),
            Self::Digest(column) => format!("encode(r.{column}, 'hex')"),
        }
    }

    /// What rows are ordered by; their keys then are too.
    pub(super) fn order(self) -> String {
        match self {
            Self::Id(column) | Self::Year(column) | Self::Digest(column) => format!("r.{column}"),
            Self::Pair(first, second) => format!("r.{first}, r.{second}"),
        }
    }

    /// That a row has the key, or one further on, that `given` is, as SQL.
    pub(super) fn compared(self, how: &str, given: &str) -> String {
        match self {
            Self::Id(column) => format!("r.{column} {how} {given}::uuid"),
            Self::Year(column) => format!("r.{column} {how} {given}::integer"),
            Self::Digest(column) => format!("r.{column} {how} decode({given}, 'hex')"),
            Self::Pair(first, second) => format!(
                "(r.{first}, r.{second}) {how} (split_part({given}, '/', 1)::uuid, split_part({given}, '/', 2)::uuid)"
            ),
        }
    }
}

/// Every table whose rows are remembered.
pub(super) const REMEMBERED: &[(&str, Key)] = &[
    ("users", Key::Id("id")),
    ("sessions", Key::Id("id")),
    ("refresh_tokens", Key::Digest("digest")),
    ("complaints", Key::Id("id")),
    ("submissions", Key::Id("complaint_id")),
    ("cases", Key::Id("id")),
    ("case_numbers", Key::Year("year")),
    ("case_duties", Key::Pair("case_id", "user_id")),
    ("walls", Key::Pair("user_id", "matter_id")),
    ("assignments", Key::Id("id")),
    ("deadlines", Key::Id("id")),
    ("deadline_pauses", Key::Id("id")),
    ("allegations", Key::Id("id")),
    ("notes", Key::Id("id")),
    ("messages", Key::Id("id")),
    ("proposals", Key::Id("id")),
    ("redactions", Key::Id("id")),
    ("parties", Key::Id("id")),
    ("party_identities", Key::Id("id")),
    ("consents", Key::Id("id")),
    ("reveals", Key::Id("id")),
    ("data_keys", Key::Id("id")),
    ("evidence", Key::Id("id")),
    ("evidence_segments", Key::Id("id")),
    ("custody_events", Key::Id("id")),
    ("legal_holds", Key::Id("id")),
    ("erasures", Key::Id("id")),
    ("units", Key::Id("id")),
    ("personnel", Key::Id("id")),
    ("roster_marks", Key::Id("id")),
    ("matchings", Key::Id("id")),
    ("wall_liftings", Key::Id("id")),
    ("glances", Key::Id("id")),
];

/// The triggers that keep what was written as it was.
const GUARDS: &[(&str, &str)] = &[
    ("audit_entries", "audit_entries_stay"),
    ("audit_entries", "audit_entries_are_never_emptied"),
    ("submissions", "submissions_stay"),
    ("submissions", "submissions_are_never_emptied"),
    ("complaints", "complaints_keep_what_was_submitted"),
    ("complaints", "complaints_are_never_emptied"),
    ("cases", "cases_are_never_deleted"),
    ("cases", "cases_are_never_emptied"),
    ("walls", "walls_stay"),
    ("cases", "cases_never_unowned"),
    ("complaints", "complaints_never_unowned"),
    ("roster_marks", "roster_marks_stay"),
    ("wall_liftings", "wall_liftings_keep_grounds"),
    ("notes", "notes_stay"),
    ("messages", "messages_stay"),
    ("parties", "parties_keep_who_they_are"),
    ("parties", "parties_are_never_emptied"),
    ("party_identities", "party_identities_stay"),
    ("party_identities", "party_identities_are_never_emptied"),
    ("consents", "consents_stay"),
    ("consents", "consents_are_never_emptied"),
    ("reveals", "reveals_keep_what_was_revealed"),
    ("reveals", "reveals_are_never_emptied"),
    ("data_keys", "data_keys_stay"),
    ("data_keys", "data_keys_never_emptied"),
    ("redactions", "redactions_stay"),
    ("redactions", "redactions_are_never_emptied"),
    ("data_keys", "data_keys_erased_by_two"),
    ("log_tiles", "log_tiles_grow"),
    ("log_tiles", "log_tiles_stay"),
    ("log_heads", "log_heads_signed_once"),
    ("log_heads", "log_heads_stay"),
    ("log_places", "log_places_stay"),
    ("log_cosignatures", "log_cosignatures_stay"),
    ("log_places", "log_places_never_emptied"),
    ("log_tiles", "log_tiles_never_emptied"),
    ("log_heads", "log_heads_never_emptied"),
    ("log_cosignatures", "log_cosignatures_never_emptied"),
    ("evidence", "evidence_is_never_deleted"),
    ("evidence", "evidence_is_never_emptied"),
    ("evidence", "evidence_keep_what_was_given"),
    ("evidence_segments", "evidence_segments_stay"),
    ("evidence_segments", "evidence_segments_are_never_emptied"),
    ("custody_events", "custody_events_stay"),
    ("custody_events", "custody_events_are_never_emptied"),
];

/// Tables of the record that only triggers of others could come to.
const WITHOUT_GUARDS: [&str; 2] = ["log_queue", "log_states"];

/// Whether every trigger is there, works, and does what it should.
pub(super) async fn triggers(conn: &View) -> Asked<Vec<Finding>> {
    let there = functions_store::triggers(conn).await?;
    let tables: BTreeSet<&str> =
        REMEMBERED.iter().map(|(table, _)| *table).chain(GUARDS.iter().map(|(table, _)| *table)).collect();
    let tables = tables.into_iter().chain(WITHOUT_GUARDS).collect();
    let mut findings = functions::triggers(&there, &tables);
    findings.extend(functions::functions(conn).await?);
    let there: HashMap<(String, String), String> =
        there.into_iter().map(|t| ((t.tab, t.name), t.enabled)).collect();
    let notes = REMEMBERED.iter().flat_map(|(table, _)| {
        ["insert", "update"].map(|when| ((*table).to_owned(), format!("{table}_note_{when}")))
    });
    let guards = GUARDS.iter().map(|(table, trigger)| ((*table).to_owned(), (*trigger).to_owned()));
    for (table, trigger) in notes.chain(guards) {
        let key = (table, trigger);
        let name = format!("{}.{}", key.0, key.1);
        match there.get(&key).map(String::as_str) {
            None => findings.push(Finding::new(Flaw::TriggerMissing, "pg_trigger", name, "it is gone")),
            Some("O" | "A") => {}
            Some(_) => {
                findings.push(Finding::new(Flaw::TriggerDisabled, "pg_trigger", name, "it is switched off"));
            }
        }
    }
    for (table, trigger) in there.keys() {
        if trigger.ends_with("_note_insert") && !REMEMBERED.iter().any(|(known, _)| known == table) {
            findings.push(Finding::new(
                Flaw::TableUnlisted,
                "pg_trigger",
                format!("{table}.{trigger}"),
                "this build does not check its rows",
            ));
        }
    }
    for kind in store::kinds(conn).await? {
        if !REMEMBERED.iter().any(|(known, _)| *known == kind) {
            let differs = "states are kept of a table that is not remembered";
            findings.push(Finding::new(Flaw::StateUnfounded, "log_states", kind, differs));
        }
    }
    Ok(findings)
}
