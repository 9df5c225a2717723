//! What complainants are told, in their language.
//!
//! Belongs here: the sentences, their checking, and writing dates out. The sentences stand in
//! `policy/texts/`, so that a translator can edit them. Does not belong here: which sentence is due; the
//! reporter's thread decides that.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::Path;

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Flaw, Language};

macro_rules! keys {
    (
        statuses { $($(#[$sdoc:meta])* $status:ident = $sword:tt / $skey:literal),+ $(,)? }
        sentences { $($(#[$kdoc:meta])* $key:ident = $kword:literal [$($slot:literal),*]),+ $(,)? }
    ) => {
        /// Where a complaint stands, in the words for its complainant.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        #[schema(as = ComplaintStatus)]
        pub enum Status {
            $($(#[$sdoc])* #[serde(rename = $sword)] $status),+
        }

        impl Status {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$status),+];

            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$status => $sword),+ }
            }
        }

        /// A sentence for complainants.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Key {
            /// Where the complaint stands.
            Status(Status),
            $($(#[$kdoc])* $key),+
        }

        impl Key {
            /// Every one, in the order of the files.
            pub const ALL: &[Self] = &[$(Self::Status(Status::$status),)+ $(Self::$key),+];

            /// Its word in the files.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::Status(Status::$status) => $skey,)+ $(Self::$key => $kword),+ }
            }

            /// The values that it is said with: `{date}` in the file is the value named `date`.
            pub const fn slots(self) -> &'static [&'static str] {
                match self { Self::Status(_) => &[], $(Self::$key => &[$($slot),*]),+ }
            }
        }
    };
}

keys! {
    statuses {
        /// It arrived.
        Received = "received" / "status_received",
        /// The complainant was told that it arrived.
        Acknowledged = "acknowledged" / "status_acknowledged",
        /// Somebody is deciding what to do with it.
        UnderAssessment = "under_assessment" / "status_under_assessment",
        /// More information is needed.
        AwaitingInformation = "awaiting_information" / "status_awaiting_information",
        /// It is being settled with the complainant's agreement.
        InformalResolution = "informal_resolution" / "status_informal_resolution",
        /// It is being investigated.
        UnderInvestigation = "under_investigation" / "status_under_investigation",
        /// The State that sent the person has it.
        PendingWithState = "pending_with_state" / "status_pending_with_state",
        /// The work is halted.
        Suspended = "suspended" / "status_suspended",
        /// The panel is deciding.
        AwaitingDecision = "awaiting_decision" / "status_awaiting_decision",
        /// It is decided; what follows from it is being done.
        Decided = "decided" / "status_decided",
        /// Another body has it.
        ReferredOut = "referred_out" / "status_referred_out",
        /// It was joined to another complaint about the same.
        Merged = "merged" / "status_merged",
        /// The decision is looked at again.
        UnderReview = "under_review" / "status_under_review",
        /// It was opened again.
        Reopened = "reopened" / "status_reopened",
        /// It is closed.
        Closed = "closed" / "status_closed",
    }
    sentences {
        /// By when the next news comes.
        NextUpdate = "next_update" ["date"],
        /// That the next news is late.
        UpdateLate = "update_late" ["date"],
        /// That the next news is late, without naming the mission.
        UpdateLateNeutral = "update_late_neutral" ["date"],
        /// That nothing more is due.
        NoUpdateDue = "no_update_due" [],
        /// On handing in: it arrived, and how to come back.
        Receipt = "receipt" ["reference", "date"],
        /// On handing in: keep the code.
        KeepCode = "keep_code" [],
        /// On handing in: what happens next.
        WhatHappensNext = "what_happens_next" [],
        /// The acknowledgement.
        Acknowledgement = "acknowledgement" ["reference", "date"],
        /// What is kept secret, and when it cannot be.
        ConfidentialityLimits = "confidentiality_limits" [],
        /// That consent can be withdrawn.
        WithdrawConsent = "withdraw_consent" [],
        /// That help does not depend on proof.
        SupportOffer = "support_offer" [],
        /// What to do about threats or revenge.
        Retaliation = "retaliation" [],
        /// That the decision can be looked at again.
        ReviewRight = "review_right" ["date"],
        /// Where else one can go: introduction.
        RoutesIntroduction = "routes_introduction" [],
        /// Where else one can go: the United Nations human rights office.
        RouteOhchr = "route_ohchr" [],
        /// Where else one can go: the national ombudsman.
        RouteOpc = "route_opc" [],
        /// Where else one can go: the United Nations line against sexual exploitation and abuse.
        RouteLine = "route_line_8811" [],
        /// What a finding of "not substantiated" does not mean.
        NotSubstantiatedNotice = "not_substantiated_notice" [],
    }
}

/// Whether somebody who grew up with the language has read the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TextReview)]
pub enum Review {
    /// The texts were first written in this language.
    Original,
    /// Not yet.
    AwaitingNativeReview,
    /// Yes.
    Reviewed,
}

/// One language's file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    language: Language,
    review: Review,
    date: String,
    #[serde(default)]
    first_day: Option<String>,
    months: Vec<String>,
    names: Vec<String>,
    say: toml::Table,
}

/// The checked texts of one language.
#[derive(Debug, Clone)]
struct Book {
    review: Review,
    date: String,
    first_day: Option<String>,
    months: Vec<String>,
    /// By what the mission is known.
    names: Vec<String>,
    /// In the order of [`Key::ALL`].
    sentences: Vec<String>,
}

/// What complainants are told, in every language.
#[derive(Debug, Clone)]
pub struct Texts {
    /// In the order of [`Language::ALL`].
    books: Vec<Book>,
}

impl Texts {
    /// The texts that the program carries.
    pub fn built_in() -> Result<Self, Vec<Flaw>> {
        Self::parse([
            include_str!("../../policy/texts/ht.toml"),
            include_str!("../../policy/texts/fr.toml"),
            include_str!("../../policy/texts/en.toml"),
            include_str!("../../policy/texts/es.toml"),
        ])
    }

    /// Reads `ht.toml`, `fr.toml`, `en.toml` and `es.toml` in a folder. A file that cannot be read is a flaw.
    pub fn load(folder: &Path) -> Result<Self, Vec<Flaw>> {
        let read = |language: Language| {
            let path = folder.join(format!("{}.toml", language.as_str()));
            std::fs::read_to_string(&path)
                .map_err(|error| Flaw::new(path.display().to_string(), error.to_string()))
        };
        let files = Language::ALL.map(read);
        let flaws: Vec<Flaw> = files.iter().filter_map(|file| file.as_ref().err().cloned()).collect();
        if !flaws.is_empty() {
            return Err(flaws);
        }
        Self::parse(files.each_ref().map(|file| file.as_deref().unwrap_or_default()))
    }

    /// Reads one file per language, in the order of [`Language::ALL`], and names every flaw at once: a
    /// missing or unknown key, a placeholder too many or too few, an empty sentence, a wrong date.
    pub fn parse(files: [&str; 4]) -> Result<Self, Vec<Flaw>> {
        let mut flaws = Vec::new();
        let books =
            Language::ALL.into_iter().zip(files).filter_map(|(language, text)| {
                match toml::from_str::<File>(text) {
                    Ok(file) => Some(check(language, file, &mut flaws)),
                    Err(error) => {
                        flaws.push(Flaw::new(language.as_str(), error.to_string()));
                        None
                    }
                }
            });
        let books = books.collect();
        if flaws.is_empty() { Ok(Self { books }) } else { Err(flaws) }
    }

    /// A sentence, with its values filled in. A value that is not given leaves its placeholder standing.
    pub fn say(&self, language: Language, key: Key, values: &[(&str, &str)]) -> String {
        let sentence = self.book(language).and_then(|book| book.sentences.get(key.place()));
        let mut said = String::new();
        let mut rest = sentence.map_or("", String::as_str);
        while let Some((before, after)) = rest.split_once('{') {
            said.push_str(before);
            let Some((slot, tail)) = after.split_once('}') else { break };
            match values.iter().find(|(name, _)| *name == slot) {
                Some((_, value)) => said.push_str(value),
                None => said.extend(["{", slot, "}"]),
            }
            rest = tail;
        }
        said.push_str(rest);
        said
    }

    /// Whether a text names the mission, in any of the languages, as a word or words by themselves.
    pub fn name_the_mission(&self, text: &str) -> bool {
        let words = |text: &str| -> String {
            let folded = text.to_lowercase();
            let words: Vec<&str> =
                folded.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
            format!(" {} ", words.join(" "))
        };
        let text = words(text);
        self.books.iter().flat_map(|book| &book.names).any(|name| text.contains(&words(name)))
    }

    /// A date, written out as the language does.
    pub fn date(&self, language: Language, date: NaiveDate) -> String {
        let Some(book) = self.book(language) else { return date.to_string() };
        let day: Cow<'_, str> = match &book.first_day {
            Some(first) if date.day() == 1 => first.into(),
            _ => date.day().to_string().into(),
        };
        let month = book.months.get(date.month0() as usize).map_or("", String::as_str);
        let year = date.year().to_string();
        book.date.replace("{day}", &day).replace("{month}", month).replace("{year}", &year)
    }

    /// Whether somebody who grew up with the language has read its texts.
    pub fn review(&self, language: Language) -> Review {
        self.book(language).map_or(Review::AwaitingNativeReview, |book| book.review)
    }

    fn book(&self, language: Language) -> Option<&Book> {
        self.books.get(language as usize)
    }
}

