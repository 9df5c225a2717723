//! Whether the rows of a policy agree with each other.
//!
//! Belongs here: everything that a file can say in good form and yet get wrong. Every flaw is named.

use std::collections::HashSet;

use super::deadlines::{DeadlineRule, Event, Unit};
use super::limits::ThresholdWord;
use super::read::Reader;
use super::sections::{ClockStart, Worded};
use super::texts::is_bidi;
use super::{Flaw, Policy, calendar};

/// The clocks without which no matter may be.
const REQUIRED: [&str; 6] = ["D1", "D5", "D10", "D11", "D12", "D13"];
/// Of these, the ones that between them must cover every category in which a case may be opened.
const INVESTIGATION: [&str; 3] = ["D10", "D11", "D12"];

/// Checks a policy that has been read, and adds what is wrong with it to the reader's flaws.
pub(super) fn check(policy: &Policy, file: &mut Reader) {
    let mut found = Found { file, flaws: Vec::new() };
    header(policy, &mut found);
    words(policy, &mut found);
    taxonomy(policy, &mut found);
    intake(policy, &mut found);
    outcomes(policy, &mut found);
    numbers(policy, &mut found);
    deadlines(policy, &mut found);
    ladder(policy, &mut found);
    let flaws = found.flaws;
    file.flaws.extend(flaws);
}

/// What has been found wrong so far.
struct Found<'a> {
    file: &'a Reader,
    flaws: Vec<Flaw>,
}

impl Found<'_> {
    /// Names a flaw unless all is well.
    fn need(&mut self, well: bool, section: &str, at: usize, field: &str, detail: impl Into<String>) {
        if !well {
            self.flaws.push(Flaw::new(format!("{}.{field}", self.file.place(section, at)), detail));
        }
    }

    /// Names a flaw of a whole section unless all is well. A section with rows that could not be read has that flaw
    /// already, and what seems to be missing may stand in them.
    fn need_all(&mut self, well: bool, section: &str, detail: impl Into<String>) {
        if !well && self.file.is_whole(section) {
            self.flaws.push(Flaw::new(section, detail));
        }
    }

    /// Names every word that another section does not hold, and every one named twice.
    fn cites(&mut self, words: &[String], of: &str, section: &str, at: usize, field: &str) {
        for (n, word) in words.iter().enumerate() {
            let known = self.file.has(of, word);
            self.need(known, section, at, field, format!("\"{word}\" is not one of the {of}"));
            let first = words.iter().position(|other| other == word) == Some(n);
            self.need(first, section, at, field, format!("names \"{word}\" twice"));
        }
    }

    fn basis(&mut self, basis: &str, section: &str, at: usize) {
        self.need(!basis.trim().is_empty(), section, at, "basis", "must say who says so");
    }
}

fn header(policy: &Policy, found: &mut Found<'_>) {
    let parts: Vec<&str> = policy.version.split('.').collect();
    let number = |part: &&str| part.parse::<u32>().is_ok_and(|number| number.to_string() == *part);
    let well = policy.version.is_empty() || (parts.len() == 3 && parts.iter().all(number));
    found.need_all(well, "version", "must be three numbers, such as \"1.0.0\"");
    let well = policy.timezone.is_empty() || policy.timezone.parse::<chrono_tz::Tz>().is_ok();
    found.need_all(well, "timezone", "is not a known time zone");
}

