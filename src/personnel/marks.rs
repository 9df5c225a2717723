//! What tells that two descriptions mean one person: keyed marks of folded names and numbers. Pure.
//!
//! Neither a name nor a number can be read from a mark, and none can be tried out without the register's key. That two marks
//! are the same is all that Postgres has to see to put up a wall.

use unicode_normalization::UnicodeNormalization as _;

use crate::values::text_enum;
use crate::vault::DataKey;

/// What the register's key is derived for.
const PURPOSE: &str = "person";

/// The most parts of a name that are paired: sixteen give 120 marks, and nobody has more names.
const MOST_PARTS: usize = 16;

/// Parts that tell nobody apart: titles and ranks that stand before a name, and particles within one. They are left out
/// unless nothing else is left.
const IDLE: &[&str] = &[
    "abou",
    "adjidan",
    "adjudan",
    "adjudant",
    "agent",
    "ajan",
    "al",
    "bin",
    "brig",
    "brigadier",
    "cabo",
    "capitan",
    "capt",
    "captain",
    "capitaine",
    "chief",
    "col",
    "colonel",
    "comandante",
    "commandant",
    "commandante",
    "commander",
    "commissaire",
    "commissioner",
    "constable",
    "coronel",
    "cpl",
    "corporal",
    "caporal",
    "da",
    "das",
    "de",
    "del",
    "della",
    "den",
    "der",
    "des",
    "di",
    "do",
    "dos",
    "dr",
    "du",
    "el",
    "enspekte",
    "gen",
    "general",
    "insp",
    "inspector",
    "inspecteur",
    "jeneral",
    "kaporal",
    "kapiten",
    "kolonel",
    "komandan",
    "komise",
    "la",
    "las",
    "le",
    "les",
    "lieutenant",
    "los",
    "lt",
    "lyetnan",
    "madame",
    "maj",
    "major",
    "miss",
    "mlle",
    "mme",
    "monsieur",
    "mr",
    "mrs",
    "ms",
    "msgr",
    "officer",
    "oficial",
    "officier",
    "ofisye",
    "pc",
    "police",
    "policeman",
    "policewoman",
    "policier",
    "policiere",
    "polis",
    "polisye",
    "private",
    "pvt",
    "sajan",
    "sarjan",
    "sargento",
    "sejan",
    "sergeant",
    "sergent",
    "sgt",
    "solda",
    "soldado",
    "soldat",
    "soldier",
    "superintendent",
    "teniente",
    "trooper",
    "van",
    "von",
    "wo",
];

text_enum! {
    /// What a mark is made of.
    MarkKind {
        /// Two parts of a name, in whatever order.
        Name = "name",
        /// The only part of a name of one part: the same as another such name and, of a subject, as a part of a longer one.
        SingleName = "single_name",
        /// One part of a longer name, of whoever has an account or stands on the roster.
        Part = "part",
        /// A service number.
        ServiceNumber = "service_number",
        /// A unit's name.
        Unit = "unit",
    }
}

/// A mark, and what it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// What it is made of.
    pub kind: MarkKind,
    /// The keyed digest.
    pub mark: [u8; 32],
}

/// The marks of whoever has this name and this service number: one for each pair of the name's parts, whatever their case,
/// accents, order and punctuation, and one for the number. Two persons may be the same if they share one.
pub fn marks(register: &DataKey, name: Option<&str>, service_number: Option<&str>) -> Vec<[u8; 32]> {
    marks_of_person(register, name, service_number).into_iter().map(|mark| mark.mark).collect()
}

