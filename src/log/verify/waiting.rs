//! What entries without a place say of rows: read once, because after an import there may be very many.

use std::collections::HashMap;

use super::rows_store as store;
use super::verify_store::{Asked, View};
use crate::audit::leaf::{self, Change};

/// How many entries are read at once.
const AT_ONCE: i64 = 5_000;

/// Of each row, what is said of it last; both as the first half of a SHA-256, to need little memory.
#[derive(Debug, Default)]
pub(super) struct Waiting(HashMap<u128, u128>);

impl Waiting {
    /// All that waits.
    pub(super) async fn read(conn: &View) -> Asked<Self> {
        let mut said = HashMap::new();
        let mut after = i64::MIN;
        loop {
            let entries = store::said_while_waiting(conn, after, AT_ONCE).await?;
            let Some((last, _)) = entries.last() else { return Ok(Self(said)) };
            after = *last;
            for change in entries.iter().flat_map(|(_, changes)| changes).map(|line| Change::read(line)) {
                said.insert(row(change.kind, change.id), half(change.state));
            }
        }
    }

    /// Whether the last of them about this row says that it looks so; none if they do not tell of it.
    pub(super) fn says(&self, table: &str, id: &str, looks: &str) -> Option<bool> {
        self.0.get(&row(table, id)).map(|state| *state == half(looks))
    }
}

fn row(table: &str, id: &str) -> u128 {
    half(&format!("{table} {id}"))
}

fn half(text: &str) -> u128 {
    let digest = leaf::digest(text.as_bytes());
    digest.get(..32).and_then(|half| u128::from_str_radix(half, 16).ok()).unwrap_or_default()
}
