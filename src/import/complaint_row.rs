//! One row of a complaints file: what can be taken over from it, or every fault that it has.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::mapping::Bound;
use super::{Faulty, Rules, dates};
use crate::auth::credentials::keys::{Keys, Purpose};
use crate::coa::{Language, Vocabulary};
use crate::complaints::Precision;
use crate::complaints::particulars::{Incident, Particulars, Source};
use crate::error::{Error, Result};
use crate::values::{Faults, Line, TEXT_LIMIT};

/// The namespace of the submission ids that follow from a source's references.
const NAMESPACE: Uuid = Uuid::from_u128(0x7465_6d77_656e_5069_8d70_6f72_7420_3031);
/// What a source says where its category is only a placeholder.
const PLACEHOLDER: &str = "default";

/// A complaint that can be taken over.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Taken {
    pub(super) external_ref: String,
    pub(super) channel: String,
    pub(super) language: &'static str,
    pub(super) category: String,
    pub(super) country: Option<String>,
    pub(super) received_at: DateTime<Utc>,
    pub(super) closed_at: Option<DateTime<Utc>>,
    pub(super) outcome: Option<String>,
    pub(super) narrative: String,
    pub(super) said: Particulars,
}

impl Taken {
    /// The id of its submission.
    pub(super) fn submission_id(&self) -> Uuid {
        submission_id(&self.external_ref)
    }

    /// A digest of all that is taken over, to tell a repetition from another complaint of the same reference. Keyed, so
    /// that whoever reads the database cannot try out what somebody may have said.
    pub(super) fn digest(&self, keys: &Keys) -> Result<[u8; 32]> {
        let whole = serde_json::to_vec(self).map_err(Error::internal)?;
        Ok(keys.digest(Purpose::IdempotencyKey, &[b"import", &whole]))
    }
}

/// The id of the submission of a complaint: it follows from the reference, so that the same one is never stored twice.
pub(super) fn submission_id(external_ref: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, external_ref.as_bytes())
}

/// Reads a row.
pub(super) fn read(row: &[String], bound: &Bound<'_>, rules: &Rules<'_>) -> Result<Taken, Faulty> {
    let mut checks = Checks { row, bound, rules, faults: Faults::default() };
    let external_ref = checks.key();
    let received = checks.moment("received_at");
    if received.is_none() && bound.raw(row, "received_at").is_none() {
        checks.fault("received_at", "is missing");
    }
    let closed = checks.moment("closed_at");
    let (from, precision) = checks.incident();
    let given = checks.word("category", Vocabulary::Category);
    let basis = checks.line("category_basis");
    let placeholder = basis.as_deref() == Some(PLACEHOLDER);
    let category =
        given.filter(|_| !placeholder).unwrap_or_else(|| rules.policy.initial_category().to_owned());
    if rules.policy.category(&category).is_some_and(|category| !category.opens_case) {
        checks.fault("category", "is one in which the policy lets no case be opened");
    }
    let country = checks.word("country", Vocabulary::Country);
    let department = checks.word("department", Vocabulary::Department);
    let outcome = checks.outcome();
    let intake_channel = checks.line("intake_channel");
    // What the policy knows no channel for came, for this register, from the partner whose file it is.
    let known = bound.get(row, "intake_channel").filter(|word| rules.policy.knows(Vocabulary::Channel, word));
    let channel = known.unwrap_or(rules.channel).to_owned();
    let language = match bound.get(row, "language") {
        None => Some(Language::En),
        Some(code) => {
            let language = Language::ALL.into_iter().find(|language| language.as_str() == code);
            checks.take("language", language.ok_or("must be ht, fr, en or es"))
        }
    };
    let narrative = checks.narrative();
    let mut flags: Vec<String> = Vec::new();
    for flag in
        checks.line("flags").unwrap_or_default().split([';', ',', ' ']).filter(|flag| !flag.is_empty())
    {
        flags.push(flag.to_owned());
    }
    if let Some(received) = received {
        let mut odd = |is: bool, word: &str| {
            if is && !flags.iter().any(|flag| flag == word) {
                flags.push(word.to_owned());
            }
        };
        let day = received.at.with_timezone(&rules.zone).date_naive();
        odd(from.is_some_and(|from| from > day), "incident_after_received");
        odd(closed.is_some_and(|closed| closed.at < received.at), "closed_before_received");
    }
    // The source may write a midnight where it knows only the day.
    let only_day =
        received.is_some_and(|at| at.only_day) || bound.get(row, "received_precision") == Some("day");
    let incident =
        Incident { from, precision, department, place: checks.line("location"), ..Incident::default() };
    let source = Source {
        name: checks.line("source"),
        reference: bound.raw(row, "complaint_ref").unwrap_or_default().to_owned(),
        received_precision: if only_day { "day" } else { "minute" }.to_owned(),
        category: bound.raw(row, "category").map(str::to_owned),
        category_basis: basis,
        intake_channel,
        location_code: checks.line("location_code"),
        disposition: checks.line("disposition"),
        flags,
    };
    let said = Particulars { incident, source: Some(source), ..Particulars::default() };
    let whole = external_ref.zip(received).zip(language);
    let ((external_ref, received), language) = checks.done(whole)?;
    Ok(Taken {
        external_ref,
        channel,
        language: language.as_str(),
        category,
        country,
        received_at: received.at,
        closed_at: closed.map(|closed| closed.at),
        outcome,
        narrative,
        said,
    })
}

