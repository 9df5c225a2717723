//! In which texts somebody may look for words, as pure functions: what [`super::policy`] lets them read.

use super::Actor;
use super::Role::{Investigator, LegalLiaison, OhchrMonitor, PseaCoordinator, TriageOfficer};
use super::policy::{Action, allows};

/// In which texts a caller may look for words. Being found tells as much as reading does, so it asks for the same rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each kind of text stands for itself")]
pub struct Searched {
    /// What reporters said.
    pub text: bool,
    /// Reporters' threads.
    pub messages: bool,
    /// Internal notes.
    pub notes: bool,
    /// The names of those who are accused.
    pub subjects: bool,
    /// The names of reporters, victims and witnesses.
    pub persons: bool,
}

/// Where `actor` may look for words; `psea` is whether the matter concerns sexual exploitation or abuse, or a child.
pub fn searched(actor: &Actor, psea: bool) -> Searched {
    let Some(officer) = actor.officer() else { return Searched::default() };
    let lane = officer.roles.has(if psea { PseaCoordinator } else { TriageOfficer });
    Searched {
        text: allows(actor, Action::ReadComplaint),
        messages: allows(actor, Action::WriteToReporter),
        notes: allows(actor, Action::Notes),
        subjects: lane || officer.roles.any(&[Investigator, OhchrMonitor, LegalLiaison]),
        persons: lane,
    }
}
