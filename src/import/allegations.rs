//! Taking allegations over: each joins the case of its complaint; once.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use futures_util::future::try_join_all;

use super::allegation_row::{Content, Taken};
use super::allegations_store::{self as store, Known, Raised};
use super::complaints::desk;
use super::{Seen, Verdict};
use crate::audit::{self, Event, What};
use crate::auth::policy::Action;
use crate::coa::Policy;
use crate::db::{Caller, Tx, data_keys};
use crate::error::{Error, Result};
use crate::parties::identity::Identity;
use crate::parties::{self, Belongs, NewParty, PartyRole};
use crate::personnel;
use crate::temwen::Temwen;
use crate::values::{CaseId, PartyId};
use crate::vault::DataKey;

/// How many persons one entry tells of: it holds the state of each, and of who they are.
const SUBJECTS: usize = 50;

/// What can be wrong with a row in view of the others.
const NO_COMPLAINT: &str = "is that of no complaint that was taken over";
const OTHER_CONTENT: &str =
    "is that of an allegation which is stored already and says something else; nothing was changed";

/// Takes a batch over; a verdict for each, in their order. `dry` only looks, and remembers what it would have stored.
pub(super) async fn take_over(
    temwen: &Temwen,
    caller: &Caller,
    batch: &[Taken],
    mut dry: Option<&mut Seen>,
) -> Result<Vec<Verdict>> {
    let mut refs: Vec<&str> = batch.iter().map(|taken| taken.complaint.as_str()).collect();
    refs.sort_unstable();
    refs.dedup();
    let (cases, there) = temwen.db.read(caller, async |conn| store::cases_there(conn, &refs).await).await?;
    let cases: HashMap<&str, &Known> =
        cases.iter().map(|known| (known.external_ref.as_str(), known)).collect();
    let mut before: HashMap<(CaseId, i32), Content> = HashMap::new();
    for each in there {
        before.insert((each.case, each.position), each.open(temwen.db.vault())?);
    }
    let mut there = before;
    let mut verdicts = Vec::with_capacity(batch.len());
    let mut wanted: Vec<(&Known, &Content)> = Vec::new();
    for taken in batch {
        let place = taken.content.position;
        let before = match (cases.get(taken.complaint.as_str()), dry.as_deref_mut()) {
            (Some(known), _) => match there.entry((known.case, place)) {
                Entry::Occupied(before) => Some(*before.get() == taken.content),
                Entry::Vacant(free) => {
                    free.insert(taken.content.clone());
                    wanted.push((known, &taken.content));
                    None
                }
            },
            (None, Some(seen)) if seen.has_complaint(&taken.complaint) => seen.add_allegation(taken),
            (None, _) => {
                verdicts.push(Verdict::refused("complaint_ref", NO_COMPLAINT));
                continue;
            }
        };
        verdicts.push(match before {
            None => Verdict::Stored,
            Some(true) => Verdict::There,
            Some(false) => Verdict::refused("seq", OTHER_CONTENT),
        });
    }
    if dry.is_none() && !wanted.is_empty() {
        let write = async |tx: &mut Tx| store_batch(tx, temwen, &wanted).await;
        temwen.db.write(caller, "import.allegations", write).await?;
    }
    Ok(verdicts)
}

async fn store_batch(tx: &mut Tx, temwen: &Temwen, wanted: &[(&Known, &Content)]) -> Result<()> {
    tx.allow(Action::RunTheRegister)?;
    let policy = &temwen.policy;
    let mut of_case: HashMap<CaseId, (&Known, Vec<&Content>)> = HashMap::new();
    for (known, content) in wanted {
        of_case.entry(known.case).or_insert_with(|| (known, Vec::new())).1.push(content);
    }
    let raised: Vec<Raised> =
        of_case.values().filter_map(|(known, contents)| raised(policy, known, contents)).collect();
    let touched: Vec<CaseId> = of_case.keys().copied().collect();
    store::insert_allegations(tx, wanted, &touched, &raised).await?;
    for raised in &raised {
        if let Some((known, _)) = of_case.get(&raised.case) {
            tx.record(
                Event::case(What::CaseClassified, known.case, known.matter)
                    .with("from", known.category.as_str())
                    .with("to", raised.category.as_str()),
            );
        }
    }
    for (known, contents) in of_case.values() {
        // An entry holds the states of some hundred rows; a case with more has more entries.
        for some in contents.chunks(audit::MOST_CHANGES) {
            let count = i64::try_from(some.len()).unwrap_or(i64::MAX);
            tx.record(Event::case(What::AllegationsAdded, known.case, known.matter).with("count", count));
        }
    }
    store_subjects(tx, &temwen.register, &of_case).await
}

