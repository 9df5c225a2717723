//! Who may learn who somebody is, for what, and with whose consent, as pure functions over one page.
//!
//! Nobody learns anything unless a line of `PAGE` lets them. A line names what the person must have agreed to; what was not
//! asked was not granted, and what was taken back is refused from that moment on.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::PartyRole::{self, Complainant, Subject, Victim, Witness};
use super::standing::{Standing, standing};
use crate::auth::{Role, Roles};
use crate::values::{UserId, text_enum};

text_enum! {
    /// What somebody wants to know a person's identity for.
    Purpose {
        /// To take down and to handle what was reported.
        Record = "record",
        /// To find out what happened.
        Investigate = "investigate",
        /// To tell the State that sent the accused.
        ShareWithState = "share_with_state",
        /// To tell the Office of the High Commissioner for Human Rights.
        ShareWithOhchr = "share_with_ohchr",
        /// To tell whoever helps the person.
        ShareWithServiceProvider = "share_with_service_provider",
        /// To call them.
        ContactByPhone = "contact_by_phone",
        /// To save a life, or a child from danger.
        ImminentDanger = "imminent_danger",
        /// Because the law orders it.
        LegalOrder = "legal_order",
    }
}

text_enum! {
    /// On what ground an identity was revealed.
    Basis {
        /// Whoever asked takes part in a way that needs no consent.
        Role = "role",
        /// The person agreed.
        Consent = "consent",
        /// A second officer agreed, for some hours.
        SecondPerson = "second_person",
        /// There was danger to life, or to a child.
        Danger = "danger",
        /// The law ordered it.
        LegalOrder = "legal_order",
    }
}

text_enum! {
    /// Why a consent is not there.
    Lack {
        /// Nobody was asked, or not everybody who has to agree.
        Absent = "absent",
        /// It is there under a condition, and somebody has to say that the condition is met.
        Conditional = "conditional",
        /// An officer wrote down that it was refused or taken back; or the person said so, and it is asked for without them.
        Refused = "refused",
        /// A second officer refused to sign what was told to the same officer in danger or on a legal order before.
        RefusedBefore = "refused_before",
    }
}

text_enum! {
    /// What a person said.
    Answer {
        /// Yes.
        Yes = "yes",
        /// No.
        No = "no",
        /// Yes, under a condition.
        Conditional = "conditional",
        /// Not any more.
        Withdrawn = "withdrawn",
    }
}

text_enum! {
    /// Who spoke for a person.
    GivenBy {
        /// They themself.
        Myself = "self",
        /// Whoever cares for them.
        Caregiver = "caregiver",
        /// A decision on what is best for a child whose caregiver is accused, absent or unsafe.
        BestInterests = "best_interests",
    }
}

/// What whoever asks has to do with the matter and the person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each stands for itself")]
pub struct Relation {
    /// They work on the case.
    pub assigned: bool,
    /// They handed the complaint in for the person, and it is still theirs.
    pub own: bool,
    /// They handed the complaint in, whenever that was: they may have its access code, and speak in the reporter's thread.
    pub handed_in: bool,
    /// It concerns sexual exploitation or abuse, or a child.
    pub psea: bool,
    /// The State that it concerns.
    pub country: Option<String>,
}

/// A word of consent, or against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Which one.
    pub id: Uuid,
    /// To what.
    pub purpose: String,
    /// For whom; `None` is for everybody whom the purpose is for.
    pub recipient: Option<String>,
    /// What.
    pub answer: Answer,
    /// Who said it.
    pub given_by: GivenBy,
    /// Whether a child agreed.
    pub assent: Option<bool>,
    /// Which officer wrote it down.
    pub recorded_by: Option<UserId>,
    /// When.
    pub at: DateTime<Utc>,
}

/// What comes of asking who somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is told.
    Told(Basis),
    /// It waits for a second person.
    Second {
        /// The consents that are missing.
        missing: Vec<&'static str>,
        /// Why.
        lack: Lack,
    },
    /// The person has said no themself.
    Refused,
    /// This is not for whoever asks.
    Never,
}

impl Verdict {
    /// The better of two for whoever asks: each of their roles is looked at by itself.
    fn rank(&self) -> u8 {
        match self {
            Self::Told(Basis::Role) => 0,
            Self::Told(Basis::Consent) => 1,
            Self::Told(_) => 2,
            Self::Second { lack: Lack::Conditional, .. } => 3,
            Self::Second { .. } => 4,
            Self::Refused => 5,
            Self::Never => 6,
        }
    }
}

/// In which relation a line holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    Own,
    Assigned,
    Psea,
    NotPsea,
}

impl When {
    fn holds(self, relation: &Relation) -> bool {
        match self {
            Self::Always => true,
            Self::Own => relation.own,
            Self::Assigned => relation.assigned,
            Self::Psea => relation.psea,
            Self::NotPsea => !relation.psea,
        }
    }
}