/// The same, each with what it is made of.
pub fn marks_of_person(register: &DataKey, name: Option<&str>, service_number: Option<&str>) -> Vec<Mark> {
    let marker = register.marker(PURPOSE);
    let made = |kind: MarkKind, parts: &[&str]| {
        let mut given = vec![kind.as_str().as_bytes()];
        given.extend(parts.iter().map(|part| part.as_bytes()));
        Mark { kind, mark: marker.mark(&given) }
    };
    let parts = name.map(parts_of_name).unwrap_or_default();
    let mut all = Vec::new();
    if let [only] = &parts[..] {
        all.push(made(MarkKind::SingleName, &[only]));
    }
    for (place, first) in parts.iter().enumerate() {
        all.extend(parts.iter().skip(place + 1).map(|second| made(MarkKind::Name, &[first, second])));
    }
    let number = service_number.map(fold_number).unwrap_or_default();
    if !number.is_empty() {
        all.push(made(MarkKind::ServiceNumber, &[&number]));
    }
    all
}

/// The same for whoever has an account or stands on the roster: also each part of a longer name, because a subject may be known by
/// one part alone ("Sergeant Mwangi").
pub fn marks_of_known(register: &DataKey, name: &str, service_number: Option<&str>) -> Vec<Mark> {
    let mut all = marks_of_person(register, Some(name), service_number);
    let parts = parts_of_name(name);
    if parts.len() > 1 {
        let marker = register.marker(PURPOSE);
        let single = MarkKind::SingleName.as_str().as_bytes();
        all.extend(
            parts
                .iter()
                .map(|part| Mark { kind: MarkKind::Part, mark: marker.mark(&[single, part.as_bytes()]) }),
        );
    }
    all
}

/// The mark of a unit of this name; none for a name without a letter or digit.
pub fn unit_mark(register: &DataKey, unit: &str) -> Option<[u8; 32]> {
    let words: Vec<String> = folded_words(unit).collect();
    let word = words.join(" ");
    (!word.is_empty()).then(|| register.mark(PURPOSE, &[MarkKind::Unit.as_str().as_bytes(), word.as_bytes()]))
}

/// The parts of a name that tell somebody apart, folded, in alphabetical order, each once.
fn parts_of_name(name: &str) -> Vec<String> {
    let all: Vec<String> =
        folded_words(name).filter(|word| word.chars().filter(|c| c.is_alphabetic()).count() >= 2).collect();
    let telling: Vec<String> = all.iter().filter(|word| !IDLE.contains(&word.as_str())).cloned().collect();
    let mut parts = if telling.is_empty() { all } else { telling };
    parts.truncate(MOST_PARTS);
    parts.sort();
    parts.dedup();
    parts
}

/// The words of a text without case, accents and punctuation. What joins two names (a hyphen, a dot) parts them; an apostrophe
/// belongs to its word.
fn folded_words(text: &str) -> impl Iterator<Item = String> {
    let folded: String =
        text.nfkd().filter(|c| !is_accent(*c)).flat_map(char::to_lowercase).flat_map(plain).collect();
    let folded: String = folded.nfkd().filter(|c| !is_accent(*c) && !is_apostrophe(*c)).collect();
    let words: Vec<String> = folded
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    words.into_iter()
}

/// Letters that a keyboard without them is written around.
fn plain(c: char) -> impl Iterator<Item = char> {
    let written: &[char] = match c {
        'ß' => &['s', 's'],
        'æ' => &['a', 'e'],
        'œ' => &['o', 'e'],
        'ø' => &['o'],
        'ł' => &['l'],
        'đ' | 'ð' => &['d'],
        'þ' => &['t', 'h'],
        'ı' => &['i'],
        'ς' => &['σ'],
        _ => &[],
    };
    written.iter().copied().chain(written.is_empty().then_some(c))
}

fn is_accent(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
        || matches!(c, '\u{200B}'..='\u{200D}' | '\u{2060}' | '\u{FEFF}' | '\u{AD}')
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2018}' | '\u{2019}' | '\u{02BC}' | '`' | '\u{B4}')
}

/// A service number in capital letters and digits alone.
fn fold_number(number: &str) -> String {
    number
        .nfkd()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_uppercase)
        .filter(|c| c.is_alphanumeric())
        .collect()
}

#[cfg(test)]
#[path = "marks_tests.rs"]
mod tests;
