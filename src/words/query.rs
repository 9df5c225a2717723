//! What somebody looks for. Pure.

use std::collections::BTreeSet;

use super::folding;

/// The most words that are looked for at once.
pub const MOST_WORDS: usize = 16;
/// The most characters of a word that is looked for.
pub const LONGEST_WORD: usize = 256;

/// One word that is looked for: what any of the languages makes of it, and what it is as part of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What it is found by in texts.
    pub keys: BTreeSet<String>,
    /// What it is found by in names.
    pub name: String,
}

/// Words that must all be there, and words that must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// All of these.
    pub wanted: Vec<Wanted>,
    /// None of these: each a word, or several that stand for one (`KE-1042`).
    pub unwanted: Vec<Vec<Wanted>>,
}

impl Query {
    /// Reads words with blanks between; one with a `-` in front must not be there. There are no phrases and no patterns: signs
    /// are passed over.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut query = Self { wanted: Vec::new(), unwanted: Vec::new() };
        let mut many = 0;
        for term in text.split_whitespace() {
            if term.chars().count() > LONGEST_WORD {
                return Err("must have no word of more than 256 characters");
            }
            let (unwanted, term) = match term.strip_prefix('-') {
                Some(rest) => (true, rest),
                None => (false, term),
            };
            let words: Vec<Wanted> = folding::words(term)
                .iter()
                .map(|word| Wanted { keys: folding::keys_of_any(word), name: folding::name_key(word) })
                .collect();
            many += words.len();
            if many > MOST_WORDS {
                return Err("must have at most 16 words");
            }
            if unwanted && !words.is_empty() {
                query.unwanted.push(words);
            } else {
                query.wanted.extend(words);
            }
        }
        query.wanted.dedup();
        if query.wanted.is_empty() {
            return Err("must have a word to look for, of at least two letters or a digit");
        }
        Ok(query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> (usize, Vec<usize>) {
        let query = Query::parse(text).unwrap();
        (query.wanted.len(), query.unwanted.iter().map(Vec::len).collect())
    }

    #[test]
    fn words_and_what_must_not_be_there() {
        assert_eq!(shape("police camion"), (2, vec![]));
        assert_eq!(shape("  police -camion\t-KE-1042 "), (1, vec![1, 2]));
        assert_eq!(shape("\"pot mache\" AND OR"), (4, vec![]));
        assert_eq!(shape("- police --camion"), (1, vec![1]));
        assert_eq!(shape("KE-1042"), (2, vec![]));
    }

    #[test]
    fn what_finds_nothing_is_refused() {
        for bad in
            ["", "   ", "-police", ".*", "a b c", "l'", "-", "\u{0}", &"x".repeat(257), &"ab ".repeat(17)]
        {
            assert!(Query::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Query::parse(&"ab ".repeat(16)).is_ok());
        assert!(Query::parse(&"x".repeat(256)).is_ok());
        assert!(Query::parse(&"-".repeat(10_000)).is_err());
    }
}
