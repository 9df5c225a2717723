//! Telling a reporter that their complaint has arrived.

use super::{Complaint, lock, store, thread};
use crate::audit::{Event, What};
use crate::auth::policy::Action;
use crate::coa::{Event as Start, Key, Language, Matter, Policy, Texts};
use crate::db::Tx;
use crate::deadlines::{self, Planned};
use crate::error::{Error, Kind, Result};
use crate::users::seen_is_current;
use crate::values::{ComplaintId, Words};

/// Tells the reporter that the complaint has arrived, in their language, and stops the clock for it.
pub async fn acknowledge(
    tx: &mut Tx,
    policy: &Policy,
    texts: &Texts,
    id: ComplaintId,
    seen: i32,
    message: Option<&Words>,
) -> Result<Complaint> {
    let complaint = lock(tx, id).await?;
    tx.allow(Action::Acknowledge)?;
    seen_is_current(seen, complaint.version)?;
    if complaint.acknowledged_at.is_some() {
        return Err(Error::new(Kind::WrongMoment, "this complaint was acknowledged already"));
    }
    let now = tx.now();
    let flags = complaint.flags();
    let matter = Matter { category: &complaint.category, flags: &flags, priority: &complaint.priority };
    let planned = deadlines::plan(policy, Start::Acknowledged, &matter, now);
    let text = match message {
        Some(words) => {
            thread::keep_to_rules(tx, texts, id, "/message", words).await?;
            words.as_str().to_owned()
        }
        None => standard_acknowledgement(policy, texts, &complaint, &planned),
    };
    let complaint = store::acknowledge(tx, &complaint).await?;
    thread::send_to_reporter(tx, &complaint, thread::MessageKind::Acknowledgement, &text).await?;
    deadlines::meet_for_complaint(tx, id, complaint.matter_id, deadlines::name::ACKNOWLEDGEMENT).await?;
    deadlines::starting(tx, complaint.matter_id, Some(id), None, &planned).await?;
    tx.record(Event::complaint(What::ComplaintAcknowledged, id, complaint.matter_id));
    Ok(complaint)
}

fn standard_acknowledgement(
    policy: &Policy,
    texts: &Texts,
    complaint: &Complaint,
    planned: &[Planned],
) -> String {
    let language = Language::choose(None, Some(&complaint.language));
    let next =
        planned.iter().filter(|p| p.tells_reporter).map(|p| p.due_at).min().unwrap_or(complaint.clock_start);
    let date = texts.date(language, policy.calendar().last_day(next));
    texts.say(language, Key::Acknowledgement, &[("reference", &complaint.reference), ("date", &date)])
}
