//! The whole of "who may do and see what", as pure functions over one page.
//!
//! Everything is refused unless a line here allows it. What each role may *see* is a [`Scope`], which the database
//! enforces; what it may *do* is [`allows`]. The full matrix is written to `docs/permissions.md` by a test.

use super::Role::{
    Administrator, Commander, FocalPoint, IntakeOfficer, Integration, Investigator, LegalLiaison,
    NationalAuthority, OhchrMonitor, PanelMember, PseaCoordinator, TriageOfficer, VictimSupport,
};
use super::{Actor, Role};

pub use super::scope::{Lanes, Narrow, Scope, scope};

/// Something that a caller asks to do. Whether they may know of the thing at all was settled before, by the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Keep accounts.
    KeepUsers,
    /// See who has an account, to give work to.
    ReadUsers,
    /// Use an account at all: sessions, password, own rights.
    UseAccount,
    /// Hand in a complaint.
    SubmitComplaint,
    /// Hand in a complaint in somebody's place, with the moment at which it was captured.
    SubmitForSomebody,
    /// See complaints in a list.
    ListComplaints,
    /// Read a complaint's text.
    ReadComplaint,
    /// Make a version of a complaint's text with passages taken out.
    Redact,
    /// Tell the reporter that the complaint has arrived.
    Acknowledge,
    /// Judge what a complaint is.
    Assess,
    /// Write to the reporter and read what they wrote.
    WriteToReporter,
    /// See cases in a list, and a case.
    ReadCases,
    /// Give a case other category or priority.
    Classify,
    /// Take a step of the workflow that these roles may take.
    Advance(&'static [Role]),
    /// Set somebody to work on a case.
    Assign,
    /// Step back from a matter.
    Recuse,
    /// Hide a matter from somebody.
    PutUpWall,
    /// Read and write internal notes.
    Notes,
    /// Read the timeline of a case.
    ReadTimeline,
    /// See deadlines across matters.
    ReadDeadlines,
    /// Pause and resume a deadline.
    PauseDeadlines,
    /// Give the second signature, on a protected matter or another.
    SecondSign {
        /// Whether the matter concerns sexual exploitation or abuse, or a child.
        psea: bool,
    },
    /// See proposals that wait for a second signature.
    ReadProposals,
    /// See what falls due, what is held and what is to be erased.
    ReadRetention,
    /// Put a matter under a legal hold, or end somebody else's.
    Hold,
    /// Propose to erase a matter that has fallen due.
    ProposeErasure,
    /// Sign or refuse an erasure that another person proposed.
    SignErasure,
    /// See who has a part in a matter, by pseudonym.
    ReadParties,
    /// Add persons to a case, and say who they are.
    KeepParties,
    /// Read and write down what persons agreed to.
    KeepConsents,
    /// See who asked to be told who somebody is.
    ReadReveals,
    /// Read and verify the audit record itself.
    Audit,
    /// See who serves where.
    ReadRoster,
    /// Keep who serves where.
    KeepRoster,
    /// Say that a wall was put up for a name that two persons share, or confirm it.
    LiftWall,
    /// Ask to read, in an emergency, a case that is not theirs to see.
    AskToGlance,
    /// Let somebody read it, or not.
    DecideGlance,
    /// Act as a part of the system: imports, background steps.
    RunTheRegister,
    /// Give a file as the reporter of a complaint.
    GiveEvidence,
    /// See files, their content and their chain of custody.
    ReadEvidence {
        /// Whether the matter concerns sexual exploitation or abuse, or a child.
        psea: bool,
    },
    /// Add files and events to their chain of custody.
    KeepEvidence {
        /// Whether the matter concerns sexual exploitation or abuse, or a child.
        psea: bool,
    },
}

/// Who may propose to erase a matter; asked again of the first person when the second signs.
pub const ERASURES_ARE_PROPOSED_BY: [Role; 4] = [TriageOfficer, PseaCoordinator, LegalLiaison, OhchrMonitor];

/// Who may be the second person, for what concerns sexual exploitation, abuse or a child, or for what does not; asked again of that
/// person as long as their signature is used.
pub fn second_signers(psea: bool) -> &'static [Role] {
    if psea { &[PseaCoordinator, OhchrMonitor] } else { &[TriageOfficer, PseaCoordinator, OhchrMonitor] }
}

