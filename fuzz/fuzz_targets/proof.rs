//! `.tlog-proof` files, and the checks of inclusion and consistency.

#![no_main]

use libfuzzer_sys::fuzz_target;
use temwen_fuzz::KEY;
use temwen_fuzz::tlog::{Hash, Head, LogProof, VerifierKey, check_consistency, check_inclusion};

fuzz_target!(|bytes: &[u8]| {
    let keys = [VerifierKey::parse(KEY).unwrap()];
    if let Ok(proof) =
        std::str::from_utf8(bytes).map_err(drop).and_then(|text| LogProof::parse(text).map_err(drop))
    {
        assert_eq!(proof.to_text().as_bytes(), bytes, "a proof has one spelling");
        assert!(proof.verify(b"leaf", &keys).is_err(), "nobody has the key's private half");
    }
    // Sizes, then hashes, as they come.
    let Some((sizes, rest)) = bytes.split_first_chunk::<16>() else { return };
    let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().unwrap());
    let (old, new) = (number(&sizes[..8]), number(&sizes[8..]));
    let hashes: Vec<Hash> = rest.chunks_exact(32).map(|hash| Hash(hash.try_into().unwrap())).collect();
    let root = Hash([7; 32]);
    assert!(check_inclusion(&hashes, Head { size: new, root }, old, Hash([3; 32])).is_err());
    let consistent =
        check_consistency(&hashes, Head { size: old, root: Hash([5; 32]) }, Head { size: new, root });
    assert!(consistent.is_err() || old == 0);
});
