//! Credentials: what proves who somebody is, and what slows down whoever guesses.
//!
//! Belongs here: keys, access tokens, passwords, the codes and references handed to people, cursors.
//! Does not belong here: accounts and sessions as they are stored, and who may do what.
//! May touch: well-kept cryptography and the formats of [`crate::tlog`]. Knows no database, no HTTP and no other part of the
//! server.

mod checking;
pub mod codes;
pub mod cursor;
mod failures;
pub mod flood;
pub mod keys;
mod log_keys;
pub(crate) mod master_keys;
pub mod passwords;
mod recent;
pub mod refresh;
pub mod slowdown;
pub mod tokens;
pub mod work;

pub use checking::Checking;
pub use codes::{AccessCode, CodeFault, Reference};
pub use cursor::{open_cursor, seal_cursor};
pub use flood::Flood;
pub use keys::{EntrySeal, KeyError, Keys, Purpose};
pub use passwords::{PasswordError, Passwords, check_new};
pub use refresh::RefreshToken;
pub use slowdown::{Attempt, Slowdown, Wait, network_of};
pub use tokens::{Claims, Kind, TokenError, Tokens};

/// The operating system gave no random bytes: nothing secret can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no random bytes")]
pub struct NoRandomness;

/// As many random bytes as asked for.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// The SHA-256 digest of some bytes.
fn sha256(bytes: &[u8]) -> [u8; 32] {
    first(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref())
}

/// The first `N` bytes of a digest, which has as many.
fn first<const N: usize>(digest: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    for (to, from) in bytes.iter_mut().zip(digest) {
        *to = *from;
    }
    bytes
}
