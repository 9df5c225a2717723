//! Reading a mapping file: what it may say, and every flaw of it named at once.

use std::collections::BTreeMap;
use std::path::Path;

use toml::{Table, Value};

use super::dates;
use super::mapping::{ALLEGATION, COMPLAINT, Field, Mapping, Sheet};
use crate::coa::{Flaw, Policy};

impl Mapping {
    /// Reads a mapping file. A file that cannot be read has one flaw.
    pub fn load(path: &Path, policy: &Policy) -> Result<Self, Vec<Flaw>> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| vec![Flaw::new(path.display().to_string(), error.to_string())])?;
        Self::parse(&text, policy)
    }

    /// Reads a mapping file's text and names every flaw at once; only text that is not TOML has just one.
    pub fn parse(text: &str, policy: &Policy) -> Result<Self, Vec<Flaw>> {
        let table = text.parse::<Table>().map_err(|error| vec![Flaw::new("file", error.to_string())])?;
        let mut reader = Reader { policy, flaws: Vec::new() };
        let mut mapping = Self::default();
        for (key, value) in &table {
            match (key.as_str(), value) {
                ("encoding", Value::String(name)) => reader.encoding(name),
                ("delimiter", Value::String(text)) => mapping.delimiter = reader.delimiter(text),
                ("timezone", Value::String(name)) => match name.parse() {
                    Ok(zone) => mapping.timezone = Some(zone),
                    Err(_) => {
                        reader.flaw("timezone", "is not a time zone, such as \"America/Port-au-Prince\"");
                    }
                },
                ("complaints", Value::Table(table)) => {
                    mapping.complaints = reader.sheet(key, table, &COMPLAINT);
                }
                ("allegations", Value::Table(table)) => {
                    mapping.allegations = reader.sheet(key, table, &ALLEGATION);
                }
                ("encoding" | "delimiter" | "timezone", _) => reader.flaw(key, "must be a text"),
                ("complaints" | "allegations", _) => reader.flaw(key, "must be a table"),
                _ => reader.flaw(
                    key,
                    "is not a known key; known are encoding, delimiter, timezone, complaints, allegations",
                ),
            }
        }
        if reader.flaws.is_empty() { Ok(mapping) } else { Err(reader.flaws) }
    }
}

/// Gathers the flaws of a mapping file.
struct Reader<'a> {
    policy: &'a Policy,
    flaws: Vec<Flaw>,
}

