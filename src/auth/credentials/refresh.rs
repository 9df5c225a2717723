//! Refresh tokens: the random secret that renews a session once.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{NoRandomness, random, sha256};

/// So that scanners for leaked secrets, and people, see what it is.
const PREFIX: &str = "twr_";

/// 256 random bits, `twr_` and base64url. Sent once and never stored; `{}` shows it, `{:?}` does not.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct RefreshToken([u8; 32]);

impl RefreshToken {
    /// A token nobody can foresee.
    pub fn random() -> Result<Self, NoRandomness> {
        random().map(Self)
    }

    /// Reads a token; nothing if it cannot be one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix(PREFIX).filter(|text| text.len() == 43)?;
        let mut bytes = [0; 32];
        (URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) == Ok(32)).then_some(Self(bytes))
    }

    /// What is stored and looked up: the SHA-256 of the token. It was not chosen by a person, so no slow
    /// hash.
    pub fn digest(&self) -> [u8; 32] {
        sha256(&self.0)
    }
}

impl fmt::Display for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_token_reads_back_and_others_are_refused() {
        let token = RefreshToken::random().unwrap();
        let text = token.to_string();
        assert_eq!(RefreshToken::parse(&text).unwrap().digest(), token.digest());
        assert_ne!(RefreshToken::random().unwrap().digest(), token.digest());
        assert!(!format!("{token:?}").contains(&text[4..10]));
        for wrong in [
            "",
            "twr_",
            &text[4..],
            &text[..46],
            &format!("{text}A"),
            &format!("{text}="),
            &text.replace("twr_", "TWR_"),
        ] {
            assert!(RefreshToken::parse(wrong).is_none(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_stumble(text in any::<String>(), body in "\\PC{0,43}") {
            prop_assert!(RefreshToken::parse(&text).is_none());
            let _ = RefreshToken::parse(&format!("twr_{body}"));
        }
    }
}