/// Checks the words and titles of every section.
fn words(policy: &Policy, found: &mut Found<'_>) {
    fn rows<T: Worded>(rows: &[T], section: &str, pattern: Pattern, found: &mut Found<'_>) {
        let mut seen = HashSet::new();
        for (at, row) in rows.iter().enumerate() {
            found.need(pattern.holds(row.word()), section, at, "word", pattern.sentence());
            found.need(
                seen.insert(row.word()),
                section,
                at,
                "word",
                format!("\"{}\" is there twice", row.word()),
            );
            let title = row.title();
            let clean = title.trim() == title && !title.is_empty();
            let clean = clean && !title.chars().any(|c| c.is_control() || is_bidi(c));
            found.need(
                clean,
                section,
                at,
                "title",
                "must be a text without spaces around it or control characters",
            );
        }
    }
    use Pattern::{Area, Band, Country, Language, Word};
    rows(&policy.languages, "languages", Language, found);
    rows(&policy.categories, "categories", Word, found);
    rows(&policy.flags, "flags", Word, found);
    rows(&policy.priorities, "priorities", Word, found);
    rows(&policy.allegation_types, "allegation_types", Word, found);
    rows(&policy.channels, "channels", Word, found);
    rows(&policy.reporter_relations, "reporter_relations", Word, found);
    rows(&policy.anonymity, "anonymity", Word, found);
    rows(&policy.sexes, "sexes", Word, found);
    rows(&policy.age_bands, "age_bands", Band, found);
    rows(&policy.vulnerabilities, "vulnerabilities", Word, found);
    rows(&policy.consent_purposes, "consent_purposes", Word, found);
    rows(&policy.date_precisions, "date_precisions", Word, found);
    rows(&policy.risk_levels, "risk_levels", Word, found);
    rows(&policy.personnel_categories, "personnel_categories", Word, found);
    rows(&policy.co_actor_forces, "co_actor_forces", Word, found);
    rows(&policy.countries, "countries", Country, found);
    rows(&policy.departments, "departments", Area, found);
    rows(&policy.referral_bodies, "referral_bodies", Word, found);
    rows(&policy.closure_reasons, "closure_reasons", Word, found);
    rows(&policy.stages, "stages", Word, found);
    rows(&policy.published_statuses, "published_statuses", Word, found);
    rows(&policy.findings, "findings", Word, found);
    rows(&policy.standards_of_proof, "standards_of_proof", Word, found);
    rows(&policy.interim_measures, "interim_measures", Word, found);
    rows(&policy.sanctions, "sanctions", Word, found);
    rows(&policy.jurisdiction_bases, "jurisdiction_bases", Word, found);
    rows(&policy.retention, "retention", Word, found);
    rows(&policy.escalation, "escalation", Word, found);
}

fn taxonomy(policy: &Policy, found: &mut Found<'_>) {
    let mut ranks = HashSet::new();
    for (at, category) in policy.categories.iter().enumerate() {
        found.need(ranks.insert(category.rank), "categories", at, "rank", "is another category's too");
        let lane = category.lane.as_deref();
        found.need(lane.is_none_or(is_word), "categories", at, "lane", Pattern::Word.sentence());
        found.basis(&category.basis, "categories", at);
    }
    let initial = policy.categories.iter().filter(|category| category.initial).count();
    found.need_all(initial == 1, "categories", "must have exactly one that is initial");
    let mut ranks = HashSet::new();
    for (at, priority) in policy.priorities.iter().enumerate() {
        found.need(ranks.insert(priority.rank), "priorities", at, "rank", "is another priority's too");
    }
    for (at, flag) in policy.flags.iter().enumerate() {
        found.need(flag.lane.as_deref().is_none_or(is_word), "flags", at, "lane", Pattern::Word.sentence());
    }
    for (at, kind) in policy.allegation_types.iter().enumerate() {
        let category = std::slice::from_ref(&kind.category);
        found.cites(category, "categories", "allegation_types", at, "category");
        found.cites(&kind.flags, "flags", "allegation_types", at, "flags");
        let oios = kind.oios.is_none_or(|oios| (1..=2).contains(&oios));
        found.need(oios, "allegation_types", at, "oios", "must be 1 or 2");
        found.basis(&kind.basis, "allegation_types", at);
    }
}

fn intake(policy: &Policy, found: &mut Found<'_>) {
    for (at, channel) in policy.channels.iter().enumerate() {
        found.need(!channel.open_to.is_empty(), "channels", at, "open_to", "must not be empty");
        let well = match (channel.clock, channel.max_capture_age_hours) {
            (ClockStart::ReceivedAt, age) => age.is_none(),
            (ClockStart::CapturedAt, age) => {
                age.is_some_and(|age| (1..=Unit::Hours.largest()).contains(&age))
            }
        };
        let detail = "must be 1 to 8784 with the clock captured_at, and absent with received_at";
        found.need(well, "channels", at, "max_capture_age_hours", detail);
    }
    let mut places = HashSet::new();
    for (at, department) in policy.departments.iter().enumerate() {
        let code = &department.p_code;
        let well = matches!(code.as_bytes(), [b'A'..=b'Z', b'A'..=b'Z', b'0'..=b'9', b'0'..=b'9']);
        found.need(well, "departments", at, "p_code", "must be two capital letters and two digits");
        found.need(places.insert(code), "departments", at, "p_code", format!("\"{code}\" is there twice"));
    }
    for (at, country) in policy.countries.iter().enumerate() {
        for authority in &country.authorities {
            let named = !authority.title.trim().is_empty();
            found.need(named, "countries", at, "authorities", "must each have a title");
            found.basis(&authority.basis, "countries", at);
        }
    }
}

