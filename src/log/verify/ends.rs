//! Where the log ends, and whether it continues what is known of it from elsewhere.

use super::Rules;
use super::finding::{Finding, Flaw};
use super::ranges::Seen;
use super::verify_store::{self as store, Asked, View};
use crate::log::sequencer_store;
use crate::tlog::{Edge, Head, Tiles};

/// Whether the last place is that of the last head, and whether the log continues every head that is known from elsewhere.
pub(super) async fn check(conn: &View, rules: &Rules) -> Asked<Seen> {
    let ends = store::ends(conn).await?;
    let mut seen = Seen::default();
    if ends.places != ends.size {
        let differs = format!(
            "the last head is of {} entries, the last place is that of entry {}",
            ends.size, ends.places
        );
        seen.findings.push(Finding::new(Flaw::TailDiffers, "log_heads", ends.size, differs));
    }
    for known in &rules.known {
        let size = u64::try_from(ends.size).unwrap_or(0);
        let found = if known.size > size {
            let differs = format!("the register's log ends at {size}: it was put back to an earlier state");
            Some(Finding::new(Flaw::CheckpointLarger, "checkpoint", known.size, differs))
        } else if root(conn, known.size).await? == Some(*known) {
            None
        } else {
            let differs = "the register's log had another root at that size: it was written anew";
            Some(Finding::new(Flaw::CheckpointDiffers, "checkpoint", known.size, differs))
        };
        seen.findings.extend(found);
    }
    Ok(seen)
}

/// The head of the tree of that size, made of the tiles that are stored; none if they make none.
async fn root(conn: &View, size: u64) -> Asked<Option<Head>> {
    let tiles = sequencer_store::tiles(conn, &Edge::needed(size)).await?;
    Ok(Tiles(tiles.into_iter().collect()).root(size).ok().map(|root| Head { size, root }))
}
