//! Reading the policy file so that every flaw of its form is named at once, not only the first.
//!
//! A row that cannot be read is left out, but its word is remembered, so that rows which cite it are not
//! blamed.

use std::collections::{HashMap, HashSet};

use serde::de::value::Error as Stop;
use serde::de::{DeserializeOwned, Error as _, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};
use toml::{Table, Value};

use super::Flaw;

/// A policy file being read.
pub(super) struct Reader {
    table: Table,
    words: HashMap<&'static str, HashSet<String>>,
    places: HashMap<&'static str, Vec<usize>>,
    pub(super) flaws: Vec<Flaw>,
}

impl Reader {
    /// Begins to read. Text that is not TOML has one flaw and no more.
    pub(super) fn open(text: &str) -> Result<Self, Vec<Flaw>> {
        match text.parse::<Table>() {
            Ok(table) => Ok(Self { table, words: HashMap::new(), places: HashMap::new(), flaws: Vec::new() }),
            Err(error) => Err(vec![Flaw::new("file", error.to_string())]),
        }
    }

    /// A text at the top of the file.
    pub(super) fn text(&mut self, key: &'static str) -> String {
        match self.table.remove(key) {
            Some(Value::String(text)) if !text.trim().is_empty() => text,
            Some(_) => self.fail(key, "must be a text that is not empty"),
            None => self.fail(key, "is missing"),
        }
    }

    /// The rows of a section.
    pub(super) fn rows<T: DeserializeOwned>(&mut self, section: &'static str) -> Vec<T> {
        let rows = match self.table.remove(section) {
            Some(Value::Array(rows)) if !rows.is_empty() => rows,
            Some(Value::Array(_)) => self.fail(section, "must not be empty"),
            Some(_) => self.fail(section, "must be a list of tables"),
            None => self.fail(section, "is missing"),
        };
        let mut read = Vec::with_capacity(rows.len());
        for (at, row) in rows.into_iter().enumerate() {
            let Value::Table(row) = row else {
                self.flaws.push(Flaw::new(format!("{section}[{at}]"), "must be a table"));
                continue;
            };
            if let Some(Value::String(word)) = row.get("word") {
                self.words.entry(section).or_default().insert(word.clone());
            }
            if let Some(row) = self.row(&format!("{section}[{at}]"), row) {
                self.places.entry(section).or_default().push(at);
                read.push(row);
            }
        }
        read
    }

    /// One row, or its flaws: every unknown field, every field of a wrong kind, the first missing one.
    fn row<T: DeserializeOwned>(&mut self, place: &str, mut row: Table) -> Option<T> {
        let before = self.flaws.len();
        let known = fields::<T>();
        row.retain(|field, _| {
            let keep = known.is_empty() || known.contains(&field);
            if !keep {
                self.flaws.push(Flaw::new(format!("{place}.{field}"), "is not a known field"));
            }
            keep
        });
        // Each turn takes one wrong field away, so that the next wrong one comes to light.
        while let Err(error) = T::deserialize(Value::Table(row.clone())) {
            let wrong = wrong_field(&error.to_string()).filter(|field| row.remove(field).is_some());
            match wrong {
                Some(field) => self.flaws.push(Flaw::new(format!("{place}.{field}"), error.message())),
                None if self.flaws.len() > before && error.message().starts_with("missing field") => break,
                None => {
                    self.flaws.push(Flaw::new(place, error.message()));
                    break;
                }
            }
        }
        if self.flaws.len() > before {
            return None;
        }
        T::deserialize(Value::Table(row)).ok()
    }

    /// Names what stands in the file and is none of the sections read.
    pub(super) fn close(&mut self) {
        for key in self.table.keys() {
            self.flaws.push(Flaw::new(key.as_str(), "is not a known section"));
        }
    }

    /// Whether a section holds a word, also in a row that could not be read.
    pub(super) fn has(&self, section: &str, word: &str) -> bool {
        self.words.get(section).is_some_and(|words| words.contains(word))
    }

    /// Whether every row of a section could be read, so that its gaps are its own.
    pub(super) fn is_whole(&self, section: &str) -> bool {
        let row = format!("{section}[");
        !self.flaws.iter().any(|flaw| flaw.place == section || flaw.place.starts_with(&row))
    }

    /// Where a row that was read stands in the file.
    pub(super) fn place(&self, section: &str, at: usize) -> String {
        let at = self.places.get(section).and_then(|places| places.get(at)).copied().unwrap_or(at);
        format!("{section}[{at}]")
    }

    fn fail<T: Default>(&mut self, place: &str, detail: &str) -> T {
        self.flaws.push(Flaw::new(place, detail));
        T::default()
    }
}

/// The field that an error of the TOML reader speaks of: the last line is ``in `field` ``.
fn wrong_field(error: &str) -> Option<String> {
    let path = error.trim_end().lines().last()?.strip_prefix("in `")?.strip_suffix('`')?;
    Some(path.split(['.', '[']).next().unwrap_or(path).to_owned())
}

/// The fields that a row type knows, as it would tell a reader.
fn fields<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut found: &'static [&'static str] = &[];
    let _ = T::deserialize(Asking(&mut found));
    found
}

/// A reader that only listens to what fields it is asked for.
struct Asking<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Asking<'_> {
    type Error = Stop;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
        Err(Stop::custom("only asking"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Stop> {
        *self.0 = fields;
        Err(Stop::custom("only asking"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
