//! Checking the log from inside: every entry against its leaf, every tile against the root, every row against its last state.
//!
//! One implementation in parts, each over a range of the register. [`whole`] takes all ranges of one snapshot, with two
//! connections; [`step()`] takes one range after the other while the server runs, for ever. Nothing that the database says is
//! believed because of the table it stands in: rows are believed for their states, states for the entries that hold them,
//! entries for their leaves, leaves for the tree, and the tree for the signatures and for what is known from elsewhere.

mod changes;
mod ends;
mod entries;
mod finding;
mod functions;
mod functions_store;
mod heads;
mod inside;
mod ranges;
mod rows;
mod rows_store;
mod step;
mod tables;
mod tiles;
mod verify_store;
mod waiting;

use chrono::{DateTime, TimeDelta, Utc};

pub use self::finding::{Finding, Flaw};
pub use self::functions::definitions;
pub use self::inside::{Report, Whole, whole};
pub use self::step::{Progress, step};
use crate::auth::credentials::EntrySeal;
use crate::tlog::{Head, VerifierKey};

/// What is checked with, and what is allowed.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The moment.
    pub now: DateTime<Utc>,
    /// How long an entry may wait for its place, or a head for its signature.
    pub longest_wait: TimeDelta,
    /// How far the clocks of the servers may be apart: an entry may be that much older than those before it.
    pub clock_skew: TimeDelta,
    /// Whether a server runs that should give places: then what waits too long is a finding by the clock too, and otherwise
    /// only by what was placed since.
    pub serving: bool,
    /// What seals entries; without it, seals are not checked.
    pub seal: Option<EntrySeal>,
    /// What heads are checked with: the keys of any time. A head that none of them signed is not checked.
    pub keys: Vec<VerifierKey>,
    /// Heads that are known from elsewhere: kept checkpoints, and what was signed last. The log has to continue each.
    pub known: Vec<Head>,
}

impl Rules {
    /// The rules of every day at this moment: a minute's waiting, a minute between clocks; no keys.
    pub fn at(now: DateTime<Utc>) -> Self {
        let minute = TimeDelta::minutes(1);
        Self {
            now,
            longest_wait: minute,
            clock_skew: minute,
            serving: false,
            seal: None,
            keys: Vec::new(),
            known: Vec::new(),
        }
    }
}
