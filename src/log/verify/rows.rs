//! Rows against their last state, and states against the entries that say so.

use super::finding::{Finding, Flaw};
use super::ranges::{Range, Seen};
use super::rows_store::{self as store, Link, Pair};
use super::tables::Key;
use super::verify_store::{Asked, View};
use super::waiting::Waiting;
use crate::audit::leaf;

/// Rows of a table and their states, after those that were seen.
pub(super) async fn check(
    conn: &View,
    (table, key): (&'static str, Key),
    number: usize,
    (after_row, after_state): (&str, &str),
    limit: i64,
    waiting: Option<&Waiting>,
) -> Asked<Seen> {
    let mut pairs = store::pairs(conn, (table, key), (after_row, after_state), limit).await?;
    pairs.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    // Beyond the last of a full page, the other may be incomplete.
    let end = |has: fn(&Pair) -> bool| {
        let full =
            i64::try_from(pairs.iter().filter(|pair| has(pair)).count()).is_ok_and(|found| found >= limit);
        pairs.iter().rfind(|pair| full && has(pair)).map(|pair| pair.id.clone())
    };
    let ends = [end(|pair| pair.looks.is_some()), end(|pair| pair.state.is_some())];
    let bound = ends.into_iter().flatten().min();
    if let Some(bound) = &bound {
        pairs.retain(|pair| pair.id <= *bound);
    }
    let last_row = pairs.iter().rfind(|pair| pair.looks.is_some()).map(|pair| pair.id.clone());
    let mut seen = Seen::default();
    let mut doubtful = Vec::new();
    for mut pair in pairs {
        let looks = pair.looks.take().map(digest);
        seen.counts.rows += 1;
        let about = |flaw, differs: &str| Finding::new(flaw, table, &pair.id, differs).at(None, pair.place);
        if pair.state.is_some() && !pair.founded {
            seen.findings.push(about(
                Flaw::StateUnfounded,
                "the entry at that place does not say what the index of states says",
            ));
        }
        match (&looks, &pair.state) {
            (None, _) => seen.findings.push(about(Flaw::RowMissing, "entries tell of it, and it is gone")),
            (Some(looks), Some(state)) if looks == state => {}
            (Some(looks), state) => match waiting {
                None => doubtful.push(pair.id),
                Some(waiting) => match waiting.says(table, &pair.id, looks) {
                    Some(true) => {}
                    Some(false) => seen.findings.push(differs(table, &pair.id, true).at(None, pair.place)),
                    None => {
                        seen.findings.push(differs(table, &pair.id, state.is_some()).at(None, pair.place));
                    }
                },
            },
        }
    }
    for ids in doubtful.chunks(1000) {
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        seen.findings.extend(look_again(conn, (table, key), &ids).await?);
    }
    seen.next = bound.map(|bound| {
        let after_row = last_row.unwrap_or_else(|| after_row.to_owned());
        Range::Rows(number, after_row, bound)
    });
    Ok(seen)
}

/// Rows that differ from the index of states: some were changed just now, by entries that wait for their place.
async fn look_again(conn: &View, (table, key): (&'static str, Key), ids: &[&str]) -> Asked<Vec<Finding>> {
    let mut findings = Vec::new();
    for again in store::again(conn, (table, key), ids).await? {
        let now = digest(again.looks);
        let last = again.waiting.as_ref().or(again.state.as_ref());
        if last == Some(&now) {
            continue;
        }
        findings.push(differs(table, &again.id, last.is_some()).at(None, again.place));
    }
    Ok(findings)
}

/// A row that is not what the last entry about it says, or that none is about.
fn differs(table: &str, id: &str, known: bool) -> Finding {
    if known {
        Finding::new(Flaw::RowDiffers, table, id, "it is not what the last entry about it says")
    } else {
        Finding::new(Flaw::RowUnknown, table, id, "no entry tells of it")
    }
}

/// What each entry says that a row was before, against what the entry before left of it.
pub(super) async fn chains(conn: &View) -> Asked<Vec<Finding>> {
    let broken = store::broken_chains(conn).await?;
    let finding = |link: &Link| {
        let differs = match (link.was.as_str(), link.left.as_deref()) {
            ("-", _) => "it was new to this entry, and an entry before tells of it",
            (_, None) => "it was there before, says this entry, and no entry tells how it came to be",
            _ => {
                "it was not, before this entry, what the entry before left: something else changed it between them"
            }
        };
        Finding::new(Flaw::RowRewritten, &link.kind, &link.id, differs).at(Some(link.entry), link.place)
    };
    Ok(broken.iter().map(finding).collect())
}

/// What the row looks like, as entries say it.
fn digest(row: serde_json::Value) -> String {
    leaf::digest(leaf::canonical_row(row).as_bytes())
}
