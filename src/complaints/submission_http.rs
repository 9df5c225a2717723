//! How a complaint is checked: every fault is named at once.

use chrono::{DateTime, Months, NaiveDate, TimeDelta, Utc};
use uuid::Uuid;

use super::Precision;
use super::given_http::{
    AllegedGiven, ConsentGiven, IncidentGiven, ReporterGiven, SubjectGiven, SubmitComplaint, VictimGiven,
    WitnessGiven,
};
use super::particulars::{
    Alleged, Consent, Contact, Identities, Incident, Particulars, ReporterIdentity, Risk, Subject,
    SubjectIdentity, Victim, Witness,
};
use super::submission::{Keyed, Submission};
use crate::coa::{Language, Policy, Submitter, Vocabulary};
use crate::error::Result;
use crate::values::{Email, Faults, Line, Words};

/// The most persons, allegations or consents in one complaint.
const MOST: usize = 50;
/// Nobody complains today of what happened before this year.
const EARLIEST_YEAR: i32 = 1900;

/// What a complaint is checked against.
pub(super) struct Against<'a> {
    pub(super) policy: &'a Policy,
    pub(super) now: DateTime<Utc>,
    pub(super) submitter: Submitter,
    pub(super) language: Language,
    /// The id derived from the `Idempotency-Key`, if one was sent.
    pub(super) keyed: Option<Uuid>,
}

/// Checks words, lines and lists, noting each fault where it stands.
struct Checks<'a> {
    policy: &'a Policy,
    faults: Faults,
}

