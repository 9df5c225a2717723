//! Requests to a witness.

#![no_main]

use libfuzzer_sys::fuzz_target;
use temwen_fuzz::KEY;
use temwen_fuzz::tlog::{AddCheckpoint, Head, VerifierKey, check_consistency, open, read};

fuzz_target!(|bytes: &[u8]| {
    let Ok(request) = AddCheckpoint::parse(bytes) else { return };
    assert_eq!(request.to_text().as_bytes(), bytes, "a request has one spelling");
    let keys = [VerifierKey::parse(KEY).unwrap()];
    assert!(open(&request.checkpoint, &keys).is_err(), "nobody has the key's private half");
    if let Ok(checkpoint) = read(&request.checkpoint) {
        let _ =
            check_consistency(&request.proof, Head { size: request.old, ..checkpoint.head }, checkpoint.head);
    }
});
