//! Commitments to words: an entry can say which words it means without holding them.
//!
//! SHA-256 over 32 random bytes, the salt, and then the words. Whoever has salt and words can see that the entry means them;
//! whoever has the entry alone learns nothing; and when salt and words are destroyed, the entry stays as good as it was.

use aws_lc_rs::digest::{Context, SHA256};

use super::leaf::hex;
use crate::auth::credentials::{NoRandomness, random};

/// How many bytes a salt has.
pub const SALT: usize = 32;

/// A new salt.
pub fn salt() -> Result<[u8; SALT], NoRandomness> {
    random()
}

/// The commitment to `words`, in hexadecimal.
pub fn commit(salt: &[u8], words: &str) -> String {
    let mut digest = Context::new(&SHA256);
    digest.update(salt);
    digest.update(words.as_bytes());
    hex(digest.finish().as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_a_commitment_is_what_sha256sum_says_of_salt_and_words() {
        // (head -c 32 /dev/zero; printf 'Mwen te wè') | sha256sum
        assert_eq!(
            commit(&[0; SALT], "Mwen te w\u{e8}"),
            "a3c8ee052f626d35ed68c56d57560c2dc3192d32378c8f4d8e33b723a7cfeed1"
        );
        assert_ne!(commit(&[1; SALT], "a"), commit(&[0; SALT], "a"));
    }
}