/// What a line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// Nothing besides role and relation.
    Nothing,
    /// These consents, all of them.
    Consent(&'static [&'static str]),
    /// A second signature afterwards, and the auditor is told.
    Afterwards,
}

/// A line: for this purpose, somebody of this role learns who these persons are.
struct Line {
    purpose: Purpose,
    role: Role,
    whose: &'static [PartyRole],
    when: When,
    needs: Needs,
}

const fn line(purpose: Purpose, role: Role, whose: &'static [PartyRole], when: When, needs: Needs) -> Line {
    Line { purpose, role, whose, when, needs }
}

const ANYBODY: &[PartyRole] = &[Complainant, Victim, Witness, Subject];
const PROTECTED: &[PartyRole] = &[Complainant, Victim, Witness];
const REPORTER: &[PartyRole] = &[Complainant];
const VICTIM: &[PartyRole] = &[Victim];
const ACCUSED: &[PartyRole] = &[Subject];

const INVESTIGATE: Needs = Needs::Consent(&["investigate"]);
const CALL: Needs = Needs::Consent(&["contact_by_phone"]);
const STATE: Needs = Needs::Consent(&["share_with_state"]);
const OHCHR: Needs = Needs::Consent(&["share_with_ohchr"]);
const HELP: Needs = Needs::Consent(&["share_with_service_provider"]);

/// The page. Who is accused is told to those who find out or answer for it, without asking the accused.
const PAGE: &[Line] = &[
    line(Purpose::Record, Role::FocalPoint, ANYBODY, When::Own, Needs::Nothing),
    line(Purpose::Record, Role::IntakeOfficer, ANYBODY, When::Own, Needs::Nothing),
    line(Purpose::Record, Role::IntakeOfficer, REPORTER, When::NotPsea, Needs::Nothing),
    line(Purpose::Record, Role::TriageOfficer, ANYBODY, When::NotPsea, Needs::Nothing),
    line(Purpose::Record, Role::PseaCoordinator, ANYBODY, When::Psea, Needs::Nothing),
    line(Purpose::Investigate, Role::Investigator, PROTECTED, When::Assigned, INVESTIGATE),
    line(Purpose::Investigate, Role::Investigator, ACCUSED, When::Assigned, Needs::Nothing),
    line(Purpose::Investigate, Role::TriageOfficer, PROTECTED, When::NotPsea, INVESTIGATE),
    line(Purpose::Investigate, Role::TriageOfficer, ACCUSED, When::NotPsea, Needs::Nothing),
    line(Purpose::Investigate, Role::PseaCoordinator, PROTECTED, When::Psea, INVESTIGATE),
    line(Purpose::Investigate, Role::PseaCoordinator, ACCUSED, When::Psea, Needs::Nothing),
    line(
        Purpose::Investigate,
        Role::OhchrMonitor,
        PROTECTED,
        When::Always,
        Needs::Consent(&["investigate", "share_with_ohchr"]),
    ),
    line(Purpose::Investigate, Role::OhchrMonitor, ACCUSED, When::Always, Needs::Nothing),
    line(Purpose::ShareWithState, Role::LegalLiaison, PROTECTED, When::Assigned, STATE),
    line(Purpose::ShareWithState, Role::LegalLiaison, ACCUSED, When::Assigned, Needs::Nothing),
    line(Purpose::ShareWithState, Role::NationalAuthority, PROTECTED, When::Always, STATE),
    line(Purpose::ShareWithState, Role::NationalAuthority, ACCUSED, When::Always, Needs::Nothing),
    line(Purpose::ShareWithOhchr, Role::OhchrMonitor, PROTECTED, When::Always, OHCHR),
    line(Purpose::ShareWithOhchr, Role::OhchrMonitor, ACCUSED, When::Always, Needs::Nothing),
    line(Purpose::ShareWithServiceProvider, Role::VictimSupport, VICTIM, When::Assigned, HELP),
    line(Purpose::ShareWithServiceProvider, Role::PseaCoordinator, PROTECTED, When::Psea, HELP),
    line(Purpose::ContactByPhone, Role::FocalPoint, PROTECTED, When::Own, CALL),
    line(Purpose::ContactByPhone, Role::IntakeOfficer, PROTECTED, When::Own, CALL),
    line(Purpose::ContactByPhone, Role::IntakeOfficer, REPORTER, When::NotPsea, CALL),
    line(Purpose::ContactByPhone, Role::TriageOfficer, PROTECTED, When::NotPsea, CALL),
    line(Purpose::ContactByPhone, Role::PseaCoordinator, PROTECTED, When::Psea, CALL),
    line(Purpose::ContactByPhone, Role::VictimSupport, VICTIM, When::Assigned, CALL),
    line(Purpose::ContactByPhone, Role::Investigator, PROTECTED, When::Assigned, CALL),
    line(
        Purpose::ContactByPhone,
        Role::OhchrMonitor,
        PROTECTED,
        When::Always,
        Needs::Consent(&["contact_by_phone", "share_with_ohchr"]),
    ),
    line(Purpose::ImminentDanger, Role::TriageOfficer, ANYBODY, When::NotPsea, Needs::Afterwards),
    line(Purpose::ImminentDanger, Role::PseaCoordinator, ANYBODY, When::Always, Needs::Afterwards),
    line(Purpose::ImminentDanger, Role::OhchrMonitor, ANYBODY, When::Always, Needs::Afterwards),
    line(Purpose::LegalOrder, Role::TriageOfficer, ANYBODY, When::NotPsea, Needs::Afterwards),
    line(Purpose::LegalOrder, Role::PseaCoordinator, ANYBODY, When::Always, Needs::Afterwards),
    line(Purpose::LegalOrder, Role::OhchrMonitor, ANYBODY, When::Always, Needs::Afterwards),
];

