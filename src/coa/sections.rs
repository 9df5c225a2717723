//! The rows of the policy file: one type per section, as it is written and as it is served.
//!
//! Belongs here: what a row may say. Does not belong here: whether the rows agree; `check` sees to that.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::limits::Retention;
use super::texts::Status;

/// How firmly a rule or a number stands on a public source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PolicyBasisKind)]
pub enum BasisKind {
    /// Stated in a public source that the basis names.
    Stated,
    /// Stated only in a press report or a summary.
    Reported,
    /// General knowledge of the field; the source's own text was not seen.
    Background,
    /// A consequence drawn when this register was designed.
    Design,
    /// No source gives it: a default for the mission to confirm or change.
    Default,
}

/// A word of a plain vocabulary.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyTerm)]
pub struct Term {
    /// The word on the wire and in the database.
    pub word: String,
    /// What officers read.
    pub title: String,
}

/// A language that complainants may be answered in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicySpokenLanguage)]
pub struct SpokenLanguage {
    /// ISO 639-1 code.
    pub word: String,
    /// The language's name for itself.
    pub title: String,
    /// Which way it is written.
    pub direction: Direction,
}

/// Which way a language is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PolicyDirection)]
pub enum Direction {
    /// Left to right.
    Ltr,
    /// Right to left.
    Rtl,
}

/// A category of misconduct.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyCategory)]
pub struct Category {
    /// The word on the wire and in the database.
    pub word: String,
    /// What officers read.
    pub title: String,
    /// The graver, the higher. A matter has the highest category of its allegations.
    pub rank: u32,
    /// Lowering or closing a matter of this category needs a second officer.
    pub protected: bool,
    /// The lane whose coordinator must join in, such as `psea`.
    pub lane: Option<String>,
    /// A complaint has this category until somebody gives it another. Exactly one category is initial.
    #[serde(default)]
    pub initial: bool,
    /// A case may be opened in this category, so an investigation clock must cover it.
    pub opens_case: bool,
    /// Why the category exists, and who says so.
    pub basis: String,
    /// How firmly that stands.
    pub basis_kind: BasisKind,
}

/// A mark that an allegation type or a person's age puts on a matter.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyFlag)]
pub struct Flag {
    /// The word on the wire and in the database.
    pub word: String,
    /// What officers read.
    pub title: String,
    /// Lowering or closing a matter with this mark needs a second officer.
    #[serde(default)]
    pub protected: bool,
    /// The lane whose coordinator must join in.
    pub lane: Option<String>,
}

/// How soon a matter wants attention.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyPriority)]
pub struct Priority {
    /// The word on the wire and in the database.
    pub word: String,
    /// What officers read.
    pub title: String,
    /// The more urgent, the higher. The lowest is the one a matter has until somebody gives it another.
    pub rank: u32,
}

/// What somebody can be said to have done.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyAllegationType)]
pub struct AllegationType {
    /// The word on the wire and in the database.
    pub word: String,
    /// What officers read.
    pub title: String,
    /// The category it has unless triage decides otherwise.
    pub category: String,
    /// The United Nations oversight office's risk category, 1 or 2; absent where it has none.
    pub oios: Option<u8>,
    /// The marks it puts on a matter.
    #[serde(default)]
    pub flags: Vec<String>,
    /// Who says that this is misconduct of this kind.
    pub basis: String,
    /// How firmly that stands.
    pub basis_kind: BasisKind,
}

/// The way in which a complaint came.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyChannel)]
pub struct Channel {
    /// The word on the wire and in the database.
    pub word: String,
    /// What officers read.
    pub title: String,
    /// Who may hand in a complaint that names this channel.
    pub open_to: Vec<Submitter>,
    /// When the mission counts as having received it.
    pub clock: ClockStart,
    /// With the clock `captured_at`: the oldest capture, in hours before arrival, that is still believed.
    pub max_capture_age_hours: Option<u32>,
}

/// Who hands a complaint in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PolicySubmitter)]
pub enum Submitter {
    /// Anybody, without an account.
    Public,
    /// A person or a system with an account.
    Officer,
}

/// When the clocks of a complaint start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PolicyClockStart)]
pub enum ClockStart {
    /// When the server stored it.
    ReceivedAt,
    /// When the device recorded it, if that is plausible.
    CapturedAt,
}