/// Whether `actor` may do `action`.
#[expect(clippy::too_many_lines, reason = "one page: every line of it is a rule")]
pub fn allows(actor: &Actor, action: Action) -> bool {
    use Action as A;
    let roles = match actor {
        Actor::Officer(officer) => officer.roles,
        Actor::Reporter(_) => return matches!(action, A::WriteToReporter | A::GiveEvidence),
        Actor::Public => return action == A::SubmitComplaint,
        Actor::System(_) => {
            return matches!(action, A::RunTheRegister | A::SubmitComplaint | A::SubmitForSomebody);
        }
    };
    match action {
        A::UseAccount => true,
        A::Audit => roles.has(Role::Auditor),
        A::SubmitComplaint => {
            !roles.any(&[Role::Auditor, Administrator, Role::StatisticsOfficer, NationalAuthority])
        }
        A::KeepUsers => roles.has(Administrator),
        A::ReadUsers => roles.any(&[Administrator, TriageOfficer, PseaCoordinator, OhchrMonitor]),
        A::SubmitForSomebody => {
            roles.any(&[FocalPoint, IntakeOfficer, TriageOfficer, PseaCoordinator, OhchrMonitor, Integration])
        }
        A::ListComplaints | A::ReadComplaint => roles.any(&[
            FocalPoint,
            IntakeOfficer,
            TriageOfficer,
            PseaCoordinator,
            OhchrMonitor,
            Investigator,
            LegalLiaison,
            Integration,
        ]),
        A::Acknowledge => roles.any(&[IntakeOfficer, TriageOfficer, PseaCoordinator, OhchrMonitor]),
        A::Redact => roles.any(&[TriageOfficer, PseaCoordinator, OhchrMonitor]),
        A::Assess => roles.any(&[TriageOfficer, PseaCoordinator, OhchrMonitor]),
        A::WriteToReporter => {
            roles.any(&[IntakeOfficer, TriageOfficer, PseaCoordinator, OhchrMonitor, Investigator])
        }
        A::ReadCases => roles.any(&[
            TriageOfficer,
            PseaCoordinator,
            VictimSupport,
            Investigator,
            LegalLiaison,
            NationalAuthority,
            OhchrMonitor,
            PanelMember,
            Commander,
        ]),
        A::Classify => roles.any(&[TriageOfficer, PseaCoordinator, OhchrMonitor]),
        A::Advance(takers) => roles.any(takers),
        A::Assign => roles.any(&[TriageOfficer, PseaCoordinator, OhchrMonitor]),
        A::Recuse => roles.any(&[
            TriageOfficer,
            PseaCoordinator,
            VictimSupport,
            Investigator,
            LegalLiaison,
            NationalAuthority,
            OhchrMonitor,
            PanelMember,
            Commander,
            IntakeOfficer,
            FocalPoint,
        ]),
        A::PutUpWall => roles.any(&[TriageOfficer, PseaCoordinator, OhchrMonitor]),
        A::Notes => roles.any(&[TriageOfficer, PseaCoordinator, OhchrMonitor, Investigator, LegalLiaison]),
        A::ReadTimeline => roles.any(&[
            TriageOfficer,
            PseaCoordinator,
            OhchrMonitor,
            Investigator,
            LegalLiaison,
            PanelMember,
        ]),
        A::ReadDeadlines => roles.any(&[
            IntakeOfficer,
            TriageOfficer,
            PseaCoordinator,
            OhchrMonitor,
            Investigator,
            LegalLiaison,
            NationalAuthority,
            VictimSupport,
            PanelMember,
        ]),
        A::PauseDeadlines => roles.any(&[TriageOfficer, PseaCoordinator, OhchrMonitor]),
        A::SecondSign { psea } => roles.any(second_signers(psea)),
        A::ReadProposals => roles.any(&[TriageOfficer, PseaCoordinator, OhchrMonitor]),
        A::ReadRetention => roles.any(&ERASURES_ARE_PROPOSED_BY),
        A::Hold => roles.any(&[LegalLiaison, OhchrMonitor]),
        A::ProposeErasure => roles.any(&ERASURES_ARE_PROPOSED_BY),
        A::SignErasure => roles.any(&[PseaCoordinator, LegalLiaison, OhchrMonitor]),
        A::ReadRoster => roles.any(&[Administrator, TriageOfficer, PseaCoordinator, OhchrMonitor]),
        A::KeepRoster => roles.has(Administrator),
        A::LiftWall => roles.any(&[PseaCoordinator, OhchrMonitor]),
        A::AskToGlance => roles.any(&[
            TriageOfficer,
            PseaCoordinator,
            VictimSupport,
            Investigator,
            LegalLiaison,
            OhchrMonitor,
        ]),
        A::DecideGlance => roles.any(&[PseaCoordinator, OhchrMonitor]),
        A::ReadParties => roles.any(&[
            TriageOfficer,
            PseaCoordinator,
            OhchrMonitor,
            Investigator,
            LegalLiaison,
            VictimSupport,
            NationalAuthority,
            PanelMember,
        ]),
        A::KeepParties => roles.any(&[TriageOfficer, PseaCoordinator, OhchrMonitor, Investigator]),
        A::KeepConsents => {
            roles.any(&[TriageOfficer, PseaCoordinator, OhchrMonitor, Investigator, VictimSupport])
        }
        A::ReadReveals => roles.any(&[TriageOfficer, PseaCoordinator, OhchrMonitor]),
        A::RunTheRegister | A::GiveEvidence => false,
        A::ReadEvidence { psea } => roles.has(LegalLiaison) || allows(actor, A::KeepEvidence { psea }),
        A::KeepEvidence { psea: true } => roles.any(&[PseaCoordinator, OhchrMonitor, Investigator]),
        A::KeepEvidence { psea: false } => {
            roles.any(&[TriageOfficer, PseaCoordinator, OhchrMonitor, Investigator])
        }
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