/// Whose parties these roles see, by pseudonym: whoever supports victims sees those and nothing of the rest of the matter.
pub fn seen(roles: Roles) -> &'static [PartyRole] {
    let only_support = roles.iter().all(|role| matches!(role, Role::VictimSupport));
    if only_support { VICTIM } else { ANYBODY }
}

/// Who asks to be told who somebody is.
#[derive(Debug, Clone)]
pub struct Asker {
    /// Who.
    pub user: UserId,
    /// What they are trusted to do.
    pub roles: Roles,
    /// What they have to do with it.
    pub relation: Relation,
}

/// A person as these rules see them.
#[derive(Debug, Clone, Copy)]
pub struct Whose<'a> {
    /// Their part.
    pub role: PartyRole,
    /// Whether they are known to be under 18.
    pub child: bool,
    /// What they said, oldest first.
    pub said: &'a [Said],
}

/// Whether `asker` is told who a person is, for `purpose`.
pub fn judge(asker: &Asker, whose: &Whose<'_>, purpose: Purpose) -> Verdict {
    PAGE.iter()
        .filter(|line| {
            line.purpose == purpose
                && asker.roles.has(line.role)
                && line.whose.contains(&whose.role)
                && line.when.holds(&asker.relation)
        })
        .map(|line| match line.needs {
            Needs::Nothing if purpose == Purpose::Record => recorded(asker, whose, line.role),
            Needs::Nothing => Verdict::Told(Basis::Role),
            Needs::Afterwards if purpose == Purpose::LegalOrder => Verdict::Told(Basis::LegalOrder),
            Needs::Afterwards => Verdict::Told(Basis::Danger),
            Needs::Consent(needed) => consented(asker, whose, line.role, needed),
        })
        .min_by_key(Verdict::rank)
        .unwrap_or(Verdict::Never)
}

/// Handling what was reported needs no consent to know who it is about; but whoever was against it is asked for with a second
/// officer. The accused has no say in it.
fn recorded(asker: &Asker, whose: &Whose<'_>, role: Role) -> Verdict {
    let to = recipients(role, asker.relation.country.as_deref());
    match standing(whose, Purpose::Record.as_str(), &to, Some(asker)) {
        _ if whose.role == Subject => Verdict::Told(Basis::Role),
        Standing::Granted => Verdict::Told(Basis::Consent),
        Standing::Conditional | Standing::Absent => Verdict::Told(Basis::Role),
        Standing::Denied | Standing::Refused => {
            Verdict::Second { missing: vec![Purpose::Record.as_str()], lack: Lack::Refused }
        }
    }
}

fn consented(asker: &Asker, whose: &Whose<'_>, role: Role, needed: &'static [&'static str]) -> Verdict {
    let to = recipients(role, asker.relation.country.as_deref());
    let mut missing = Vec::new();
    let mut lack = Lack::Conditional;
    for &purpose in needed {
        match standing(whose, purpose, &to, Some(asker)) {
            Standing::Granted => {}
            Standing::Refused => return Verdict::Refused,
            Standing::Conditional => missing.push(purpose),
            Standing::Absent => {
                missing.push(purpose);
                if lack == Lack::Conditional {
                    lack = Lack::Absent;
                }
            }
            Standing::Denied => {
                missing.push(purpose);
                lack = Lack::Refused;
            }
        }
    }
    if missing.is_empty() { Verdict::Told(Basis::Consent) } else { Verdict::Second { missing, lack } }
}

/// By what a consent may call whoever asks in this role.
fn recipients(role: Role, country: Option<&str>) -> Vec<&str> {
    let body = match role {
        Role::OhchrMonitor => Some("ohchr"),
        Role::LegalLiaison | Role::NationalAuthority => country,
        _ => None,
    };
    let state = matches!(role, Role::LegalLiaison | Role::NationalAuthority).then_some("contributing_state");
    [Some(role.as_str()), body, state].into_iter().flatten().collect()
}

#[cfg(test)]
#[path = "consent_tests.rs"]
mod tests;
