//! Persons that officers add to a case, or learn more about.

use super::{Case, lock, store};
use crate::db::Tx;
use crate::error::{Error, Kind, Result};
use crate::parties::{self, Keep, Learned, Named, NewParty, Party, PartyRole};
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
    match_person(tx, &case, &party).await?;
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
    match_person(tx, &case, &party).await?;
    Ok(party)
}

/// Puts up the walls that follow from a person. Only a subject may be the reason that nobody is left who could sign for the matter: it
/// goes to the desk of the OHCHR then, and whoever checks the record hears of it. By a witness, an officer could bury it.
async fn match_person(tx: &mut Tx, case: &Case, party: &Party) -> Result<()> {
    let signed_for = personnel::signer_is_left(tx, case.matter_id).await?;
    personnel::match_parties(tx, case.matter_id).await?;
    if party.role == PartyRole::Subject || !signed_for {
        return Ok(());
    }
    if personnel::signer_is_left(tx, case.matter_id).await? {
        Ok(())
    } else {
        Err(Error::new(Kind::WrongMoment, super::people::NOBODY_LEFT))
    }
}

async fn protect(tx: &mut Tx, keep: Keep<'_>, case: &Case, party: &Party) -> Result<()> {
    let concerned = party.child && party.role != PartyRole::Subject;
    if concerned && !case.flags.iter().any(|flag| flag == CHILD) {
        store::take_over_flags(tx, keep.policy, case, &[CHILD.to_owned()]).await?;
    }
    Ok(())
}
