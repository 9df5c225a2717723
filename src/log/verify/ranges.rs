//! The ranges that the register is looked at in: each is checked by itself, and says what comes after it.

use uuid::Uuid;

use super::entries::{self, Order};
use super::finding::Finding;
use super::verify_store::{Asked, View};
use super::waiting::Waiting;
use super::{Rules, ends, heads, rows, tables, tiles};

/// A part of the register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Range {
    /// The triggers that keep the record.
    Triggers,
    /// Where the log ends, and what is known of it from elsewhere.
    Ends,
    /// Entries in the order of their places, from this one and before that one.
    Places(i64, i64),
    /// Entries in the order of their ids, after this one.
    Entries(Uuid),
    /// What waits for a place, after this one.
    Queue(Uuid),
    /// Tiles of this level, from this one.
    Tiles(u8, i64),
    /// Heads, after the one of this size.
    Heads(i64),
    /// Rows of the table of this number; after this row, and after this state.
    Rows(usize, String, String),
    /// All that entries say of rows, each against what the entry before left: in one go.
    Chains,
}

/// How many there are to look at in each range.
#[derive(Debug, Clone, Copy)]
pub(super) struct Widths {
    /// Entries.
    pub(super) entries: i64,
    /// Rows.
    pub(super) rows: i64,
    /// Tiles of leaves, heads.
    pub(super) tiles: i64,
    /// Tiles above: each of them is compared with 256 others.
    pub(super) upper_tiles: i64,
}

/// What came of looking at a range.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// What should not be.
    pub(super) findings: Vec<Finding>,
    /// How much was looked at.
    pub(super) counts: Counts,
    /// What comes next of the same.
    pub(super) next: Option<Range>,
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Entries, each against its leaf.
    pub entries: u64,
    /// Entries that wait for their place.
    pub waiting: u64,
    /// Rows, each against its last state.
    pub rows: u64,
    /// Tiles.
    pub tiles: u64,
    /// Heads.
    pub heads: u64,
    /// Heads whose signature could not be checked: signed with no key that is known.
    pub unchecked_heads: u64,
    /// The last head, if it is not signed yet.
    pub unsigned_heads: u64,
    /// Cosignatures of witnesses.
    pub cosignatures: u64,
}

impl Counts {
    /// Adds what was looked at elsewhere.
    pub(super) fn add(&mut self, other: Self) {
        self.entries += other.entries;
        self.waiting += other.waiting;
        self.rows += other.rows;
        self.tiles += other.tiles;
        self.heads += other.heads;
        self.unchecked_heads += other.unchecked_heads;
        self.unsigned_heads += other.unsigned_heads;
        self.cosignatures += other.cosignatures;
    }

    /// Entries and rows together.
    pub(super) fn steps(self) -> u64 {
        self.entries + self.rows
    }
}

impl Range {
    /// The first range of everything that can be looked at little by little.
    pub(super) fn all() -> Vec<Self> {
        let mut all = vec![Self::Places(0, i64::MAX)];
        all.extend(Self::besides());
        all
    }

    /// The same for two that look at once: most of the work is with the entries, and is halved at this place.
    pub(super) fn halved(middle: i64) -> Vec<Self> {
        let mut all = vec![Self::Chains, Self::Places(0, middle), Self::Places(middle, i64::MAX)];
        all.extend(Self::besides());
        all
    }

    fn besides() -> Vec<Self> {
        let mut all = vec![Self::Triggers, Self::Ends, Self::Heads(0)];
        all.extend((0..tables::REMEMBERED.len()).map(|n| Self::Rows(n, String::new(), String::new())));
        all.extend([Self::Queue(Uuid::nil()), Self::Entries(Uuid::nil())]);
        all.extend((0..tiles::LEVELS).map(|level| Self::Tiles(level, 0)));
        all
    }

    /// Checks it. `order` is what the places before it have shown; `waiting` what all entries without a place say of rows, if
    /// that is known already.
    pub(super) async fn check(
        &self,
        conn: &View,
        rules: &Rules,
        widths: Widths,
        order: &mut Order,
        waiting: Option<&Waiting>,
    ) -> Asked<Seen> {
        match self {
            Self::Triggers => Ok(Seen { findings: tables::triggers(conn).await?, ..Seen::default() }),
            Self::Chains => Ok(Seen { findings: rows::chains(conn).await?, ..Seen::default() }),
            Self::Ends => ends::check(conn, rules).await,
            Self::Places(from, end) => {
                entries::in_order(conn, rules, (*from, *end), widths.entries, order).await
            }
            Self::Entries(after) => entries::by_id(conn, *after, widths.entries).await,
            Self::Queue(after) => entries::that_wait(conn, rules, *after, widths.entries).await,
            Self::Tiles(level, from) => {
                let width = if *level == 0 { widths.tiles } else { widths.upper_tiles };
                tiles::check(conn, *level, *from, width).await
            }
            Self::Heads(after) => heads::check(conn, rules, *after, widths.tiles).await,
            Self::Rows(table, row, state) => match tables::REMEMBERED.get(*table) {
                Some(named) => rows::check(conn, *named, *table, (row, state), widths.rows, waiting).await,
                None => Ok(Seen::default()),
            },
        }
    }
}
