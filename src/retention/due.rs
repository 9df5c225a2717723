//! What falls due within some days: matters that are over and whose time has come, or will have.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::due_store as store;
use super::rule::{self, Due};
use crate::auth::policy::{self, Action};
use crate::coa::Policy;
use crate::db::Caller;
use crate::error::{Error, Result};
use crate::temwen::Temwen;
use crate::values::{CaseId, ComplaintId, ErasureId};

/// A matter that is over, and when its record may be erased.
#[derive(Debug, Clone)]
pub struct Falling {
    /// The case, if it is one.
    pub case_id: Option<CaseId>,
    /// The complaint, if it has no case.
    pub complaint_id: Option<ComplaintId>,
    /// The case's number, or the complaint's reference.
    pub name: String,
    /// What it was taken for.
    pub category: String,
    /// What rules turn on.
    pub flags: Vec<String>,
    /// When it ended.
    pub over_at: DateTime<Utc>,
    /// The class that decides.
    pub class: String,
    /// Its years.
    pub years: u32,
    /// From when on it may be erased; `None` while it is not known whether those accused still serve.
    pub due_at: Option<DateTime<Utc>>,
    /// Whether a legal hold keeps it.
    pub held: bool,
    /// The erasure that waits for a second person.
    pub erasure_id: Option<ErasureId>,
    /// Its place in the list.
    pub(super) id: Uuid,
}

/// Matters that are due, or will be within `days`, those that ended first first.
pub async fn list(
    temwen: &Temwen,
    caller: &Caller,
    days: u32,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> Result<Vec<Falling>> {
    if !policy::allows(&caller.actor, Action::ReadRetention) {
        return Err(Error::forbidden());
    }
    let horizon = temwen.clock.now() + TimeDelta::days(i64::from(days));
    let classes = store::classes(&temwen.policy.retention);
    let found =
        temwen.db.read(caller, async |conn| store::list(conn, &classes, horizon, after, rows).await).await?;
    Ok(found.into_iter().filter_map(|row| falling(&temwen.policy, row)).collect())
}

fn falling(policy: &Policy, row: store::Row) -> Option<Falling> {
    let flags: Vec<&str> = row.flags.iter().map(String::as_str).collect();
    let term = rule::term(policy, &row.category, &flags, row.over_at, row.service_ended)?;
    let due_at = match term.due {
        Due::At(due) => Some(due),
        Due::WhenServiceEnds => None,
    };
    let (class, years) = (term.class.word.clone(), term.class.years);
    Some(Falling {
        case_id: row.is_case.then(|| CaseId::from(row.id)),
        complaint_id: (!row.is_case).then(|| ComplaintId::from(row.id)),
        name: row.name,
        category: row.category,
        flags: row.flags,
        over_at: row.over_at,
        class,
        years,
        due_at,
        held: row.held,
        erasure_id: row.erasure_id.map(ErasureId::from),
        id: row.id,
    })
}