fn outcomes(policy: &Policy, found: &mut Found<'_>) {
    for (at, reason) in policy.closure_reasons.iter().enumerate() {
        found.cites(&reason.categories, "categories", "closure_reasons", at, "categories");
    }
    for category in &policy.categories {
        let closable = |reason: &super::ClosureReason| {
            reason.categories.is_empty() || reason.categories.contains(&category.word)
        };
        let any = policy.closure_reasons.iter().any(closable);
        found.need_all(
            any,
            "closure_reasons",
            format!("has no reason for which {} may close", category.word),
        );
    }
    for (at, stage) in policy.stages.iter().enumerate() {
        let published = std::slice::from_ref(&stage.published);
        found.cites(published, "published_statuses", "stages", at, "published");
    }
    for (at, finding) in policy.findings.iter().enumerate() {
        let published = std::slice::from_ref(&finding.published);
        found.cites(published, "published_statuses", "findings", at, "published");
    }
    for (at, class) in policy.retention.iter().enumerate() {
        let years = (1..=100).contains(&class.years);
        found.need(years, "retention", at, "years", "must be 1 to 100");
        found.cites(&class.categories, "categories", "retention", at, "categories");
        found.cites(&class.flags, "flags", "retention", at, "flags");
        found.basis(&class.basis, "retention", at);
    }
    for category in &policy.categories {
        let kept = policy.retention_of(&category.word, &[]).is_some();
        found.need_all(kept, "retention", format!("does not say how long {} is kept", category.word));
    }
}

fn numbers(policy: &Policy, found: &mut Found<'_>) {
    for (at, threshold) in policy.thresholds.iter().enumerate() {
        let well = (1..=100_000).contains(&threshold.value);
        found.need(well, "thresholds", at, "value", "must be 1 to 100000");
        found.basis(&threshold.basis, "thresholds", at);
    }
    for word in ThresholdWord::ALL {
        let times = policy.thresholds.iter().filter(|threshold| threshold.word == word).count();
        found.need_all(
            times == 1,
            "thresholds",
            format!("must have {word:?} exactly once, not {times} times"),
        );
    }
    for (at, holiday) in policy.holidays.iter().enumerate() {
        let fault = calendar::fault(holiday);
        let kind = if holiday.easter.is_some() {
            "easter"
        } else if holiday.date.is_some() {
            "date"
        } else {
            "fixed"
        };
        found.need(fault.is_none(), "holidays", at, kind, fault.unwrap_or_default());
        let ordered = holiday.from_year.zip(holiday.to_year).is_none_or(|(from, to)| from <= to);
        found.need(ordered, "holidays", at, "to_year", "must not be before `from_year`");
        found.basis(&holiday.basis, "holidays", at);
    }
}

fn deadlines(policy: &Policy, found: &mut Found<'_>) {
    for (at, rule) in policy.deadlines.iter().enumerate() {
        let code = rule.code.strip_prefix('D').unwrap_or_default();
        let well = (1..=2).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit());
        found.need(well, "deadlines", at, "code", "must be D and one or two digits");
        found.need(is_word(&rule.name), "deadlines", at, "name", Pattern::Word.sentence());
        found.need(!rule.title.trim().is_empty(), "deadlines", at, "title", "must not be empty");
        let largest = rule.unit.largest();
        let well = (1..=largest).contains(&rule.amount);
        found.need(well, "deadlines", at, "amount", format!("must be 1 to {largest} of this unit"));
        found.cites(&rule.categories, "categories", "deadlines", at, "categories");
        found.cites(&rule.flags, "flags", "deadlines", at, "flags");
        found.cites(&rule.priorities, "priorities", "deadlines", at, "priorities");
        found.basis(&rule.basis, "deadlines", at);
        for (before, other) in policy.deadlines.iter().take(at).enumerate() {
            if other.name == rule.name {
                let detail = format!(
                    "is the same as in {}, but it starts otherwise",
                    found.file.place("deadlines", before)
                );
                found.need(other.starts_at == rule.starts_at, "deadlines", at, "name", detail);
                let detail = format!("overlap those of {}", found.file.place("deadlines", before));
                found.need(!overlap(other, rule), "deadlines", at, "categories", detail);
            }
        }
    }
    for code in REQUIRED {
        let there = policy.deadlines.iter().any(|rule| rule.code == code);
        found.need_all(there, "deadlines", format!("must have a rule {code}"));
    }
    for category in &policy.categories {
        let word = &category.word;
        let always = |rule: &DeadlineRule| {
            rule.flags.is_empty()
                && rule.priorities.is_empty()
                && (rule.categories.is_empty() || rule.categories.contains(word))
        };
        for code in ["D1", "D5", "D13"] {
            let covered = policy.deadlines.iter().any(|rule| rule.code == code && always(rule));
            found.need_all(covered, "deadlines", format!("{code} does not cover {word} in every case"));
        }
        let covered = policy.deadlines.iter().any(|rule| {
            INVESTIGATION.contains(&rule.code.as_str()) && rule.starts_at == Event::CaseOpened && always(rule)
        });
        let detail = format!("no investigation clock (D10, D11, D12) covers {word} in every case");
        found.need_all(covered || !category.opens_case, "deadlines", detail);
    }
}

