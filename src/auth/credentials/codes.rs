//! The two words a complainant keeps: the reference of a complaint, and the access code that opens it.
//!
//! Belongs here: making them, reading them as people type them, and the digest that is stored.
//! Does not belong here: what they open.
//!
//! Both are written in Crockford's base 32: no I, L, O or U, so nothing is misread and no word is formed.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use uuid::Uuid;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::keys::{Keys, Purpose};
use super::{NoRandomness, random, sha256};

const ALPHABET: [char; 32] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'J', 'K', 'M',
    'N', 'P', 'Q', 'R', 'S', 'T', 'V', 'W', 'X', 'Y', 'Z',
];
/// Characters looked at; what people type around a code is shorter than that.
const LONGEST: usize = 100;

/// What is wrong with a reference or an access code somebody typed; never what the right one would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeFault {
    /// It has too few or too many characters.
    #[error("has not as many characters as it should")]
    Length,
    /// It has a character that is never used.
    #[error("has a character that is never used in it")]
    Character,
    /// The check symbol does not fit: something was mistyped.
    #[error("was mistyped: a character is wrong, or two have changed places")]
    Check,
}

/// The public name of a complaint, as it is told and written: `TW-XXXX-XXXX`.
///
/// Seven random symbols and one check symbol. 2^35 references are too few never to meet: among a hundred
/// thousand complaints a new one is taken already once in 340,000 times, so the database holds them unique
/// and whoever stores one tries again with another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference([u8; 8]);

impl Reference {
    /// A reference nobody can foresee.
    pub fn random() -> Result<Self, NoRandomness> {
        let random: [u8; 7] = random()?;
        Ok(Self::of(random.map(|byte| byte & 31)))
    }

    /// Reads a reference as people type it: lower case, O for 0, I or L for 1, spaces and dashes anywhere or
    /// nowhere, with or without the leading TW.
    pub fn parse(text: &str) -> Result<Self, CodeFault> {
        let (symbols, length) = symbols::<10>(text)?;
        let [t, w, rest @ ..] = symbols;
        let reference = match (length, [t, w]) {
            // 26 is T and 28 is W.
            (10, [26, 28]) => rest,
            (8, _) => {
                let [symbols @ .., _, _] = symbols;
                symbols
            }
            _ => return Err(CodeFault::Length),
        };
        let [random @ .., _] = reference;
        if Self::of(random).0 == reference { Ok(Self(reference)) } else { Err(CodeFault::Check) }
    }

    /// Appends the check symbol. Symbols are elements of the field of 32; each is weighted by another power
    /// of a primitive element and all eight sum to zero. So one wrong symbol always shows (no weight is
    /// zero), and so do any two that changed places (no two weights are equal).
    fn of(random: [u8; 7]) -> Self {
        let check = random.iter().fold(0, |sum, symbol| doubled(sum ^ symbol));
        let mut all = [check; 8];
        for (to, from) in all.iter_mut().zip(random) {
            *to = from;
        }
        Self(all)
    }
}

/// The product with the primitive element: a shift, reduced by x^5 + x^2 + 1.
fn doubled(element: u8) -> u8 {
    let shifted = element << 1;
    if shifted & 32 == 0 { shifted } else { shifted ^ 0b10_0101 }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TW-")?;
        write_groups(f, &self.0, 4)
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reference({self})")
    }
}

impl std::str::FromStr for Reference {
    type Err = CodeFault;

    fn from_str(text: &str) -> Result<Self, CodeFault> {
        Self::parse(text)
    }
}

/// The secret that opens a complaint to whoever handed it in: 100 bits, `XXXXX-XXXXX-XXXXX-XXXXX`. Shown once
/// and never stored; `{}` shows it, `{:?}` does not.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct AccessCode([u8; 20]);

