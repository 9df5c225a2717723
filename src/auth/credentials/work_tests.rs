use chrono::{TimeDelta, TimeZone as _};

use super::*;

fn keys() -> (tempfile::TempDir, Keys) {
    let place = tempfile::tempdir().unwrap();
    let keys = Keys::open_or_create(&place.path().join("keys"), None).unwrap();
    (place, keys)
}

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 2, 14, 0, 0).unwrap()
}

/// The first proof with at least, or with fewer than, so many bits.
fn proof(challenge: &str, bits: u32, enough: bool) -> String {
    (0_u64..1_000_000)
        .map(|nonce| format!("{challenge}.{nonce}"))
        .find(|proof| (zero_bits(&sha256(proof.as_bytes())) >= bits) == enough)
        .unwrap()
}

#[test]
fn a_proof_is_good_for_what_it_was_asked_for_and_as_long_as_it_says() {
    let (_place, keys) = keys();
    let challenge = challenge(&keys, Use::Submit, 8, now()).unwrap();
    assert_eq!(challenge.len(), CHALLENGE);
    let good = proof(&challenge, 8, true);
    let check = |to, bits, proof: &str, at| check(&keys, to, bits, proof, at);
    let once = check(Use::Submit, 8, &good, now()).unwrap();
    assert_eq!(check(Use::Submit, 8, &good, now() + TimeDelta::seconds(300)), Ok(once));
    assert_eq!(check(Use::Submit, 8, &good, now() + TimeDelta::seconds(301)), Err(Unproven::Expired));
    assert_eq!(check(Use::OpenThread, 8, &good, now()), Err(Unproven::Foreign));
    // Less was asked for then than is asked for now.
    assert_eq!(check(Use::Submit, 9, &good, now()), Err(Unproven::TooLittle));
    assert_eq!(check(Use::Submit, 7, &good, now()), Ok(once));
    assert_eq!(check(Use::Submit, 8, &proof(&challenge, 8, false), now()), Err(Unproven::TooLittle));
}

#[test]
fn nothing_else_is_a_proof() {
    let (_place, keys) = keys();
    let challenge = challenge(&keys, Use::Submit, 0, now()).unwrap();
    let check = |proof: &str| check(&keys, Use::Submit, 0, proof, now());
    assert!(check(&format!("{challenge}.0")).is_ok());
    for malformed in [
        String::new(),
        ".".to_owned(),
        challenge.clone(),
        format!("{challenge}."),
        format!("{challenge}.a.b"),
        format!("{challenge}.a b"),
        format!("{challenge}.é"),
        format!("{challenge}.{}", "0".repeat(33)),
        format!("{challenge}.{}", "0".repeat(1_000_000)),
        format!("{}.0", &challenge[1..]),
        format!("{challenge}A.0"),
        format!("{}!.0", &challenge[1..]),
        format!("{}.0", "A".repeat(1_000_000)),
    ] {
        let shown: String = malformed.chars().take(80).collect();
        assert_eq!(check(&malformed), Err(Unproven::Malformed), "{shown}");
    }
    // Every character of it is under our mark, and another server's mark is none.
    for at in 0..challenge.len() {
        let other = if &challenge[at..=at] == "A" { "Q" } else { "A" };
        let forged = format!("{}{other}{}.0", &challenge[..at], &challenge[at + 1..]);
        assert!(check(&forged).is_err(), "{at}");
    }
    let (_elsewhere, others) = self::keys();
    let foreign = super::challenge(&others, Use::Submit, 0, now()).unwrap();
    assert_eq!(check(&format!("{foreign}.0")), Err(Unproven::Foreign));
}

#[test]
fn zero_bits_are_counted_from_the_left() {
    let mut digest = [0_u8; 32];
    assert_eq!(zero_bits(&digest), 256);
    digest[0] = 0x80;
    assert_eq!(zero_bits(&digest), 0);
    digest[0] = 0x01;
    assert_eq!(zero_bits(&digest), 7);
    digest[0] = 0;
    digest[2] = 0x10;
    assert_eq!(zero_bits(&digest), 19);
}
