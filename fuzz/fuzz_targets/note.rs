//! Keys, signed notes, checkpoints and cosignatures.

#![no_main]

use libfuzzer_sys::fuzz_target;
use temwen_fuzz::KEY;
use temwen_fuzz::tlog::{
    CosignerKey, SignedNote, SigningKey, VerifierKey, body, cosignatures, open, read, with_lines,
};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let keys = [VerifierKey::parse(KEY).unwrap()];
    if let Ok(note) = SignedNote::parse(text) {
        assert!(text.starts_with(note.body()) && note.body().ends_with('\n'));
        let _ = note.verified(&keys);
    }
    if let Ok(checkpoint) = read(text) {
        // One checkpoint has one spelling; extension lines are all that may follow.
        assert!(checkpoint.body().starts_with(&body(&checkpoint.origin, checkpoint.head)));
        let again = with_lines(text, &text.lines().map(str::to_owned).collect::<Vec<_>>());
        assert!(again.is_err(), "its body is no signature line");
    }
    let _ = open(text, &keys);
    let _ = cosignatures(text, &keys);
    if let Ok(key) = VerifierKey::parse(text) {
        assert_eq!(key.to_string(), text.trim());
    }
    if let Ok(key) = SigningKey::parse(text) {
        assert_eq!(key.to_text().as_str(), text.trim());
    }
    if let Ok(key) = CosignerKey::parse(text) {
        assert_eq!(key.to_text().as_str(), text.trim());
    }
});
