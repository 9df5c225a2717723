//! What somebody outside can check with public keys alone: a receipt, and a whole log.
//!
//! Belongs here: reading what a log gave out, judging it, and saying in plain words what it proves. Does not belong here:
//! the formats and the arithmetic of proofs, which are [`crate::tlog`]'s; and anything that needs the register's own
//! database or keys.

pub mod finding;
pub mod log;
pub mod receipt;
pub mod source;
pub mod texts;
pub mod trust;

#[cfg(test)]
mod log_tests;
#[cfg(test)]
mod receipt_tests;
#[cfg(test)]
mod staged_log_tests;

/// What came of a check. The worse is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// All is as it must be.
    Good,
    /// Something could not be checked, and nothing was found to be wrong.
    Unchecked,
    /// Something is wrong.
    Tampered,
}

impl Verdict {
    /// The exit code of the command that comes to it.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Tampered => 1,
            Self::Unchecked => 2,
        }
    }
}