/// Those accused under a number become persons of the case, by pseudonym; each once, however many allegations there are.
async fn store_subjects(
    tx: &mut Tx,
    register: &DataKey,
    of_case: &HashMap<CaseId, (&Known, Vec<&Content>)>,
) -> Result<()> {
    let accusing = |(_, contents): &&(&Known, Vec<&Content>)| {
        contents.iter().any(|content| content.told.subject_ref.is_some())
    };
    let accused: Vec<_> = of_case.values().filter(accusing).collect();
    let matters: Vec<_> = accused.iter().map(|(known, _)| known.matter.uuid()).collect();
    let keys = tx.ask(async |conn| data_keys::find(conn, &matters).await).await?;
    let mut prepared = Vec::new();
    for (known, contents) in accused {
        let key = keys.iter().find(|key| key.id == known.matter.uuid());
        let key = key.ok_or_else(|| Error::internal("a case that was taken over has no data key"))?;
        let key = tx.vault().unwrap(key)?;
        let belongs = Belongs::Case(known.case, known.matter);
        for some in persons(register, known.case, contents).chunks(SUBJECTS) {
            prepared.push(parties::prepare(some, belongs, &key, register, None, tx.now())?);
            let count = i64::try_from(some.len()).unwrap_or(i64::MAX);
            tx.record(Event::case(What::PartyAdded, known.case, known.matter).with("count", count));
        }
    }
    let insert = async |conn: &_| try_join_all(prepared.iter().map(|some| parties::insert(conn, some))).await;
    tx.ask(insert).await?;
    // They may be somebody with an account: whoever it is does not get to know of the case.
    for (known, _) in of_case.values().filter(accusing) {
        personnel::match_parties(tx, known.matter).await?;
    }
    Ok(())
}

/// Whom allegations of a case accuse under a number.
fn persons(register: &DataKey, case: CaseId, contents: &[&Content]) -> Vec<(PartyId, NewParty)> {
    let mut persons: Vec<(PartyId, NewParty)> = Vec::new();
    for content in contents {
        let Some(number) = &content.told.subject_ref else { continue };
        let id = parties::known_as(register, case, number);
        let told = Identity {
            service_number: Some(number.clone()),
            unit: content.told.subject_unit.clone(),
            rank: content.told.subject_rank.clone(),
            ..Identity::default()
        };
        match persons.iter_mut().find(|(other, _)| *other == id) {
            Some((_, person)) => person.identity = std::mem::take(&mut person.identity).with(told),
            None => persons.push((id, NewParty { identity: told, ..NewParty::nobody(PartyRole::Subject) })),
        }
    }
    persons
}

/// A matter has the highest category of its allegations, and all of their marks.
fn raised(policy: &Policy, known: &Known, contents: &[&Content]) -> Option<Raised> {
    let mut category = known.category.as_str();
    for content in contents {
        if policy.is_lower(category, &content.category) {
            category = &content.category;
        }
    }
    let types = contents.iter().filter_map(|content| content.kind.as_deref());
    let mut flags = known.flags.clone();
    let has: HashSet<&str> = known.flags.iter().map(String::as_str).collect();
    flags.extend(policy.flags_of(types).into_iter().filter(|flag| !has.contains(flag)).map(str::to_owned));
    if category == known.category && flags.len() == known.flags.len() {
        return None;
    }
    let owner_role = desk(policy, category, &flags);
    Some(Raised { case: known.case, category: category.to_owned(), flags, owner_role })
}
