//! Words of a text as they are compared: without case, accents and endings. Pure.
//!
//! A word of a text is folded as its language wants it. Of a word that somebody looks for the language is not known, so it is
//! folded as each of the four would have it, and finds whatever one of them has made of a word.

use std::collections::BTreeSet;

use frostem::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::coa::Language;

/// What is longer than this has no endings that anybody knows.
const LONGEST_STEMMED: usize = 64;

/// The words of a text, in lower case, in their order. An apostrophe parts words in all four languages (`l'eau`, `m'ap`, `qu'il`), and
/// so does all else that is neither letter nor digit; what stands for no sound (soft hyphens, joiners) is passed over.
pub fn words(text: &str) -> Vec<String> {
    let text: String =
        text.nfkc().filter(|c| !is_silent(*c)).flat_map(char::to_lowercase).nfc().collect::<String>();
    text.split(|c: char| !c.is_alphanumeric() && !is_combining_mark(c))
        .filter(|word| counts(&plain(word)))
        .map(str::to_owned)
        .collect()
}

/// What `word` is found by in a text of `language`: mostly one thing, or two where the accents of the word decide about its ending,
/// because whoever looks for it may leave them out.
pub fn keys(word: &str, language: Language) -> BTreeSet<String> {
    let plain = plain(word);
    let algorithm = match language {
        Language::Ht => return BTreeSet::from([creole(&plain)]),
        Language::Fr => Algorithm::French,
        Language::En => Algorithm::English,
        Language::Es => Algorithm::Spanish,
    };
    if word.len() > LONGEST_STEMMED {
        return BTreeSet::from([plain]);
    }
    let stemmer = Stemmer::new(algorithm);
    BTreeSet::from([self::plain(&stemmer.stem(word)), stemmer.stem(&plain).into_owned()])
}

/// What `word` is found by in a text of whatever language.
pub fn keys_of_any(word: &str) -> BTreeSet<String> {
    Language::ALL.into_iter().flat_map(|language| keys(word, language)).collect()
}

/// What a part of a name is found by: names have no endings.
pub fn name_key(word: &str) -> String {
    plain(word)
}

fn is_silent(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

/// A single letter, and what an apostrophe leaves of `que`, says nothing.
fn counts(plain: &str) -> bool {
    let alone = plain.chars().count() == 1 && plain.chars().all(|c| c.is_ascii_alphabetic());
    !plain.is_empty() && !alone && plain != "qu"
}

/// Without accents and joined letters.
fn plain(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    for c in word.nfd().filter(|c| !is_combining_mark(*c)) {
        match c {
            'œ' => out.push_str("oe"),
            'æ' => out.push_str("ae"),
            'ß' => out.push_str("ss"),
            'ø' => out.push('o'),
            'ð' => out.push('d'),
            c => out.push(c),
        }
    }
    out
}

/// Creole is written as it sounds since 1979, and by many as their French has it: both come to one spelling here. `word` has no
/// accents any more.
fn creole(word: &str) -> String {
    const SOUNDS: [(&str, &str); 15] = [
        // What stands for several letters comes first.
        ("eaux", "o"),
        ("eau", "o"),
        ("oin", "wen"),
        ("oi", "wa"),
        ("ou", "w"),
        ("qu", "k"),
        ("ph", "f"),
        ("ch", "ʃ"),
        ("sh", "ʃ"),
        ("th", "t"),
        ("gn", "ni"),
        ("x", "ks"),
        ("c", "k"),
        ("q", "k"),
        ("y", "i"),
    ];
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(c) = rest.chars().next() {
        let sound = SOUNDS.iter().find_map(|(written, sound)| Some((rest.strip_prefix(written)?, *sound)));
        let mut one = [0; 4];
        let (left, sound) = match sound {
            Some(found) => found,
            None => (rest.strip_prefix(c).unwrap_or_default(), &*c.encode_utf8(&mut one)),
        };
        // Doubled letters sound like one.
        if !(out.ends_with(sound) && sound.chars().all(char::is_alphabetic)) {
            out.push_str(sound);
        }
        rest = left;
    }
    out
}

#[cfg(test)]
#[path = "folding_tests.rs"]
mod tests;
