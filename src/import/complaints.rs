//! Taking complaints over: each becomes a complaint, what was said in it, and a case; once.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::complaint_row::Taken;
use super::store::{self, New};
use super::{Seen, Verdict};
use crate::audit::{Event, What, commitment};
use crate::auth::Role;
use crate::auth::credentials::codes::Reference;
use crate::auth::policy::Action;
use crate::cases::workflow::Stage;
use crate::coa::{Event as Start, Matter, Policy};
use crate::complaints::{SealedWords, policy_word};
use crate::db::{Caller, Tx};
use crate::deadlines;
use crate::error::{Error, Result};
use crate::temwen::Temwen;
use crate::values::{CaseId, ComplaintId, MatterId};

/// A complaint to be stored, with its id and digest.
struct Wanted<'a> {
    taken: &'a Taken,
    submission_id: Uuid,
    digest: [u8; 32],
}

/// Takes a batch over; a verdict for each, in their order. `dry` only looks, and remembers what it would have stored.
pub(super) async fn take_over(
    temwen: &Temwen,
    caller: &Caller,
    batch: &[Taken],
    dry: Option<&mut Seen>,
) -> Result<Vec<Verdict>> {
    let refs: Vec<&str> = batch.iter().map(|taken| taken.external_ref.as_str()).collect();
    let ids: Vec<Uuid> = batch.iter().map(Taken::submission_id).collect();
    let there = temwen.db.read(caller, async |conn| store::complaints_there(conn, &refs, &ids).await).await?;
    let mut known: HashMap<Uuid, Vec<u8>> = HashMap::with_capacity(batch.len());
    for each in there {
        // Anybody may hand in a complaint under this id: such a one has no digest that could be ours.
        let digest = if each.external_ref.is_some() { each.digest } else { Vec::new() };
        known.insert(each.submission_id, digest);
    }
    let mut verdicts = Vec::with_capacity(batch.len());
    let mut wanted = Vec::new();
    for (taken, submission_id) in batch.iter().zip(ids) {
        let digest = taken.digest(&temwen.keys)?;
        let before = known.get(&submission_id).map(Vec::as_slice);
        let before = before.or_else(|| dry.as_ref().and_then(|seen| seen.complaint(submission_id)));
        verdicts.push(match before {
            Some(before) if before == digest => Verdict::There,
            Some(_) => Verdict::refused(
                "complaint_ref",
                "is that of a complaint which is stored already and says something else; nothing was changed",
            ),
            None => {
                known.insert(submission_id, digest.to_vec());
                wanted.push(Wanted { taken, submission_id, digest });
                Verdict::Stored
            }
        });
    }
    match dry {
        Some(seen) => wanted.iter().for_each(|each| seen.add_complaint(each.submission_id, each.digest)),
        None if wanted.is_empty() => {}
        None => {
            let policy = &temwen.policy;
            let write = async |tx: &mut Tx| store_batch(tx, policy, &wanted).await;
            temwen.db.write(caller, "import.complaints", write).await?;
        }
    }
    Ok(verdicts)
}

async fn store_batch(tx: &mut Tx, policy: &Policy, wanted: &[Wanted<'_>]) -> Result<()> {
    tx.allow(Action::RunTheRegister)?;
    let calendar = policy.calendar();
    let mut years: BTreeMap<i32, i32> = BTreeMap::new();
    for each in wanted {
        *years.entry(calendar.local_year(each.taken.received_at)).or_default() += 1;
    }
    let (asked, counts): (Vec<i32>, Vec<i32>) = years.into_iter().unzip();
    let last = store::next_numbers(tx, &asked, &counts).await?;
    let mut next: HashMap<i32, i32> = HashMap::new();
    for (year, count) in asked.iter().zip(&counts) {
        let last = last.iter().find(|(of, _)| of == year).map(|(_, last)| *last);
        next.insert(*year, last.ok_or_else(|| Error::internal("no case number was given"))? - count);
    }
    let mut new = Vec::with_capacity(wanted.len());
    for Wanted { taken, submission_id, digest } in wanted {
        let year = calendar.local_year(taken.received_at);
        let number = next.entry(year).or_default();
        *number += 1;
        let complaint = ComplaintId::new();
        let matter = MatterId::from(complaint.uuid());
        let (key, wrapped) = tx.vault().make_key(complaint.uuid())?;
        let particulars = serde_json::to_string(&taken.said).map_err(Error::internal)?;
        let salt = commitment::salt().map_err(Error::internal)?;
        new.push(New {
            complaint,
            case: CaseId::new(),
            matter,
            reference: Reference::random().map_err(Error::internal)?.to_string(),
            number: format!("COA-{year:04}-{number:06}"),
            submission_id: *submission_id,
            digest: *digest,
            channel: &taken.channel,
            language: taken.language,
            category: &taken.category,
            department: taken.said.incident.department.as_deref(),
            country: taken.country.as_deref(),
            incident_from: taken.said.incident.from,
            incident_precision: taken.said.incident.precision,
            received_at: taken.received_at,
            closed_at: taken.closed_at,
            stage: if taken.closed_at.is_some() { Stage::Closed } else { Stage::Assessment },
            outcome: taken.outcome.as_deref(),
            owner_role: desk(policy, &taken.category, &[]),
            external_ref: &taken.external_ref,
            words: SealedWords::of(&key, complaint, &taken.narrative, &particulars, None, &salt)?,
            key: wrapped,
        });
    }
    store::insert(tx, &new, policy.initial_priority(), &policy_word(policy)).await?;
    for each in &new {
        tx.record(
            Event::complaint(What::ComplaintImported, each.complaint, each.matter)
                .with("channel", each.channel)
                .with("category", each.category),
        );
        tx.record(
            Event::case(What::CaseImported, each.case, each.matter)
                .with("number", each.number.as_str())
                .with("complaint", each.complaint.uuid())
                .with("stage", each.stage.as_str())
                .with("category", each.category),
        );
        if each.stage == Stage::Assessment {
            start_clocks(tx, policy, each).await?;
        }
    }
    Ok(())
}

/// Somebody has to answer for what is still open. The clocks begin when the register takes it over: those that ran
/// elsewhere are not this policy's, and limits that are missed from the first moment would bury those that are not.
async fn start_clocks(tx: &mut Tx, policy: &Policy, new: &New<'_>) -> Result<()> {
    let matter = Matter { category: new.category, flags: &[], priority: policy.initial_priority() };
    let planned = deadlines::plan(policy, Start::CaseOpened, &matter, tx.now());
    deadlines::starting(tx, new.matter, None, Some(new.case), &planned).await
}

/// The desk that a matter of this kind lies on.
pub(super) fn desk(policy: &Policy, category: &str, flags: &[String]) -> Role {
    if policy.in_lane("psea", category, flags.iter().map(String::as_str)) {
        Role::PseaCoordinator
    } else {
        Role::TriageOfficer
    }
}