impl Checks<'_> {
    fn word(&mut self, pointer: &str, vocabulary: Vocabulary, word: Option<String>) -> Option<String> {
        let known = word.filter(|word| {
            let known = self.policy.knows(vocabulary, word);
            if !known {
                self.faults.add(
                    pointer,
                    format!("is not one of the policy's {}", vocabulary.section().replace('_', " ")),
                );
            }
            known
        })?;
        Some(known)
    }

    fn line(&mut self, pointer: &str, text: Option<String>) -> Option<String> {
        self.faults.take_some(pointer, text, Line::parse).map(Line::into_string)
    }

    fn words(&mut self, pointer: &str, text: Option<String>) -> Option<String> {
        self.faults.take_some(pointer, text, Words::parse).map(|words| words.as_str().to_owned())
    }

    fn channel(&mut self, channel: &str, submitter: Submitter) -> Option<String> {
        let detail = if !self.policy.knows(Vocabulary::Channel, channel) {
            "is not one of the policy's channels"
        } else if self.policy.channel_is_open(channel, submitter) {
            return Some(channel.to_owned());
        } else {
            "is a channel of officers; use web_form"
        };
        self.faults.add("/channel", detail);
        None
    }

    fn language(&mut self, code: Option<&str>, otherwise: Language) -> Option<Language> {
        let Some(code) = code else { return Some(otherwise) };
        let exact = Language::ALL.into_iter().find(|language| language.as_str() == code);
        self.faults.take("/language", exact.ok_or("must be ht, fr, en or es"))
    }

    fn allegations(&mut self, given: Vec<AllegedGiven>) -> Vec<Alleged> {
        let mut allegations = Vec::with_capacity(given.len());
        for (index, given) in given.into_iter().enumerate() {
            let pointer = format!("/allegations/{index}/type");
            let word = self.word(&pointer, Vocabulary::AllegationType, Some(given.r#type));
            allegations.extend(word.map(|word| Alleged { r#type: word }));
        }
        allegations
    }

    fn consents(&mut self, given: Vec<ConsentGiven>) -> Vec<Consent> {
        let mut consents = Vec::with_capacity(given.len());
        for (index, given) in given.into_iter().enumerate() {
            let pointer = format!("/consents/{index}/purpose");
            let word = self.word(&pointer, Vocabulary::ConsentPurpose, Some(given.purpose));
            consents.extend(word.map(|purpose| Consent { purpose, granted: given.granted }));
        }
        consents
    }

    fn at_most<T>(&mut self, pointer: &str, list: &mut Vec<T>) {
        if list.len() > MOST {
            self.faults.add(pointer, format!("must be at most {MOST}"));
            list.clear();
        }
    }
}

impl SubmitComplaint {
    /// The submission that this is, or everything that is wrong with it.
    pub(super) fn parse(mut self, against: &Against<'_>) -> Result<Submission> {
        let policy = against.policy;
        let mut checks = Checks { policy, faults: Faults::default() };
        checks.at_most("/victims", &mut self.victims);
        checks.at_most("/subjects", &mut self.subjects);
        checks.at_most("/witnesses", &mut self.witnesses);
        checks.at_most("/allegations", &mut self.allegations);
        checks.at_most("/consents", &mut self.consents);

        let channel = checks.channel(&self.channel, against.submitter);
        let language_stated = self.language.is_some();
        let language = checks.language(self.language.as_deref(), against.language);
        let narrative = checks.faults.take("/narrative", Words::parse(self.narrative));
        let reported_category =
            checks.word("/reported_category", Vocabulary::Category, self.reported_category);
        let incident =
            self.incident.map(|given| given.parse(&mut checks, policy, against.now)).unwrap_or_default();
        let (relation, reporter) = self.reporter.map(|given| given.parse(&mut checks)).unwrap_or_default();
        let anonymity = checks.word("/anonymity", Vocabulary::Anonymity, self.anonymity);
        let captured_at = self.captured_at.filter(|at| {
            let fault = if policy.is_in_the_future(*at, against.now) {
                Some("must not be in the future".to_owned())
            } else if chrono::Datelike::year(at) < EARLIEST_YEAR {
                Some(format!("must not be before {EARLIEST_YEAR}"))
            } else {
                None
            };
            let good = fault.is_none();
            if let Some(fault) = fault {
                checks.faults.add("/captured_at", fault);
            }
            good
        });
        let people = People::parse(&mut checks, self.victims, self.subjects, self.witnesses);
        let allegations = checks.allegations(self.allegations);
        let consents = checks.consents(self.consents);
        let risk = self.risk.map(|given| Risk {
            retaliation: checks.word("/risk/retaliation", Vocabulary::RiskLevel, given.retaliation),
            note: checks.words("/risk/note", given.note),
        });

        let types: Vec<&str> = allegations.iter().map(|alleged| alleged.r#type.as_str()).collect();
        let category = policy.first_category(reported_category.as_deref(), types.iter().copied()).to_owned();
        let mut flags: Vec<String> =
            policy.flags_of(types.iter().copied()).into_iter().map(str::to_owned).collect();
        let child = people.victims.iter().any(|victim| {
            policy.is_child(victim.age_band.as_deref(), victim.vulnerabilities.iter().map(String::as_str))
        });
        if child && !flags.iter().any(|flag| flag == "child") {
            flags.push("child".to_owned());
        }
        let country = people.subjects.iter().find_map(|subject| subject.country.clone());
        let known = reporter.name.is_some() || reporter.contact.is_some();
        let anonymity =
            anonymity.unwrap_or_else(|| if known { "confidential" } else { "anonymous" }.to_owned());
        let names = Identities {
            reporter: known.then_some(reporter),
            victims: kept(people.victim_names),
            subjects: kept(people.subject_names),
            witnesses: kept(people.witness_names),
        };
        let (id, keyed) = match (self.submission_id, against.keyed) {
            (Some(id), _) => (id, Keyed::BySubmissionId),
            (None, Some(id)) => (id, Keyed::ByIdempotencyKey),
            (None, None) => (Uuid::now_v7(), Keyed::ByNothing),
        };
        let said = Particulars {
            relation,
            incident: incident.clone(),
            victims: people.victims,
            subjects: people.subjects,
            witnesses: people.witnesses,
            allegations,
            consents,
            risk,
            source: None,
        };
        let whole = channel.zip(language).zip(narrative);
        let ((channel, language), narrative) = checks.faults.none_or(whole)?;
        let priority = policy.initial_priority().to_owned();
        Ok(Submission {
            id,
            keyed,
            channel,
            language,
            language_stated,
            narrative,
            reported_category,
            category,
            priority,
            flags,
            anonymity,
            incident,
            country,
            captured_at,
            said,
            names,
        })
    }
}

/// A list of names, unless nobody was named.
fn kept<T: Default + PartialEq>(names: Vec<T>) -> Vec<T> {
    if names.iter().all(|name| *name == T::default()) { Vec::new() } else { names }
}

impl IncidentGiven {
    fn parse(self, checks: &mut Checks<'_>, policy: &Policy, now: DateTime<Utc>) -> Incident {
        let today = policy.calendar().local_date(now);
        // A day later: somewhere it is tomorrow already, and a device's zone may be wrong.
        let last = today.checked_add_signed(TimeDelta::days(1)).unwrap_or(today);
        let mut plausible = |pointer: &str, date: Option<NaiveDate>| {
            let date = date?;
            if date > last {
                checks.faults.add(pointer, "must not be in the future");
                return None;
            }
            if chrono::Datelike::year(&date) < EARLIEST_YEAR {
                checks.faults.add(pointer, format!("must not be before {EARLIEST_YEAR}"));
                return None;
            }
            Some(date)
        };
        let from = plausible("/incident/from", self.from);
        let to = plausible("/incident/to", self.to);
        if let (Some(from), Some(to)) = (from, to)
            && to < from
        {
            checks.faults.add("/incident/to", "must not be before /incident/from");
        }
        let precision = match (from, self.precision) {
            (None, None | Some(Precision::Unknown)) => Precision::Unknown,
            (None, Some(_)) if self.from.is_none() => {
                checks.faults.add("/incident/precision", "must be unknown where no day is given");
                Precision::Unknown
            }
            (Some(_), Some(Precision::Unknown)) => {
                checks.faults.add("/incident/precision", "must be day, month or year where a day is given");
                Precision::Unknown
            }
            (_, precision) => precision.unwrap_or(Precision::Day),
        };
        let from = from.map(|day| first_of(day, precision));
        let department = checks.word("/incident/department", Vocabulary::Department, self.department);
        let commune = checks.line("/incident/commune", self.commune);
        let place = checks.line("/incident/place", self.place);
        Incident { from, to, precision, department, commune, place }
    }
}

/// The first day of the month or year that is meant: a day that nobody knew must not look as if somebody had.
fn first_of(day: NaiveDate, precision: Precision) -> NaiveDate {
    use chrono::Datelike as _;
    match precision {
        Precision::Month => day.with_day(1).unwrap_or(day),
        Precision::Year => {
            day.with_day(1).and_then(|day| day.checked_sub_months(Months::new(day.month0()))).unwrap_or(day)
        }
        Precision::Day | Precision::Unknown => day,
    }
}

impl ReporterGiven {
    fn parse(self, checks: &mut Checks<'_>) -> (Option<String>, ReporterIdentity) {
        let relation = checks.word("/reporter/relation", Vocabulary::ReporterRelation, self.relation);
        let name = checks.line("/reporter/name", self.name);
        let contact = self.contact.map(|given| Contact {
            phone: checks.line("/reporter/contact/phone", given.phone),
            email: checks
                .faults
                .take_some("/reporter/contact/email", given.email, Email::parse)
                .map(|email| email.as_str().to_owned()),
            safe_times: checks.line("/reporter/contact/safe_times", given.safe_times),
            safe_contact: given
                .safe_contact
                .map(|given| given.parse(&mut checks.faults, "/reporter/contact/safe_contact")),
        });
        (
            relation,
            ReporterIdentity { name, contact: contact.filter(|contact| *contact != Contact::default()) },
        )
    }
}

/// Victims, subjects and witnesses, each apart from their names.
#[derive(Default)]
struct People {
    victims: Vec<Victim>,
    victim_names: Vec<Option<String>>,
    subjects: Vec<Subject>,
    subject_names: Vec<SubjectIdentity>,
    witnesses: Vec<Witness>,
    witness_names: Vec<Option<String>>,
}

impl People {
    fn parse(
        checks: &mut Checks<'_>,
        victims: Vec<VictimGiven>,
        subjects: Vec<SubjectGiven>,
        witnesses: Vec<WitnessGiven>,
    ) -> Self {
        let mut people = Self::default();
        for (index, mut given) in victims.into_iter().enumerate() {
            let at = |field: &str| format!("/victims/{index}/{field}");
            checks.at_most(&at("vulnerabilities"), &mut given.vulnerabilities);
            let mut vulnerabilities = Vec::with_capacity(given.vulnerabilities.len());
            for (place, word) in given.vulnerabilities.into_iter().enumerate() {
                vulnerabilities.extend(checks.word(
                    &format!("/victims/{index}/vulnerabilities/{place}"),
                    Vocabulary::Vulnerability,
                    Some(word),
                ));
            }
            people.victims.push(Victim {
                sex: checks.word(&at("sex"), Vocabulary::Sex, given.sex),
                age_band: checks.word(&at("age_band"), Vocabulary::AgeBand, given.age_band),
                vulnerabilities,
            });
            people.victim_names.push(checks.line(&at("name"), given.name));
        }
        for (index, given) in subjects.into_iter().enumerate() {
            let at = |field: &str| format!("/subjects/{index}/{field}");
            people.subjects.push(Subject {
                country: checks.word(&at("country"), Vocabulary::Country, given.country),
                unit: checks.line(&at("unit"), given.unit),
                rank: checks.line(&at("rank"), given.rank),
                description: checks.words(&at("description"), given.description),
            });
            people.subject_names.push(SubjectIdentity {
                name: checks.line(&at("name"), given.name),
                service_number: checks.line(&at("service_number"), given.service_number),
            });
        }
        for (index, given) in witnesses.into_iter().enumerate() {
            people.witnesses.push(Witness {
                description: checks.words(&format!("/witnesses/{index}/description"), given.description),
            });
            people.witness_names.push(checks.line(&format!("/witnesses/{index}/name"), given.name));
        }
        people
    }
}
