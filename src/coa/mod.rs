//! The mission's policy on compliance, oversight and accountability, as data.
//!
//! Belongs here: the vocabulary, the deadlines and the thresholds that `policy/haiti-coa.toml` holds, checked
//! whole; the working calendar; the texts for complainants. Nothing of them is repeated in code: a mission
//! with another policy changes the file. Does not belong here: what to do when a rule applies; features
//! decide that. Pure, but for [`Policy::load`] and [`Texts::load`].

pub mod calendar;
mod check;
pub mod deadlines;
pub(crate) mod http;
mod index;
mod language;
pub mod limits;
mod read;
mod rules;
pub mod sections;
pub mod texts;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;

use serde::Serialize;
use utoipa::ToSchema;

pub use calendar::Calendar;
pub use deadlines::{DeadlineRule, EscalationStep, Event, Matter, OwedBy, Unit};
pub use index::Vocabulary;
pub use language::Language;
pub use limits::{Holiday, Retention, RetentionStart, Threshold, ThresholdWord};
pub use sections::{
    AgeBand, AllegationType, Category, Channel, ClosureReason, Country, Department, Finding, Flag, Priority,
    ReferralBody, SpokenLanguage, StageStatus, Submitter, Term, Vulnerability,
};
pub use texts::{Key, Status, Texts};

use index::Index;
use read::Reader;

/// One thing that is wrong with a policy or a text file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Where, such as `deadlines[3].amount`.
    pub place: String,
    /// What, as the end of a sentence that begins with the place.
    pub detail: String,
}

impl Flaw {
    pub(crate) fn new(place: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { place: place.into(), detail: detail.into() }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.detail.trim_end())
    }
}

/// The mission's policy: read once at start, valid ever after.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Policy {
    /// Which policy this is.
    pub id: String,
    /// Which version of it, as `major.minor.patch`.
    pub version: String,
    /// SHA-256 of the file's bytes, in lower-case hexadecimal.
    pub digest: String,
    /// What it is called.
    pub title: String,
    /// The mission it is for.
    pub mission: String,
    /// How to read the numbers in it.
    pub notice: String,
    /// The time zone in which days are counted.
    pub timezone: String,
    /// The languages of texts for complainants.
    pub languages: Vec<SpokenLanguage>,
    /// The categories of misconduct.
    pub categories: Vec<Category>,
    /// The marks of a matter.
    pub flags: Vec<Flag>,
    /// How soon a matter wants attention.
    pub priorities: Vec<Priority>,
    /// What somebody can be said to have done.
    pub allegation_types: Vec<AllegationType>,
    /// The ways in which complaints come.
    pub channels: Vec<Channel>,
    /// What the reporter has to do with what happened.
    pub reporter_relations: Vec<Term>,
    /// How far the reporter is known.
    pub anonymity: Vec<Term>,
    /// The sexes.
    pub sexes: Vec<Term>,
    /// The ranges of ages.
    pub age_bands: Vec<AgeBand>,
    /// What makes a person easier to harm.
    pub vulnerabilities: Vec<Vulnerability>,
    /// What a person can consent to.
    pub consent_purposes: Vec<Term>,
    /// How exactly a date is known.
    pub date_precisions: Vec<Term>,
    /// How great a risk is.
    pub risk_levels: Vec<Term>,
    /// The kinds of mission personnel.
    pub personnel_categories: Vec<Term>,
    /// Forces that acted together with the mission.
    pub co_actor_forces: Vec<Term>,
    /// The contributing States.
    pub countries: Vec<Country>,
    /// The departments of Haiti.
    pub departments: Vec<Department>,
    /// The bodies that a matter can be handed to.
    pub referral_bodies: Vec<ReferralBody>,
    /// Why a matter may be closed.
    pub closure_reasons: Vec<ClosureReason>,
    /// What a stage is called outside the office.
    pub stages: Vec<StageStatus>,
    /// The statuses of published figures.
    pub published_statuses: Vec<Term>,
    /// What can be found.
    pub findings: Vec<Finding>,
    /// How sure a finding must be.
    pub standards_of_proof: Vec<Term>,
    /// What can be ordered before a decision.
    pub interim_measures: Vec<Term>,
    /// What the mission can impose.
    pub sanctions: Vec<Term>,
    /// Who may judge, and why.
    pub jurisdiction_bases: Vec<Term>,
    /// The numbers that rules turn on.
    pub thresholds: Vec<Threshold>,
    /// How long records are kept.
    pub retention: Vec<Retention>,
    /// The days on which offices are closed.
    pub holidays: Vec<Holiday>,
    /// What is due when.
    pub deadlines: Vec<DeadlineRule>,
    /// To whom a deadline climbs.
    pub escalation: Vec<EscalationStep>,
    #[serde(skip)]
    index: Index,
    #[serde(skip)]
    calendar: Calendar,
}

