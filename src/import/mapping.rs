//! How the columns of a file become fields of the register, and how a field is found in a row. Reading a mapping file is
//! in `mapping_file`.

use std::collections::{BTreeMap, HashMap};

use chrono_tz::Tz;

use crate::coa::Vocabulary;

/// A field that a column can be mapped to.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) required: bool,
    /// Where its words come from, if they are the policy's.
    pub(super) vocabulary: Option<Vocabulary>,
}

const fn free(name: &'static str) -> Field {
    Field { name, required: false, vocabulary: None }
}

const fn required(name: &'static str) -> Field {
    Field { name, required: true, vocabulary: None }
}

const fn word(name: &'static str, vocabulary: Vocabulary) -> Field {
    Field { name, required: false, vocabulary: Some(vocabulary) }
}

/// What can be known of a complaint.
pub(super) const COMPLAINT: [Field; 18] = [
    required("complaint_ref"),
    required("received_at"),
    free("source"),
    word("category", Vocabulary::Category),
    free("category_basis"),
    free("received_precision"),
    free("incident_date"),
    free("closed_at"),
    free("location"),
    free("location_code"),
    word("department", Vocabulary::Department),
    word("country", Vocabulary::Country),
    word("intake_channel", Vocabulary::Channel),
    word("language", Vocabulary::Language),
    free("disposition"),
    free("outcome"),
    free("narrative"),
    free("flags"),
];

/// What can be known of an allegation.
pub(super) const ALLEGATION: [Field; 11] = [
    required("complaint_ref"),
    required("seq"),
    word("type", Vocabulary::AllegationType),
    free("allegation"),
    word("category", Vocabulary::Category),
    free("subject_ref"),
    free("subject_unit"),
    free("subject_rank"),
    free("finding"),
    free("outcome"),
    free("discipline"),
];

/// How both files are read.
#[derive(Debug, Clone)]
pub struct Mapping {
    pub(super) delimiter: u8,
    /// The zone of times that name none; the policy's unless given.
    pub(super) timezone: Option<Tz>,
    pub(super) complaints: Sheet,
    pub(super) allegations: Sheet,
}

/// How the rows of one file are read.
#[derive(Debug, Clone, Default)]
pub(super) struct Sheet {
    /// Field and column.
    pub(super) columns: Vec<(&'static str, String)>,
    pub(super) constants: Vec<(&'static str, String)>,
    pub(super) translate: HashMap<&'static str, BTreeMap<String, String>>,
    pub(super) nothing: Vec<String>,
    pub(super) date_formats: Vec<String>,
    /// Stands before every `complaint_ref`, so that two sources cannot mean each other's.
    pub(super) prefix: String,
}

impl Default for Mapping {
    fn default() -> Self {
        Self {
            delimiter: b',',
            timezone: None,
            complaints: Sheet::own(&COMPLAINT),
            allegations: Sheet::own(&ALLEGATION),
        }
    }
}

impl Sheet {
    /// Columns that are called as the fields are.
    pub(super) fn own(fields: &'static [Field]) -> Self {
        let columns = fields.iter().map(|field| (field.name, field.name.to_owned())).collect();
        Self { columns, ..Self::default() }
    }

    /// Finds the columns in a header. A column that was named in a mapping file, or that is needed, must be there.
    pub(super) fn bind(&self, file: &str, header: &[String]) -> Result<Bound<'_>, String> {
        let all = COMPLAINT.iter().chain(&ALLEGATION);
        let needed: Vec<&str> = all.filter(|field| field.required).map(|field| field.name).collect();
        let mut places = HashMap::new();
        let mut missing = Vec::new();
        for (field, column) in &self.columns {
            match header.iter().position(|name| name == column) {
                Some(place) => {
                    places.insert(*field, (place, column.as_str()));
                }
                None if field != column || needed.contains(field) => missing.push(format!("`{column}`")),
                None => {}
            }
        }
        if !missing.is_empty() {
            let has: Vec<String> = header.iter().map(|name| format!("`{name}`")).collect();
            return Err(format!(
                "{file} has no column {}; it has {}",
                missing.join(" and no column "),
                has.join(", ")
            ));
        }
        Ok(Bound { sheet: self, places, width: header.len() })
    }
}

/// A sheet whose columns were found.
pub(super) struct Bound<'a> {
    pub(super) sheet: &'a Sheet,
    places: HashMap<&'static str, (usize, &'a str)>,
    /// How many fields a row has.
    pub(super) width: usize,
}

impl Bound<'_> {
    /// What a row says in a field, word for word; nothing where it says nothing.
    pub(super) fn exact<'r>(&'r self, row: &'r [String], field: &str) -> Option<&'r str> {
        let given = match self.places.get(field) {
            Some((place, _)) => row.get(*place).map(String::as_str),
            None => {
                self.sheet.constants.iter().find(|(name, _)| *name == field).map(|(_, text)| text.as_str())
            }
        };
        given.filter(|text| {
            let text = text.trim();
            !text.is_empty() && !self.sheet.nothing.iter().any(|nothing| nothing.trim() == text)
        })
    }

    /// What a row says in a field, trimmed and translated.
    pub(super) fn get<'r>(&'r self, row: &'r [String], field: &str) -> Option<&'r str> {
        let text = self.exact(row, field)?.trim();
        let translated =
            self.sheet.translate.get(field).and_then(|words| words.get(text)).map(String::as_str);
        Some(translated.unwrap_or(text)).filter(|text| !text.is_empty())
    }

    /// What the source itself says in a field, trimmed.
    pub(super) fn raw<'r>(&'r self, row: &'r [String], field: &str) -> Option<&'r str> {
        self.exact(row, field).map(str::trim)
    }

    /// The key of the complaint that a row is about.
    pub(super) fn key(&self, row: &[String]) -> Option<String> {
        self.raw(row, "complaint_ref").map(|key| format!("{}{key}", self.sheet.prefix))
    }

    /// What the file calls a field.
    pub(super) fn name<'n>(&'n self, field: &'n str) -> &'n str {
        self.places.get(field).map_or(field, |(_, column)| column)
    }
}