impl AccessCode {
    /// The code of one complaint. It follows from the server's intake key and the complaint's id, so that the
    /// very same submission sent twice gets the very same answer although no code is kept. Whoever holds the
    /// intake key can therefore work out every code; it is kept apart from the database for that reason.
    pub fn derive(keys: &Keys, complaint: Uuid) -> Self {
        let mut digest = keys.digest(Purpose::AccessCode, &[complaint.as_bytes()]);
        let mut symbols = [0; 20];
        let (mut bits, mut held) = (0_u32, 0_u32);
        let mut bytes = digest.iter();
        for symbol in &mut symbols {
            if held < 5 {
                bits = bits << 8 | bytes.next().copied().map_or(0, u32::from);
                held += 8;
            }
            held -= 5;
            *symbol = (bits >> held & 31) as u8;
        }
        digest.zeroize();
        Self(symbols)
    }

    /// Reads a code as people type it: lower case, O for 0, I or L for 1, spaces and dashes anywhere or
    /// nowhere.
    pub fn parse(text: &str) -> Result<Self, CodeFault> {
        match symbols::<20>(text)? {
            (symbols, 20) => Ok(Self(symbols)),
            _ => Err(CodeFault::Length),
        }
    }

    /// What is stored: the SHA-256 of the code. A slow hash would protect nothing more: it makes guesses dear
    /// where people choose the secret, and 2^100 guesses at a secret nobody chose are out of reach at any
    /// price.
    pub fn digest(&self) -> [u8; 32] {
        sha256(&self.0)
    }

    /// Whether this is the code whose digest was stored; takes equally long for any wrong one.
    pub fn matches(&self, stored: &[u8]) -> bool {
        verify_slices_are_equal(&self.digest(), stored).is_ok()
    }
}

impl fmt::Display for AccessCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_groups(f, &self.0, 5)
    }
}

impl fmt::Debug for AccessCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessCode([redacted])")
    }
}

/// The values of the symbols in a text, at most `N`, and how many there are.
fn symbols<const N: usize>(text: &str) -> Result<([u8; N], usize), CodeFault> {
    let mut symbols = [0; N];
    let mut length = 0;
    for (place, c) in text.chars().enumerate() {
        if place >= LONGEST {
            return Err(CodeFault::Length);
        }
        if c.is_whitespace() || is_dash(c) {
            continue;
        }
        let value = match c.to_ascii_uppercase() {
            'O' => 0,
            'I' | 'L' => 1,
            c => ALPHABET.iter().zip(0..).find(|(symbol, _)| **symbol == c).ok_or(CodeFault::Character)?.1,
        };
        *symbols.get_mut(length).ok_or(CodeFault::Length)? = value;
        length += 1;
    }
    Ok((symbols, length))
}

/// The hyphen, and what keyboards and word processors put in its place.
fn is_dash(c: char) -> bool {
    matches!(c, '-' | '_' | '.' | '\u{ad}' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe63}' | '\u{ff0d}')
}

