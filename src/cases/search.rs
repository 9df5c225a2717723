//! Looking for cases by the words in their notes and complaints.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::store::Looked;
use super::{Case, Filter, store};
use crate::audit::What;
use crate::auth::policy::Scope;
use crate::coa::Policy;
use crate::complaints::search::searched;
use crate::db::Tx;
use crate::error::Result;
use crate::values::{CaseId, ComplaintId};
use crate::vault::DataKey;
use crate::words::{self, Asked, Field, Holds, Kind, Object, Tokens};

/// The kinds of text that a case is found by.
pub const FIELDS: &[Field] = Field::ALL;

/// A case, and in what kinds of text it was found.
pub type Hit = (Case, Vec<&'static str>);

/// Cases with all the words that `asked` wants, newest first. That somebody looked, and for what, is recorded: the words as hashes.
pub async fn search(
    tx: &mut Tx,
    policy: &Policy,
    scope: &Scope,
    asked: &Asked,
    filter: Filter,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> Result<Vec<Hit>> {
    let now = tx.now();
    let few = tx.ask(async |conn| words::found(conn, Kind::Case, asked).await).await?;
    let known = few.is_some() && asked.is_plain();
    let holds = (!known).then(|| Holds::new(Kind::Case, asked, words::in_psea_lane("cases", policy)));
    let filter = Filter { words: Some(Looked { few, holds }), ..filter };
    let found = tx.ask(async |conn| store::list(conn, scope, &filter, now, after, rows).await).await?;
    let ids: Vec<Uuid> = found.iter().map(|case| case.id.uuid()).collect();
    let mut matched = tx.ask(async |conn| words::matched(conn, Kind::Case, &ids, asked).await).await?;
    tx.record(searched(What::CasesSearched, asked, found.len()));
    let hit = |case: Case| {
        let matched = matched.remove(&case.id.uuid()).unwrap_or_default();
        (case, matched)
    };
    Ok(found.into_iter().map(hit).collect())
}

/// A case is found by what is noted on it. Officers write notes in whatever language they share.
pub(super) async fn add_note(tx: &mut Tx, register: &DataKey, id: CaseId, text: &str) -> Result<()> {
    let mut tokens = Tokens::new(register);
    tokens.text_of_any(Field::Note, text);
    let tokens = tokens.into_vec();
    tx.ask(async |conn| words::add(conn, Object::Case(id), &tokens, false).await).await
}

/// A case is found by the words of a complaint that joined it; `is_new` says that it was opened for that complaint.
pub(super) async fn join(tx: &mut Tx, complaint: ComplaintId, is_new: bool) -> Result<()> {
    tx.ask(async |conn| words::join(conn, complaint, is_new).await).await
}

/// A case is found by the names and numbers of those who were added to it, for whoever may look through names.
pub async fn add_names<'a>(
    tx: &mut Tx,
    register: &DataKey,
    id: CaseId,
    of: Field,
    names: impl IntoIterator<Item = &'a str>,
) -> Result<()> {
    let mut tokens = Tokens::new(register);
    for name in names {
        tokens.name(of, name);
    }
    let tokens = tokens.into_vec();
    tx.ask(async |conn| words::add(conn, Object::Case(id), &tokens, false).await).await
}
