//! Looking for complaints by the words in them, and making what is there findable.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::list_store::Looked;
use super::particulars::{Identities, Particulars};
use super::submission::Submission;
use super::{Complaint, Filter, list};
use crate::audit::{Detail, Event, What};
use crate::auth::policy::Scope;
use crate::coa::{Language, Policy};
use crate::db::Tx;
use crate::error::Result;
use crate::values::ComplaintId;
use crate::vault::DataKey;
use crate::words::{self, Asked, Field, Holds, Kind, Object, Tokens};

/// The kinds of text that a complaint is found by.
pub const FIELDS: [Field; 5] =
    [Field::Narrative, Field::Particulars, Field::Message, Field::Subject, Field::Person];

/// A complaint, and in what kinds of text it was found.
pub type Hit = (Complaint, Vec<&'static str>);

/// Complaints with all the words that `asked` wants, newest first. That somebody looked, and for what, is recorded: the words as
/// hashes.
pub async fn search(
    tx: &mut Tx,
    policy: &Policy,
    scope: &Scope,
    asked: &Asked,
    filter: Filter,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> Result<Vec<Hit>> {
    let few = tx.ask(async |conn| words::found(conn, Kind::Complaint, asked).await).await?;
    let known = few.is_some() && asked.is_plain();
    let holds =
        (!known).then(|| Holds::new(Kind::Complaint, asked, words::in_psea_lane("complaints", policy)));
    let filter = Filter { words: Some(Looked { few, holds }), ..filter };
    let found = tx.ask(async |conn| list(conn, scope, &filter, after, rows).await).await?;
    let ids: Vec<Uuid> = found.iter().map(|complaint| complaint.id.uuid()).collect();
    let mut matched = tx.ask(async |conn| words::matched(conn, Kind::Complaint, &ids, asked).await).await?;
    tx.record(searched(What::ComplaintsSearched, asked, found.len()));
    let hit = |complaint: Complaint| {
        let matched = matched.remove(&complaint.id.uuid()).unwrap_or_default();
        (complaint, matched)
    };
    Ok(found.into_iter().map(hit).collect())
}

/// The entry of a search: hashes of its words, how many they are, and about how much was shown.
pub(crate) fn searched(what: What, asked: &Asked, shown: usize) -> Event {
    let about = match shown {
        0 => "none",
        1..=10 => "some",
        _ => "many",
    };
    Event::register(what)
        .with("words", Detail::words(asked.searched()))
        .with("count", i64::try_from(asked.count()).unwrap_or(i64::MAX))
        .with("found", about)
}

/// What a complaint is found by that is handed in.
pub(super) fn of_submission(register: &DataKey, submission: &Submission) -> Vec<i64> {
    let mut tokens = Tokens::new(register);
    tokens.text(Field::Narrative, submission.language, submission.narrative.as_str());
    particulars(&mut tokens, submission.language, &submission.said);
    names(&mut tokens, &submission.names);
    tokens.into_vec()
}

/// What somebody wrote besides the narrative; words of the policy are filters already.
pub(super) fn particulars(tokens: &mut Tokens, language: Language, said: &Particulars) {
    let incident = [&said.incident.commune, &said.incident.place];
    let subjects =
        said.subjects.iter().flat_map(|subject| [&subject.unit, &subject.rank, &subject.description]);
    let witnesses = said.witnesses.iter().map(|witness| &witness.description);
    let risk = said.risk.iter().map(|risk| &risk.note);
    for text in incident.into_iter().chain(subjects).chain(witnesses).chain(risk).flatten() {
        tokens.text(Field::Particulars, language, text);
    }
}

/// Names and service numbers; contacts are not looked for.
pub(super) fn names(tokens: &mut Tokens, names: &Identities) {
    let reporter = names.reporter.iter().filter_map(|reporter| reporter.name.as_ref());
    for name in reporter.chain(names.victims.iter().flatten()).chain(names.witnesses.iter().flatten()) {
        tokens.name(Field::Person, name);
    }
    for name in names.subjects.iter().flat_map(|subject| [&subject.name, &subject.service_number]).flatten() {
        tokens.name(Field::Subject, name);
    }
}

/// A complaint is found by what is written in its thread too.
pub(super) async fn add_message(
    tx: &mut Tx,
    register: &DataKey,
    id: ComplaintId,
    language: &str,
    text: &str,
) -> Result<()> {
    let mut tokens = Tokens::new(register);
    match Language::parse(language) {
        Some(language) => tokens.text(Field::Message, language, text),
        None => tokens.text_of_any(Field::Message, text),
    }
    let tokens = tokens.into_vec();
    tx.ask(async |conn| words::add(conn, Object::Complaint(id), &tokens, false).await).await
}