fn write_groups(f: &mut fmt::Formatter<'_>, symbols: &[u8], size: usize) -> fmt::Result {
    use fmt::Write;
    for (place, symbol) in symbols.iter().enumerate() {
        if place > 0 && place % size == 0 {
            f.write_char('-')?;
        }
        f.write_char(ALPHABET.get(usize::from(*symbol)).copied().ok_or(fmt::Error)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn keys() -> (tempfile::TempDir, Keys) {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::open_or_create(dir.path(), None).unwrap();
        (dir, keys)
    }

    fn valid(symbols: [u8; 8]) -> bool {
        Reference::parse(&Reference(symbols).to_string()).is_ok()
    }

    #[test]
    fn a_reference_reads_back_however_it_is_typed() {
        let reference = Reference::of([0, 1, 31, 0, 1, 17, 26]);
        let text = reference.to_string();
        assert_eq!(text.len(), 12);
        assert!(text.starts_with("TW-01Z0-1HT"), "{text}");
        let plain = text.replace('-', "");
        for typed in [
            text.clone(),
            text.to_lowercase(),
            plain.clone(),
            plain[2..].to_owned(),
            text.replace('0', "O").replace('1', "l"),
            text.replace('0', "o").replace('1', "I"),
            text.replace('-', " "),
            text.replace('-', "\u{2013}"),
            text.replace('-', "\u{a0}\u{2011} "),
            format!("  {text}\n"),
        ] {
            assert_eq!(Reference::parse(&typed), Ok(reference), "{typed}");
        }
        for (typed, fault) in [
            ("", CodeFault::Length),
            ("TW", CodeFault::Length),
            ("TW-0000-000", CodeFault::Length),
            ("TW-0000-00000", CodeFault::Length),
            ("WT-0000-0000", CodeFault::Length),
            ("TW-0000-000U", CodeFault::Character),
            ("TW-0000-000é", CodeFault::Character),
            ("TW-0000-000!", CodeFault::Character),
            ("TW-0000-0001", CodeFault::Check),
        ] {
            assert_eq!(Reference::parse(typed), Err(fault), "{typed}");
        }
        assert_eq!(Reference::parse(&" ".repeat(1_000_000)), Err(CodeFault::Length));
    }

    #[test]
    fn random_references_are_valid_and_differ() {
        let all: HashSet<_> = (0..1000).map(|_| Reference::random().unwrap()).collect();
        assert!(all.len() > 990);
        assert!(all.iter().all(|reference| valid(reference.0)));
    }

    proptest! {
        #[test]
        fn one_wrong_symbol_and_any_two_exchanged_ones_always_show(random in prop::array::uniform7(0_u8..32)) {
            let Reference(right) = Reference::of(random);
            prop_assert!(valid(right));
            for place in 0..8 {
                for symbol in (0..32).filter(|symbol| *symbol != right[place]) {
                    let mut wrong = right;
                    wrong[place] = symbol;
                    prop_assert!(!valid(wrong));
                }
                for other in (0..place).filter(|other| right[*other] != right[place]) {
                    let mut wrong = right;
                    wrong.swap(place, other);
                    prop_assert!(!valid(wrong));
                }
            }
        }

        #[test]
        fn no_text_makes_reading_stumble(text in any::<String>()) {
            let _ = Reference::parse(&text);
            let _ = AccessCode::parse(&text);
        }

        #[test]
        fn an_access_code_reads_back(symbols in prop::array::uniform20(0_u8..32)) {
            let code = AccessCode(symbols);
            let typed = code.to_string().to_lowercase().replace('-', " ").replace('0', "o");
            let read = AccessCode::parse(&typed).unwrap();
            prop_assert_eq!(read.0, code.0);
            prop_assert!(read.matches(&code.digest()));
        }
    }

    #[test]
    fn the_same_complaint_has_the_same_code_and_another_has_another() {
        let ((_one, keys), (_two, others)) = (keys(), keys());
        let code = AccessCode::derive(&keys, Uuid::from_u128(7));
        assert_eq!(code.to_string(), AccessCode::derive(&keys, Uuid::from_u128(7)).to_string());
        assert_eq!(code.to_string().len(), 23);
        let other = AccessCode::derive(&keys, Uuid::from_u128(8));
        let foreign = AccessCode::derive(&others, Uuid::from_u128(7));
        assert!(code.matches(&code.digest()));
        assert!(!other.matches(&code.digest()) && !foreign.matches(&code.digest()) && !code.matches(&[]));
        assert!(!format!("{code:?}").contains(&code.to_string()[..5]));
    }

    #[test]
    fn the_code_is_the_first_hundred_bits() {
        let (_dir, keys) = keys();
        let digest = keys.digest(Purpose::AccessCode, &[Uuid::from_u128(7).as_bytes()]);
        let mut number =
            digest[..13].iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte)) >> 4;
        for symbol in AccessCode::derive(&keys, Uuid::from_u128(7)).0.iter().rev() {
            assert_eq!(u128::from(*symbol), number & 31);
            number >>= 5;
        }
        assert_eq!(number, 0);
    }

    #[test]
    fn a_code_of_another_length_or_alphabet_is_refused() {
        for (typed, fault) in [
            ("", CodeFault::Length),
            ("00000-00000-00000-0000", CodeFault::Length),
            ("00000-00000-00000-000000", CodeFault::Length),
            ("00000-00000-00000-0000U", CodeFault::Character),
            ("TW-0000-0000", CodeFault::Length),
        ] {
            assert_eq!(AccessCode::parse(typed).unwrap_err(), fault, "{typed}");
        }
    }
}
