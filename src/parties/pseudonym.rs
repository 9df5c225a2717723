//! The names by which a register speaks of persons: `V-7K3MQX`. Random, so that nothing of anybody is in them.

use super::PartyRole;
use crate::auth::credentials::{NoRandomness, random};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// How many are offered for a person: of 2^30, one in a thousand is taken when there are a million of a kind.
const OFFERED: usize = 4;
/// The characters behind the letter and the hyphen.
const LENGTH: usize = 6;

/// Some pseudonyms for a person of this role, with commas between them; the database takes the first that is nobody's yet.
pub(super) fn offered(role: PartyRole) -> Result<String, NoRandomness> {
    let bytes: [u8; OFFERED * LENGTH] = random()?;
    let one = |bytes: &[u8]| {
        let symbols =
            bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte & 31)).copied().map(char::from));
        [role.letter(), '-'].into_iter().chain(symbols).collect::<String>()
    };
    Ok(bytes.chunks(LENGTH).map(one).collect::<Vec<_>>().join(","))
}

/// The pseudonym that somebody typed: small letters, and O, I and L for the digits they look like.
pub(super) fn typed(text: &str) -> Option<String> {
    let (letter, rest) = text.trim().split_once('-')?;
    let letter = letter.to_ascii_uppercase();
    let rest: String = rest
        .chars()
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect();
    let good = ["R", "V", "W", "S"].contains(&letter.as_str())
        && rest.len() == LENGTH
        && rest.bytes().all(|byte| ALPHABET.contains(&byte));
    good.then(|| format!("{letter}-{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p4_a_pseudonym_says_what_somebody_is_and_nothing_else() {
        for &role in PartyRole::ALL {
            for one in offered(role).unwrap().split(',') {
                assert!(one.starts_with(role.letter()), "{one}");
                assert_eq!(typed(one).as_deref(), Some(one));
                assert_eq!(typed(&one.to_lowercase()).as_deref(), Some(one));
            }
        }
        for bad in ["", "V", "V-", "V-12345", "V-1234567", "X-123456", "V-12345U", "VV-123456", "V-12345é"] {
            assert_eq!(typed(bad), None, "{bad}");
        }
    }
}