impl Reader<'_> {
    fn flaw(&mut self, place: impl Into<String>, detail: impl Into<String>) {
        self.flaws.push(Flaw::new(place, detail));
    }

    fn encoding(&mut self, name: &str) {
        if !["utf-8", "utf8"].iter().any(|known| name.eq_ignore_ascii_case(known)) {
            let detail = "must be utf-8: files in another encoding are converted first, such as by \
                `iconv -f WINDOWS-1252 -t UTF-8 old.csv > new.csv`";
            self.flaw("encoding", detail);
        }
    }

    fn delimiter(&mut self, text: &str) -> u8 {
        match text.as_bytes() {
            b"tab" => b'\t',
            [byte @ (b',' | b';' | b'\t' | b'|')] => *byte,
            _ => {
                self.flaw("delimiter", "must be one of \",\", \";\", \"|\" and \"tab\"");
                b','
            }
        }
    }

    fn sheet(&mut self, place: &str, table: &Table, fields: &'static [Field]) -> Sheet {
        let mut sheet = Sheet::own(fields);
        for (key, value) in table {
            let at = format!("{place}.{key}");
            match (key.as_str(), value) {
                ("columns", Value::Table(columns)) => sheet.columns = self.texts(&at, columns, fields),
                ("constants", Value::Table(constants)) => {
                    sheet.constants = self.texts(&at, constants, fields);
                    for (field, text) in &sheet.constants {
                        self.check_word(&format!("{at}.{field}"), fields, field, text);
                    }
                }
                ("translate", Value::Table(tables)) => {
                    for (name, words) in tables {
                        self.translation(&format!("{at}.{name}"), name, words, fields, &mut sheet);
                    }
                }
                ("date_formats", value) => {
                    sheet.date_formats = self.list(&at, value);
                    for format in &sheet.date_formats {
                        if !dates::is_format(format) {
                            self.flaw(&at, format!("holds `{format}`, which is no date format such as \"%d/%m/%Y %H:%M\""));
                        }
                    }
                }
                ("nothing", value) => sheet.nothing = self.list(&at, value),
                ("prefix", Value::String(prefix)) => sheet.prefix.clone_from(prefix),
                ("columns" | "constants" | "translate", _) => self.flaw(at, "must be a table"),
                ("prefix", _) => self.flaw(at, "must be a text"),
                _ => self.flaw(at, "is not a known key; known are columns, constants, translate, date_formats, nothing, prefix"),
            }
        }
        for field in fields.iter().filter(|field| field.required) {
            if !sheet.columns.iter().any(|(name, _)| *name == field.name) {
                self.flaw(
                    format!("{place}.columns.{}", field.name),
                    "is missing: it is the one that must be mapped to a column",
                );
            }
        }
        for (field, _) in &sheet.constants {
            if table.get("columns").and_then(|columns| columns.get(field)).is_some() {
                self.flaw(format!("{place}.constants.{field}"), "is mapped to a column as well");
            }
        }
        sheet.columns.retain(|(field, _)| !sheet.constants.iter().any(|(constant, _)| constant == field));
        sheet
    }

    fn translation(
        &mut self,
        at: &str,
        name: &str,
        words: &Value,
        fields: &'static [Field],
        sheet: &mut Sheet,
    ) {
        let Some(field) = fields.iter().find(|field| field.name == name) else {
            return self.flaw(at, "is not a known field");
        };
        let Value::Table(words) = words else { return self.flaw(at, "must be a table") };
        let mut translated = BTreeMap::new();
        for (theirs, ours) in words {
            let at = format!("{at}.\"{theirs}\"");
            match ours {
                Value::String(ours) => {
                    self.check_word(&at, fields, name, ours);
                    translated.insert(theirs.trim().to_owned(), ours.clone());
                }
                _ => self.flaw(at, "must be a text"),
            }
        }
        sheet.translate.insert(field.name, translated);
    }

    /// The words of a vocabulary are checked here, once, rather than in every row.
    fn check_word(&mut self, at: &str, fields: &[Field], name: &str, text: &str) {
        let vocabulary = fields.iter().find(|field| field.name == name).and_then(|field| field.vocabulary);
        if let Some(vocabulary) = vocabulary
            && !text.is_empty()
            && !self.policy.knows(vocabulary, text)
        {
            self.flaw(at, format!("is `{text}`, which is none of the policy's {}", vocabulary.section()));
        }
    }

    fn texts(&mut self, at: &str, table: &Table, fields: &'static [Field]) -> Vec<(&'static str, String)> {
        let mut texts = Vec::new();
        for (name, value) in table {
            match (fields.iter().find(|field| field.name == name), value) {
                (Some(field), Value::String(text)) => texts.push((field.name, text.trim().to_owned())),
                (Some(_), _) => self.flaw(format!("{at}.{name}"), "must be a text"),
                (None, _) => {
                    let known: Vec<&str> = fields.iter().map(|field| field.name).collect();
                    self.flaw(
                        format!("{at}.{name}"),
                        format!("is not a known field; known are {}", known.join(", ")),
                    );
                }
            }
        }
        texts
    }

    fn list(&mut self, at: &str, value: &Value) -> Vec<String> {
        let texts: Option<Vec<String>> = value
            .as_array()
            .map(|all| all.iter().map(|each| each.as_str().map(str::to_owned)).collect::<Option<_>>())
            .unwrap_or_default();
        texts.unwrap_or_else(|| {
            self.flaw(at, "must be a list of texts");
            Vec::new()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flaw_of_a_mapping_is_named_at_once() {
        let policy = Policy::built_in().unwrap();
        let text = "encoding = \"windows-1252\"\ndelimiter = \"::\"\ntimezone = \"Port-au-Prince\"\nsheets = 1\n\
            [complaints]\ndate_formats = [\"%Q\"]\nskip = 3\n\
            [complaints.columns]\ncomplaint_ref = \"Number\"\nwhen = \"Date\"\n\
            [complaints.constants]\nlanguage = \"kreyol\"\n\
            [complaints.translate.category]\n\"Grave\" = \"grave_misconduct\"\n";
        let flaws = Mapping::parse(text, &policy).unwrap_err();
        let places: Vec<&str> = flaws.iter().map(|flaw| flaw.place.as_str()).collect();
        for place in [
            "encoding",
            "delimiter",
            "timezone",
            "sheets",
            "complaints.date_formats",
            "complaints.skip",
            "complaints.columns.when",
            "complaints.columns.received_at",
            "complaints.constants.language",
            "complaints.translate.category.\"Grave\"",
        ] {
            assert!(places.contains(&place), "{place} is not among {places:?}");
        }
        assert_eq!(flaws.len(), 10);
    }

    #[test]
    fn the_example_has_no_flaw() {
        let policy = Policy::built_in().unwrap();
        Mapping::parse(include_str!("../../docs/import-example.toml"), &policy).unwrap();
    }
}
