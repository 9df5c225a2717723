//! Words that sealed texts are found by: folded, stemmed, and kept as keyed hashes.
//!
//! Belongs here: what a word is compared by, how texts become tokens, how tokens are kept and asked for. Does not belong here:
//! which texts there are and who may look into which; each feature says that of its own. May touch: its own store, and
//! [`crate::vault`] for the key. What the tokens tell a stranger is in `docs/SECURITY.md`.

pub mod folding;
mod later;
pub mod query;
mod store;

use std::collections::{BTreeMap, BTreeSet};

use crate::auth::{Actor, searching};
use crate::coa::Language;
use crate::error::{Error, Result};
use crate::vault::{DataKey, Marker};

pub use self::later::Later;
pub(crate) use self::later::take;
pub use self::query::Query;
pub use self::store::forget;
pub(crate) use self::store::{Holds, Kind, Object, add, add_new, expect, found, join, matched};

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
fn token(marker: &Marker, field: Field, key: &str) -> i64 {
    let mark = marker.mark(&[field.as_str().as_bytes(), key.as_bytes()]);
    mark.first_chunk().map_or(0, |first| i64::from_be_bytes(*first))
}

/// The tokens of some texts, each once, in the order of their numbers: that of the words is not kept.
#[derive(Debug)]
pub struct Tokens {
    marker: Marker,
    all: BTreeSet<i64>,
}

impl Tokens {
    /// None yet.
    pub fn new(register: &DataKey) -> Self {
        Self { marker: register.marker(TOKEN), all: BTreeSet::new() }
    }

    /// Adds the words of a text.
    pub fn text(&mut self, field: Field, language: Language, text: &str) {
        // A word that is there already is not folded again: most words of a long text are.
        let each: BTreeSet<String> = folding::words(text).into_iter().collect();
        for key in each.iter().flat_map(|word| folding::keys(word, language)) {
            self.all.insert(token(&self.marker, field, &key));
        }
    }

    /// Adds the words of a text whose language nobody said.
    pub fn text_of_any(&mut self, field: Field, text: &str) {
        for language in Language::ALL {
            self.text(field, language, text);
        }
    }

    /// Adds the parts of a name or number.
    pub fn name(&mut self, field: Field, name: &str) {
        for word in folding::words(name) {
            self.all.insert(token(&self.marker, field, &folding::name_key(&word)));
        }
    }

    /// All of them.
    pub fn into_vec(self) -> Vec<i64> {
        self.all.into_iter().collect()
    }
}

/// Where somebody may look for words: in these kinds of text, in matters of the PSEA lane and in others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// In matters of sexual exploitation or abuse, or with a child.
    psea: Vec<Field>,
    /// In all others.
    others: Vec<Field>,
}

impl Places {
    /// Where `actor` may look, of these fields; `None` if nowhere.
    pub fn of(actor: &Actor, among: &[Field]) -> Option<Self> {
        let fields = |psea| {
            let may = searching::searched(actor, psea);
            let allowed = |field: &&Field| match field {
                Field::Narrative | Field::Particulars => may.text,
                Field::Message => may.messages,
                Field::Note => may.notes,
                Field::Subject => may.subjects,
                Field::Person => may.persons,
            };
            among.iter().filter(allowed).copied().collect::<Vec<_>>()
        };
        let places = Self { psea: fields(true), others: fields(false) };
        let somewhere = !places.psea.is_empty() && !places.others.is_empty();
        somewhere.then_some(places)
    }
}

/// The condition that a row of `table` belongs to the PSEA lane, in words of the policy.
pub(crate) fn in_psea_lane(table: &str, policy: &crate::coa::Policy) -> String {
    let words: Vec<String> = policy.categories_in_lane("psea").map(|word| format!("'{word}'")).collect();
    let categories = if words.is_empty() { "null".to_owned() } else { words.join(", ") };
    format!("{table}.child or {table}.category in ({categories})")
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
    /// What `actor` looks for with the words `text`, where they may look, of the fields `among`.
    pub fn parse(register: &DataKey, text: &str, actor: &Actor, among: &[Field]) -> Result<Self> {
        let places = Places::of(actor, among).ok_or_else(Error::forbidden)?;
        let query = Query::parse(text).map_err(|why| Error::fault("/q", why))?;
        Ok(Self::new(register, &query, &places))
    }

    /// The query of somebody who may look in `places`.
    pub fn new(register: &DataKey, query: &Query, places: &Places) -> Self {
        let marker = register.marker(TOKEN);
        let mut fields = BTreeMap::new();
        let mut set = |word: &query::Wanted, places: &[Field]| {
            let mut tokens = BTreeSet::new();
            for field in places {
                let keys: Vec<&String> =
                    if field.is_name() { vec![&word.name] } else { word.keys.iter().collect() };
                for key in keys {
                    let token = token(&marker, *field, key);
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
        let (psea, others) = (sets(&places.psea), sets(&places.others));
        let marker = register.marker(SEARCHED);
        let searched = query
            .wanted
            .iter()
            .map(|word| {
                let mark = marker.mark(&[word.name.as_bytes()]);
                format!("{:016x}", mark.first_chunk().map_or(0, |first| u64::from_be_bytes(*first)))
            })
            .collect();
        Self { psea, others, fields, searched }
    }

    /// Whether it asks for nothing but words, and the same of everything: then the index alone has the answer.
    pub(crate) fn is_plain(&self) -> bool {
        self.psea == self.others && self.others.none.is_empty()
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
        let fields: BTreeSet<Field> =
            tokens.iter().filter_map(|token| self.fields.get(token).copied()).collect();
        let mut said: Vec<&'static str> = fields.into_iter().map(Field::said).collect();
        said.dedup();
        said
    }
}
