//! Proof of work: what a client is asked for when too many come at once, instead of being turned away for its address.
//!
//! A challenge says how much work it asks for and until when it is good, and bears our mark, so that nothing of it has to be
//! remembered. The proof is the challenge, a dot, and a nonce of the client's choice, such that the SHA-256 of all of it begins with
//! as many zero bits as the challenge asks for. Each challenge is good once.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};

use super::keys::{Keys, Purpose};
use super::{NoRandomness, first, random, sha256};

/// The most zero bits that are ever asked for: some seconds of a slow telephone.
pub const MOST_BITS: u8 = 22;
/// For how many seconds a challenge is good: long enough for a slow telephone on a slow line.
const GOOD_FOR: i64 = 300;
/// No proof is longer: a challenge, a dot, and a nonce of at most 32 characters.
const LONGEST: usize = CHALLENGE + 1 + 32;
/// Format and use, bits, until when, 16 random bytes, and 16 bytes of our mark: 42 bytes as base64.
const CHALLENGE: usize = 56;
const FORMAT: u8 = 0x10;

/// What a challenge lets somebody do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Hand in a complaint.
    Submit = 1,
    /// Open a reporter's thread.
    OpenThread = 2,
}

/// What makes a challenge one of its own.
pub type Once = [u8; 16];

/// Why a proof is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// It has not the form of one.
    #[error(
        "the proof of work is not one of our challenges, a dot, and a nonce of 1 to 32 letters, digits, - or _"
    )]
    Malformed,
    /// We did not make the challenge, or not for this.
    #[error("the challenge was not made here for this")]
    Foreign,
    /// It comes too late.
    #[error("the challenge has expired")]
    Expired,
    /// The digest has too few zero bits, or the challenge asks for less than is asked for now.
    #[error("the proof shows less work than is asked for")]
    TooLittle,
    /// It came before.
    #[error("the proof was used before")]
    Used,
}

/// A fresh challenge.
pub fn challenge(keys: &Keys, to: Use, bits: u8, now: DateTime<Utc>) -> Result<String, NoRandomness> {
    let until = now.timestamp().saturating_add(GOOD_FOR);
    let mut bytes = vec![FORMAT | to as u8, bits.min(MOST_BITS)];
    bytes.extend_from_slice(&until.to_be_bytes());
    bytes.extend_from_slice(&random::<16>()?);
    let mark: [u8; 16] = first(&keys.digest(Purpose::Challenge, &[&bytes]));
    bytes.extend_from_slice(&mark);
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// What is proven by `proof`: the challenge that it answers, which is good once.
pub fn check(keys: &Keys, to: Use, bits: u8, proof: &str, now: DateTime<Utc>) -> Result<Once, Unproven> {
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
    let (challenge, nonce) =
        proof.split_once('.').filter(|_| proof.len() <= LONGEST).ok_or(Unproven::Malformed)?;
    if challenge.len() != CHALLENGE || nonce.is_empty() || !nonce.bytes().all(plain) {
        return Err(Unproven::Malformed);
    }
    let bytes = URL_SAFE_NO_PAD.decode(challenge).map_err(|_| Unproven::Malformed)?;
    let (said, mark) = bytes.split_at_checked(26).ok_or(Unproven::Malformed)?;
    let ours: [u8; 16] = first(&keys.digest(Purpose::Challenge, &[said]));
    if aws_lc_rs::constant_time::verify_slices_are_equal(&ours, mark).is_err() {
        return Err(Unproven::Foreign);
    }
    let (head, rest) = said.split_at_checked(2).ok_or(Unproven::Malformed)?;
    let (until, once) = rest.split_at_checked(8).ok_or(Unproven::Malformed)?;
    let asked = match head {
        [form, asked] if *form == FORMAT | to as u8 => *asked,
        _ => return Err(Unproven::Foreign),
    };
    let until = until.try_into().map(i64::from_be_bytes).map_err(|_| Unproven::Malformed)?;
    if now.timestamp() > until {
        return Err(Unproven::Expired);
    }
    if asked < bits || zero_bits(&sha256(proof.as_bytes())) < u32::from(asked) {
        return Err(Unproven::TooLittle);
    }
    Ok(first(once))
}

/// How many zero bits a digest begins with.
fn zero_bits(digest: &[u8; 32]) -> u32 {
    let whole = digest.iter().take_while(|byte| **byte == 0).count();
    let rest = digest.get(whole).map_or(0, |byte| byte.leading_zeros());
    u32::try_from(whole).unwrap_or(32) * 8 + rest
}

#[cfg(test)]
#[path = "work_tests.rs"]
mod tests;
