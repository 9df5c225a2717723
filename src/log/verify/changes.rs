//! What entries say of rows, against the index of states: it knows each, or something later.

use std::collections::BTreeMap;
use std::collections::HashMap;

use uuid::Uuid;

use super::finding::{Finding, Flaw};
use super::rows_store::{self as store, Indexed};
use super::verify_store::{Asked, View};
use crate::audit::Seen;
use crate::audit::leaf::Change;

/// Whether the index knows what these entries, in the order of their places, say of rows. The index only goes on: it is
/// asked after the entries were read.
pub(super) async fn covered(conn: &View, placed: &[(i64, Uuid, Option<Seen>)]) -> Asked<Vec<Finding>> {
    // Of each row, what is said last.
    let mut said: BTreeMap<(&str, &str), (i64, Uuid, &str)> = BTreeMap::new();
    for (place, id, entry) in placed {
        for line in entry.iter().flat_map(|entry| &entry.changes) {
            let change = Change::read(line);
            said.insert((change.kind, change.id), (*place, *id, change.state));
        }
    }
    if said.is_empty() {
        return Ok(Vec::new());
    }
    let (kinds, ids): (Vec<&str>, Vec<&str>) = said.keys().copied().unzip();
    let index = store::states(conn, &kinds, &ids).await?;
    let index: HashMap<(&str, &str), &Indexed> =
        index.iter().map(|state| ((state.kind.as_str(), state.id.as_str()), state)).collect();
    let mut findings = Vec::new();
    for ((kind, id), (place, entry, state)) in said {
        let differs = match index.get(&(kind, id)) {
            None => "an entry tells of it, and the index of states does not",
            Some(known) if known.place < place => {
                "the index of states has not what the last entry says of it"
            }
            Some(known) if known.place == place && known.state != state => {
                "the index of states says something else of it than the entry at that place"
            }
            Some(_) => continue,
        };
        findings.push(Finding::new(Flaw::StateBehind, kind, id, differs).at(Some(entry), Some(place)));
    }
    Ok(findings)
}