/// A row being checked.
pub(super) struct Checks<'a> {
    pub(super) row: &'a [String],
    pub(super) bound: &'a Bound<'a>,
    pub(super) rules: &'a Rules<'a>,
    pub(super) faults: Faults,
}

impl Checks<'_> {
    /// Notes a fault of a field, under the name that the file gives it.
    pub(super) fn fault(&mut self, field: &str, detail: impl Into<String>) {
        self.faults.add(self.bound.name(field), detail);
    }

    pub(super) fn take<T, E: Into<String>>(&mut self, field: &str, parsed: Result<T, E>) -> Option<T> {
        parsed.map_err(|detail| self.fault(field, detail)).ok()
    }

    /// What was read, unless there was a fault.
    pub(super) fn done<T>(self, read: Option<T>) -> Result<T, Faulty> {
        self.faults.none_or(read).map_err(|error| Faulty(error.faults().to_vec()))
    }

    /// The complaint's key.
    pub(super) fn key(&mut self) -> Option<String> {
        let Some(key) = self.bound.key(self.row) else {
            self.fault("complaint_ref", "is missing");
            return None;
        };
        self.take("complaint_ref", Line::parse(key)).map(Line::into_string)
    }

    /// A short text, as the source has it.
    pub(super) fn line(&mut self, field: &str) -> Option<String> {
        let text = self.bound.raw(self.row, field)?;
        self.take(field, Line::parse(text)).map(Line::into_string)
    }

    /// A word of the policy.
    pub(super) fn word(&mut self, field: &str, vocabulary: Vocabulary) -> Option<String> {
        let word = self.bound.get(self.row, field)?;
        if self.rules.policy.knows(vocabulary, word) {
            return Some(word.to_owned());
        }
        self.fault(
            field,
            format!(
                "is none of the policy's {}, and the mapping does not translate it",
                vocabulary.section()
            ),
        );
        None
    }

    /// What came of it: a word, the source's own if the mapping does not translate it.
    pub(super) fn outcome(&mut self) -> Option<String> {
        let word = self.bound.get(self.row, "outcome")?;
        let good = word.len() <= 64
            && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if good {
            return Some(word.to_owned());
        }
        self.fault(
            "outcome",
            "must be a word of lower-case letters and _, to which the mapping can translate it",
        );
        None
    }

    fn moment(&mut self, field: &str) -> Option<dates::Moment> {
        let text = self.bound.get(self.row, field)?;
        let read = dates::moment(text, &self.bound.sheet.date_formats, self.rules.zone);
        let moment = self.take(field, read)?;
        if moment.at > self.rules.now {
            self.fault(field, "must not be in the future");
            return None;
        }
        Some(moment)
    }

    fn incident(&mut self) -> (Option<NaiveDate>, Precision) {
        let Some(text) = self.bound.get(self.row, "incident_date") else { return (None, Precision::Unknown) };
        let read = dates::incident(text, &self.bound.sheet.date_formats);
        let Some((day, precision)) = self.take("incident_date", read) else {
            return (None, Precision::Unknown);
        };
        // A day later: somewhere it is tomorrow already.
        let today = self.rules.now.with_timezone(&self.rules.zone).date_naive();
        if today.checked_add_signed(TimeDelta::days(1)).is_some_and(|last| day > last) {
            self.fault("incident_date", "must not be in the future");
            return (None, Precision::Unknown);
        }
        (Some(day), precision)
    }

    /// The words of the complaint, exactly. Where the source has none, none are put into anybody's mouth.
    fn narrative(&mut self) -> String {
        let Some(text) = self.bound.exact(self.row, "narrative") else { return String::new() };
        if text.contains('\0') {
            self.fault("narrative", "must not hold the character U+0000");
        }
        if text.len() > TEXT_LIMIT {
            self.fault("narrative", "must be at most 65536 bytes of UTF-8");
        }
        text.to_owned()
    }
}