/// A range of ages.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyAgeBand)]
pub struct AgeBand {
    /// The word on the wire and in the database.
    pub word: String,
    /// What officers read.
    pub title: String,
    /// Whether somebody of this age is a child (under 18).
    pub child: Answer,
}

/// An answer that may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PolicyAnswer)]
pub enum Answer {
    /// Yes.
    Yes,
    /// No.
    No,
    /// Nobody knows.
    Unknown,
}

/// What makes a person easier to harm.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyVulnerability)]
pub struct Vulnerability {
    /// The word on the wire and in the database.
    pub word: String,
    /// What officers read.
    pub title: String,
    /// It says that the person is a child.
    #[serde(default)]
    pub child: bool,
}

/// A State that has sent, or has said that it will send, personnel.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyCountry)]
pub struct Country {
    /// ISO 3166-1 alpha-2 code.
    pub word: String,
    /// Its name.
    pub title: String,
    /// Whether its personnel are there.
    pub status: Contribution,
    /// What kinds of personnel it is known to have sent; empty where that is not recorded.
    pub forces: Vec<Force>,
    /// The national bodies known to be competent, or known to say that they are not.
    #[serde(default)]
    pub authorities: Vec<Authority>,
}

/// Whether a State's personnel are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PolicyContribution)]
pub enum Contribution {
    /// Personnel are or were in the mission.
    Active,
    /// Personnel have been promised.
    Pledged,
}

/// A kind of uniformed or civilian force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PolicyForce)]
pub enum Force {
    /// Police.
    Police,
    /// Military.
    Military,
    /// Civilian.
    Civilian,
}

/// A national body that a State's personnel may answer to.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyAuthority)]
pub struct Authority {
    /// Its name.
    pub title: String,
    /// Whose conduct it looks into.
    pub force: Force,
    /// Whether it may act on what happened abroad.
    pub abroad: Answer,
    /// Who says so.
    pub basis: String,
    /// How firmly that stands.
    pub basis_kind: BasisKind,
}

/// A first-level administrative area.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyDepartment)]
pub struct Department {
    /// ISO 3166-2 code.
    pub word: String,
    /// Its name.
    pub title: String,
    /// OCHA place code.
    pub p_code: String,
}

/// A body that a matter can be handed to.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyReferralBody)]
pub struct ReferralBody {
    /// The word on the wire and in the database.
    pub word: String,
    /// What officers read.
    pub title: String,
    /// What sort of body it is.
    pub kind: BodyKind,
}

/// What sort of body a matter is handed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PolicyBodyKind)]
pub enum BodyKind {
    /// The State that sent the person.
    SendingState,
    /// A body of Haiti.
    Haitian,
    /// A body of the United Nations.
    UnitedNations,
    /// Another.
    Other,
}

/// Why a matter may be closed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyClosureReason)]
pub struct ClosureReason {
    /// The word on the wire and in the database.
    pub word: String,
    /// What officers read.
    pub title: String,
    /// The categories that may be closed for it; empty means every one.
    #[serde(default)]
    pub categories: Vec<String>,
    /// It may be given at triage, before a case exists.
    pub at_triage: bool,
}

/// What a stage of a matter is called outside the office.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyStageStatus)]
pub struct StageStatus {
    /// The stage.
    pub word: String,
    /// What the complainant is told.
    pub told: Status,
    /// What the published figures count it as.
    pub published: String,
}

/// What was found about one allegation and one person.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyFinding)]
pub struct Finding {
    /// The word on the wire and in the database.
    pub word: String,
    /// What officers read.
    pub title: String,
    /// What the published figures count it as.
    pub published: String,
}

/// A row that has a word and a title, and the section in which such rows stand.
pub(super) trait Worded {
    fn word(&self) -> &str;
    fn title(&self) -> &str;
}

macro_rules! worded {
    ($($row:ty),+ $(,)?) => {$(
        impl Worded for $row {
            fn word(&self) -> &str {
                &self.word
            }
            fn title(&self) -> &str {
                &self.title
            }
        }
    )+};
}

worded!(
    Term,
    SpokenLanguage,
    Category,
    Flag,
    Priority,
    AllegationType,
    Channel,
    AgeBand,
    Vulnerability,
    Country,
    Department,
    ReferralBody,
    ClosureReason,
    Finding,
    Retention,
);

impl Worded for StageStatus {
    fn word(&self) -> &str {
        &self.word
    }
    fn title(&self) -> &str {
        &self.word
    }
}
