//! Persons that officers add to a case, or learn more about.

use super::{Case, lock, store};
use crate::db::Tx;
use crate::error::Result;
use crate::parties::{self, Keep, Learned, Named, NewParty, Party};
use crate::personnel;
use crate::values::CaseId;

/// The mark that a child puts on a matter.
const CHILD: &str = "child";

/// Adds a person to a case. A child puts the case under the rules for children.
pub(super) async fn add(tx: &mut Tx, keep: Keep<'_>, id: CaseId, new: NewParty) -> Result<Party> {
    let case = lock(tx, id).await?;
    let party = parties::add(tx, keep, id, new).await?;
    protect(tx, keep, &case, &party).await?;
    // Last of all: whoever acts may be one of those from whom it is hidden then.
    personnel::match_parties(tx, case.matter_id).await?;
    Ok(party)
}

/// Describes a person of a case better.
pub(super) async fn learn(
    tx: &mut Tx,
    keep: Keep<'_>,
    id: CaseId,
    named: &Named,
    seen: i32,
    learned: Learned,
) -> Result<Party> {
    let case = lock(tx, id).await?;
    let party = parties::learn(tx, keep, id, named, seen, learned).await?;
    protect(tx, keep, &case, &party).await?;
    // Last of all: whoever acts may be one of those from whom it is hidden then.
    personnel::match_parties(tx, case.matter_id).await?;
    Ok(party)
}

async fn protect(tx: &mut Tx, keep: Keep<'_>, case: &Case, party: &Party) -> Result<()> {
    let concerned = party.child && party.role != parties::PartyRole::Subject;
    if concerned && !case.flags.iter().any(|flag| flag == CHILD) {
        store::take_over_flags(tx, keep.policy, case, &[CHILD.to_owned()]).await?;
    }
    Ok(())
}
