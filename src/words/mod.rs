//! Words that sealed texts are found by: folded, stemmed, and kept as keyed hashes.
//!
//! Belongs here: what a word is compared by, how texts become tokens, how tokens are kept and asked for. Does not belong here:
//! which texts there are and who may look into which; each feature says that of its own. May touch: its own store, and
//! [`crate::vault`] for the key. What the tokens tell a stranger is in `docs/SECURITY.md`.

pub mod folding;
pub mod query;
mod store;

use std::collections::{BTreeMap, BTreeSet};

use crate::coa::Language;
use crate::vault::DataKey;

pub use self::query::Query;
pub(crate) use self::store::{Holds, Object, add, add_new, forget, found, join, matched};

/// The purpose that tokens are marked for.
const TOKEN: &str = "search word";
/// The purpose that words in the record of searches are marked for: another, so that the record and the index cannot be joined.
const SEARCHED: &str = "searched word";

crate::values::text_enum! {
    /// The kinds of text that words stand in.
    Field {
        /// What the reporter said happened.
        Narrative = "narrative",
        /// What was said besides it: places, descriptions, units.
        Particulars = "particulars",
        /// The reporter's thread.
        Message = "message",
        /// Internal notes of a case.
        Note = "note",
        /// The name or number of somebody accused.
        Subject = "subject",
        /// The name of a reporter, a victim or a witness.
        Person = "person",
    }
}

impl Field {
    /// Whether it holds names instead of sentences.
    pub const fn is_name(self) -> bool {
        matches!(self, Self::Subject | Self::Person)
    }

    /// What a result says of it: of names, not whose.
    pub const fn said(self) -> &'static str {
        if self.is_name() { "name" } else { self.as_str() }
    }
}

/// The token of a word in one kind of text: the same word in another kind has another.
fn token(register: &DataKey, field: Field, key: &str) -> i64 {
    let mark = register.mark(TOKEN, &[field.as_str().as_bytes(), key.as_bytes()]);
    mark.first_chunk().map_or(0, |first| i64::from_be_bytes(*first))
}

/// The tokens of some texts, each once, in the order of their numbers: that of the words is not kept.
#[derive(Debug)]
pub struct Tokens<'a> {
    register: &'a DataKey,
    all: BTreeSet<i64>,
}

impl<'a> Tokens<'a> {
    /// None yet.
    pub fn new(register: &'a DataKey) -> Self {
        Self { register, all: BTreeSet::new() }
    }

    /// Adds the words of a text.
    pub fn text(&mut self, field: Field, language: Language, text: &str) {
        // A word that is there already is not folded again: most words of a long text are.
        let each: BTreeSet<String> = folding::words(text).into_iter().collect();
        for key in each.iter().flat_map(|word| folding::keys(word, language)) {
            self.all.insert(token(self.register, field, &key));
        }
    }

    /// Adds the parts of a name or number.
    pub fn name(&mut self, field: Field, name: &str) {
        for word in folding::words(name) {
            self.all.insert(token(self.register, field, &folding::name_key(&word)));
        }
    }

    /// All of them.
    pub fn into_vec(self) -> Vec<i64> {
        self.all.into_iter().collect()
    }
}

/// Where somebody may look for words: in these kinds of text, in matters of the PSEA lane and in others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places<'a> {
    /// In matters of sexual exploitation or abuse, or with a child.
    pub psea: &'a [Field],
    /// In all others.
    pub others: &'a [Field],
}

/// A query as the index is asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// In matters of the PSEA lane.
    psea: Sets,
    /// In all others.
    others: Sets,
    fields: BTreeMap<i64, Field>,
    searched: Vec<String>,
}

/// One of each of `all`, and not one of each of any of `none`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sets {
    all: Vec<Vec<i64>>,
    none: Vec<Vec<Vec<i64>>>,
}

impl Asked {
    /// The query of somebody who may look in `places`.
    pub fn new(register: &DataKey, query: &Query, places: Places<'_>) -> Self {
        let mut fields = BTreeMap::new();
        let mut set = |word: &query::Wanted, places: &[Field]| {
            let mut tokens = BTreeSet::new();
            for field in places {
                let keys: Vec<&String> =
                    if field.is_name() { vec![&word.name] } else { word.keys.iter().collect() };
                for key in keys {
                    let token = token(register, *field, key);
                    fields.insert(token, *field);
                    tokens.insert(token);
                }
            }
            tokens.into_iter().collect::<Vec<i64>>()
        };
        let mut sets = |places: &[Field]| Sets {
            all: query.wanted.iter().map(|word| set(word, places)).collect(),
            none: query
                .unwanted
                .iter()
                .map(|term| term.iter().map(|word| set(word, places)).collect())
                .collect(),
        };
        let (psea, others) = (sets(places.psea), sets(places.others));
        let searched = query
            .wanted
            .iter()
            .map(|word| {
                let mark = register.mark(SEARCHED, &[word.name.as_bytes()]);
                mark.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
            })
            .collect();
        Self { psea, others, fields, searched }
    }

    /// The words as they stand in the record: hashed.
    pub fn searched(&self) -> impl Iterator<Item = &str> {
        self.searched.iter().map(String::as_str)
    }

    /// How many words were looked for or shut out.
    pub fn count(&self) -> usize {
        self.others.all.len() + self.others.none.len()
    }

    /// What the words were found in, said once each, in the order of the fields.
    fn said(&self, tokens: &[i64]) -> Vec<&'static str> {
        let fields: BTreeSet<Field> = tokens.iter().filter_map(|token| self.fields.get(token).copied()).collect();
        let mut said: Vec<&'static str> = fields.into_iter().map(Field::said).collect();
        said.dedup();
        said
    }
}