impl Key {
    /// Where it stands in [`Key::ALL`].
    fn place(self) -> usize {
        Self::ALL.iter().position(|key| *key == self).unwrap_or(usize::MAX)
    }
}

/// Checks one file, and puts its sentences in order.
fn check(language: Language, mut file: File, flaws: &mut Vec<Flaw>) -> Book {
    let name = language.as_str();
    let mut flaw = |place: &str, detail: String| flaws.push(Flaw::new(format!("{name}.{place}"), detail));
    if file.language != language {
        flaw("language", format!("must be \"{name}\""));
    }
    if file.months.len() != 12 || file.months.iter().any(|month| month.trim().is_empty()) {
        flaw("months", "must be the names of twelve months".to_owned());
    }
    if slots(&file.date) != ["day", "month", "year"] {
        flaw("date", "must name {day}, {month} and {year} once each".to_owned());
    }
    let mut sentences = Vec::with_capacity(Key::ALL.len());
    for key in Key::ALL {
        let place = format!("say.{}", key.as_str());
        let sentence = match file.say.remove(key.as_str()) {
            Some(toml::Value::String(sentence)) => sentence,
            Some(_) => {
                flaw(&place, "must be a text".to_owned());
                continue;
            }
            None => {
                flaw(&place, "is missing".to_owned());
                continue;
            }
        };
        if sentence.trim().is_empty() || sentence.trim() != sentence {
            flaw(&place, "must be a text without spaces around it".to_owned());
        }
        if sentence.chars().any(|c| (c.is_control() && c != '\n') || is_bidi(c)) {
            flaw(&place, "must have no control characters".to_owned());
        }
        let (mut wanted, named) = (key.slots().to_vec(), slots(&sentence));
        wanted.sort_unstable();
        if named != wanted {
            let mut list = String::new();
            for slot in wanted {
                let _ = write!(list, " {{{slot}}}");
            }
            flaw(&place, format!("must name once each:{}", if list.is_empty() { " nothing" } else { &list }));
        }
        sentences.push(sentence);
    }
    for unknown in file.say.keys() {
        flaw(&format!("say.{unknown}"), "is not a known key".to_owned());
    }
    if file.names.is_empty() || file.names.iter().any(|name| !name.chars().any(char::is_alphanumeric)) {
        flaw("names", "must be the names by which the mission is known".to_owned());
    }
    Book {
        review: file.review,
        date: file.date,
        first_day: file.first_day,
        months: file.months,
        names: file.names,
        sentences,
    }
}

/// The placeholders of a sentence, sorted. A brace that is not closed counts as one without a name.
fn slots(sentence: &str) -> Vec<&str> {
    let mut slots: Vec<&str> =
        sentence.split('{').skip(1).map(|rest| rest.split_once('}').map_or("", |(slot, _)| slot)).collect();
    slots.sort_unstable();
    slots
}

/// Whether a character turns the direction of writing.
pub(super) fn is_bidi(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
#[path = "texts_tests.rs"]
mod tests;
