//! Cursors: where the next page of a list begins, in a form only this server can make.
//!
//! A cursor is signed, not secret: whoever gets one can read the payload, so it holds only what the page
//! showed.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::keys::{Keys, Purpose};

/// Bytes of the signature that are kept: 128 bits, far beyond guessing one over a network.
const SIGNATURE: usize = 16;
/// Bytes of text; ours are a tenth of that.
const LONGEST: usize = 2048;

/// The cursor for a payload. The `kind` says which list it belongs to (and, where pages must not be mixed,
/// for whom and with which filters): with another kind it does not open.
pub fn seal_cursor(keys: &Keys, kind: &str, payload: &[u8]) -> String {
    let mut sealed = payload.to_vec();
    sealed.extend(keys.digest(Purpose::Cursor, &[kind.as_bytes(), payload]).iter().take(SIGNATURE));
    URL_SAFE_NO_PAD.encode(sealed)
}

/// The payload of a cursor made by [`seal_cursor`] for the same kind; nothing if it was made up or altered.
pub fn open_cursor(keys: &Keys, kind: &str, cursor: &str) -> Option<Vec<u8>> {
    if cursor.len() > LONGEST {
        return None;
    }
    let mut payload = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let signature = payload.split_off(payload.len().checked_sub(SIGNATURE)?);
    let expected = keys.digest(Purpose::Cursor, &[kind.as_bytes(), &payload]);
    verify_slices_are_equal(expected.get(..SIGNATURE)?, &signature).ok()?;
    Some(payload)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;

    fn keys() -> Keys {
        Keys::open_or_create(tempfile::tempdir().unwrap().path(), None).unwrap()
    }

    #[test]
    fn another_list_another_server_and_nonsense_do_not_open() {
        let keys = keys();
        let cursor = seal_cursor(&keys, "cases", b"42");
        assert_eq!(open_cursor(&keys, "cases", &cursor), Some(b"42".to_vec()));
        assert_eq!(open_cursor(&keys, "complaints", &cursor), None);
        assert_eq!(open_cursor(&self::keys(), "cases", &cursor), None);
        let (padded, long) = (format!("{cursor}="), "A".repeat(1_000_000));
        for wrong in ["", "=", "é", "AAAA", &cursor[1..], &padded, &long] {
            assert_eq!(open_cursor(&keys, "cases", wrong), None);
        }
        // A payload cannot pass for the end of a kind, or the other way round.
        assert_eq!(open_cursor(&keys, "case", &seal_cursor(&keys, "cases", b"")), None);
    }

    static KEYS: LazyLock<Keys> = LazyLock::new(keys);

    proptest! {
        #[test]
        fn what_was_sealed_opens_and_what_was_altered_does_not(
            payload in prop::collection::vec(any::<u8>(), 0..60), at in any::<prop::sample::Index>(), flip in 1_u8..=255,
        ) {
            let keys = &*KEYS;
            let cursor = seal_cursor(keys, "cases", &payload);
            prop_assert_eq!(open_cursor(keys, "cases", &cursor), Some(payload));
            let mut bytes = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            prop_assert_eq!(open_cursor(keys, "cases", &URL_SAFE_NO_PAD.encode(bytes)), None);
        }
    }
}