/// Whether two rules of one name meet on the same condition, so that nobody can say which one is meant. Rules
/// with different marks or priorities may meet: then the tighter counts.
fn overlap(one: &DeadlineRule, other: &DeadlineRule) -> bool {
    let meet = |one: &[String], other: &[String]| {
        one.is_empty() || other.is_empty() || one.iter().any(|word| other.contains(word))
    };
    let same =
        |one: &[String], other: &[String]| one.iter().collect::<HashSet<_>>() == other.iter().collect();
    same(&one.flags, &other.flags)
        && same(&one.priorities, &other.priorities)
        && meet(&one.categories, &other.categories)
}

fn ladder(policy: &Policy, found: &mut Found<'_>) {
    let lanes: HashSet<&str> = policy
        .categories
        .iter()
        .filter_map(|category| category.lane.as_deref())
        .chain(policy.flags.iter().filter_map(|flag| flag.lane.as_deref()))
        .collect();
    for (at, step) in policy.escalation.iter().enumerate() {
        let well = (1..=100).contains(&step.at_percent);
        found.need(well, "escalation", at, "at_percent", "must be 1 to 100");
        let days = step.after_working_days;
        let well = days == 0 || (step.at_percent == 100 && days <= Unit::WorkingDays.largest());
        found.need(
            well,
            "escalation",
            at,
            "after_working_days",
            "must be 0 unless `at_percent` is 100, and at most 1300",
        );
        let role = step.role.as_deref().is_none_or(is_word);
        found.need(role, "escalation", at, "role", Pattern::Word.sentence());
        for lane in &step.lanes {
            let known = lanes.contains(lane.as_str());
            found.need(
                known,
                "escalation",
                at,
                "lanes",
                format!("\"{lane}\" is no category's and no mark's lane"),
            );
        }
        found.basis(&step.basis, "escalation", at);
    }
}

/// What the words of a section look like.
#[derive(Clone, Copy)]
enum Pattern {
    Word,
    Band,
    Language,
    Country,
    Area,
}

impl Pattern {
    fn holds(self, word: &str) -> bool {
        match self {
            Self::Word => is_word(word),
            Self::Band => {
                let sign = |byte: u8| byte == b'-' || byte == b'+' || byte == b'_';
                let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || sign(byte);
                (1..=64).contains(&word.len())
                    && !word.starts_with(['-', '+', '_'])
                    && word.bytes().all(inner)
            }
            Self::Language => {
                (2..=3).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_lowercase())
            }
            Self::Country => is_country(word),
            Self::Area => word.split_once('-').is_some_and(|(country, area)| {
                let inner = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
                is_country(country) && (1..=3).contains(&area.len()) && area.bytes().all(inner)
            }),
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::Word => "must be a word of a-z, 0-9 and _ that begins with a letter, at most 64 long",
            Self::Band => "must be a word of a-z, 0-9, -, + and _, at most 64 long",
            Self::Language => "must be an ISO 639 code: two or three small letters",
            Self::Country => "must be an ISO 3166-1 code: two capital letters",
            Self::Area => "must be an ISO 3166-2 code, such as \"HT-OU\"",
        }
    }
}

fn is_word(word: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    word.len() <= 64 && word.starts_with(|c: char| c.is_ascii_lowercase()) && word.bytes().all(inner)
}

fn is_country(word: &str) -> bool {
    matches!(word.as_bytes(), [b'A'..=b'Z', b'A'..=b'Z'])
}