impl Policy {
    /// Reads a policy file's text and names every flaw at once; only text that is not TOML has just one.
    pub fn parse(text: &str) -> Result<Self, Vec<Flaw>> {
        let mut file = Reader::open(text)?;
        let timezone = file.text("timezone");
        let zone = timezone.parse().unwrap_or(chrono_tz::UTC);
        let holidays: Vec<Holiday> = file.rows("holidays");
        let mut policy = Self {
            id: file.text("id"),
            version: file.text("version"),
            digest: digest(text),
            title: file.text("title"),
            mission: file.text("mission"),
            notice: file.text("notice"),
            timezone,
            languages: file.rows("languages"),
            categories: file.rows("categories"),
            flags: file.rows("flags"),
            priorities: file.rows("priorities"),
            allegation_types: file.rows("allegation_types"),
            channels: file.rows("channels"),
            reporter_relations: file.rows("reporter_relations"),
            anonymity: file.rows("anonymity"),
            sexes: file.rows("sexes"),
            age_bands: file.rows("age_bands"),
            vulnerabilities: file.rows("vulnerabilities"),
            consent_purposes: file.rows("consent_purposes"),
            date_precisions: file.rows("date_precisions"),
            risk_levels: file.rows("risk_levels"),
            personnel_categories: file.rows("personnel_categories"),
            co_actor_forces: file.rows("co_actor_forces"),
            countries: file.rows("countries"),
            departments: file.rows("departments"),
            referral_bodies: file.rows("referral_bodies"),
            closure_reasons: file.rows("closure_reasons"),
            stages: file.rows("stages"),
            published_statuses: file.rows("published_statuses"),
            findings: file.rows("findings"),
            standards_of_proof: file.rows("standards_of_proof"),
            interim_measures: file.rows("interim_measures"),
            sanctions: file.rows("sanctions"),
            jurisdiction_bases: file.rows("jurisdiction_bases"),
            thresholds: file.rows("thresholds"),
            retention: file.rows("retention"),
            deadlines: file.rows("deadlines"),
            escalation: file.rows("escalation"),
            index: Index::default(),
            calendar: Calendar::new(zone, &holidays),
            holidays,
        };
        file.close();
        check::check(&policy, &mut file);
        if !file.flaws.is_empty() {
            return Err(file.flaws);
        }
        policy.index = Index::of(&policy);
        Ok(policy)
    }

    /// Reads a policy file. A file that cannot be read has one flaw.
    pub fn load(path: &Path) -> Result<Self, Vec<Flaw>> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| vec![Flaw::new(path.display().to_string(), error.to_string())])?;
        Self::parse(&text)
    }

    /// The policy that the program carries.
    pub fn built_in() -> Result<Self, Vec<Flaw>> {
        Self::parse(include_str!("../../policy/haiti-coa.toml"))
    }

    /// The working calendar.
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// Whether a vocabulary holds a word.
    pub fn knows(&self, vocabulary: Vocabulary, word: &str) -> bool {
        self.index.place(vocabulary, word).is_some()
    }

    /// The category of this word.
    pub fn category(&self, word: &str) -> Option<&Category> {
        self.categories.get(self.index.place(Vocabulary::Category, word)?)
    }

    /// The mark of this word.
    pub fn flag(&self, word: &str) -> Option<&Flag> {
        self.flags.get(self.index.place(Vocabulary::Flag, word)?)
    }

    /// The priority of this word.
    pub fn priority(&self, word: &str) -> Option<&Priority> {
        self.priorities.get(self.index.place(Vocabulary::Priority, word)?)
    }

    /// The allegation type of this word.
    pub fn allegation_type(&self, word: &str) -> Option<&AllegationType> {
        self.allegation_types.get(self.index.place(Vocabulary::AllegationType, word)?)
    }

    /// The channel of this word.
    pub fn channel(&self, word: &str) -> Option<&Channel> {
        self.channels.get(self.index.place(Vocabulary::Channel, word)?)
    }

    /// The contributing State of this code.
    pub fn country(&self, code: &str) -> Option<&Country> {
        self.countries.get(self.index.place(Vocabulary::Country, code)?)
    }

    /// The department of this code.
    pub fn department(&self, code: &str) -> Option<&Department> {
        self.departments.get(self.index.place(Vocabulary::Department, code)?)
    }

    /// The body of this word.
    pub fn referral_body(&self, word: &str) -> Option<&ReferralBody> {
        self.referral_bodies.get(self.index.place(Vocabulary::ReferralBody, word)?)
    }

    /// What a stage is called outside the office.
    pub fn stage(&self, word: &str) -> Option<&StageStatus> {
        self.stages.get(self.index.place(Vocabulary::Stage, word)?)
    }
}

/// SHA-256 of a text's bytes, in lower-case hexadecimal.
fn digest(text: &str) -> String {
    use fmt::Write as _;

    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
