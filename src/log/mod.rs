//! The transparency log: every entry of [`crate::audit`] is a leaf of one tree, whose signed heads outsiders keep.
//!
//! Belongs here: giving places, signing, proving, showing the log to everybody and the entries to auditors, and checking all
//! of it. Does not belong here: the formats, which are [`crate::tlog`]; what an entry is, which is [`crate::audit`].

pub mod guard;
pub mod sequencer;
mod sequencer_store;
pub mod verify;
