//! What each role may *see*: the half of [`super::policy`] that the database enforces.

use std::sync::Arc;

use uuid::Uuid;

use super::Role::{
    Commander, FocalPoint, IntakeOfficer, Integration, Investigator, LegalLiaison, NationalAuthority,
    OhchrMonitor, PanelMember, PseaCoordinator, TriageOfficer, VictimSupport,
};
use super::policy::{Action, allows};
use super::{Actor, Role};

/// The categories that belong to special lanes, from the policy file.
#[derive(Debug, Clone)]
pub struct Lanes {
    /// Categories that the PSEA coordinator answers for, as a Postgres array literal.
    psea: Arc<str>,
}

impl Lanes {
    /// The lanes of a policy: the words of its PSEA categories.
    pub fn new<'a>(psea: impl IntoIterator<Item = &'a str>) -> Self {
        let words: Vec<&str> = psea.into_iter().collect();
        Self { psea: format!("{{{}}}", words.join(",")).into() }
    }
}

/// Which complaints and cases a caller may know of. The database's policies read it; a store may narrow by it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each part of a scope stands for itself")]
pub struct Scope {
    /// Every matter but those that are dealt with outside the mission.
    pub everything: bool,
    /// Matters that are dealt with outside the mission: they concern its leadership, or an officer of the register.
    pub outside: bool,
    /// Who serves where.
    pub roster: bool,
    /// Matters of the PSEA lane, and those with a child.
    pub psea: Option<Arc<str>>,
    /// Complaints that nobody has judged yet.
    pub new: bool,
    /// Complaints that the caller handed in.
    pub own: bool,
    /// Cases that the caller works on.
    pub assigned: bool,
    /// Complaints of those cases.
    pub assigned_complaints: bool,
    /// Cases referred to this country.
    pub country: Option<String>,
    /// Cases before the panel.
    pub panel: bool,
    /// Cases that wait for an order of command.
    pub command: bool,
    /// Every audit entry, of whatever matter.
    pub audit: bool,
    /// Deadlines that climbed to one of these roles.
    pub hears_as: Vec<Role>,
    /// This one complaint.
    pub complaint: Option<Uuid>,
}

/// Which complaints and cases `actor` may know of.
pub fn scope(actor: &Actor, lanes: &Lanes) -> Scope {
    let officer = match actor {
        Actor::System(_) => {
            return Scope { everything: true, outside: true, roster: true, ..Scope::default() };
        }
        Actor::Public => return Scope::default(),
        Actor::Reporter(complaint) => return Scope { complaint: Some(complaint.uuid()), ..Scope::default() },
        Actor::Officer(officer) => officer,
    };
    let roles = officer.roles;
    Scope {
        everything: roles.any(&[TriageOfficer, OhchrMonitor]),
        outside: roles.has(OhchrMonitor),
        roster: allows(actor, Action::ReadRoster),
        psea: roles.has(PseaCoordinator).then(|| Arc::clone(&lanes.psea)),
        new: roles.has(IntakeOfficer),
        own: roles.any(&[FocalPoint, IntakeOfficer, Integration]),
        assigned: roles.any(&[Investigator, VictimSupport, LegalLiaison]),
        assigned_complaints: roles.any(&[Investigator, LegalLiaison]),
        country: officer.country.clone().filter(|_| roles.has(NationalAuthority)),
        panel: roles.has(PanelMember),
        command: roles.has(Commander),
        audit: roles.has(Role::Auditor),
        hears_as: roles
            .iter()
            .filter(|role| matches!(role, LegalLiaison | PanelMember | OhchrMonitor))
            .collect(),
        complaint: None,
    }
}

impl Scope {
    /// Its words, between commas, as the database reads them.
    pub fn words(&self) -> String {
        let words = [
            (self.everything, "everything"),
            (self.outside, "outside"),
            (self.roster, "roster"),
            (self.psea.is_some(), "child"),
            (self.new, "new"),
            (self.own, "own"),
            (self.assigned, "assigned"),
            (self.assigned_complaints, "assigned_complaints"),
            (self.panel, "panel"),
            (self.command, "command"),
            (self.audit, "audit"),
        ];
        let seen =
            words.iter().filter(|(has, _)| *has).fold(String::from(","), |all, (_, word)| all + word + ",");
        self.hears_as.iter().fold(seen, |all, role| all + "role:" + role.as_str() + ",")
    }

    /// The categories that it holds, as a Postgres array literal.
    pub fn categories(&self) -> &str {
        self.psea.as_deref().unwrap_or("{}")
    }

    /// The country that it is for, or nothing.
    pub fn country(&self) -> &str {
        self.country.as_deref().unwrap_or_default()
    }

    /// The parts that this scope of cases consists of. A store asks for them one by one, so that Postgres need not search all
    /// cases for a few.
    pub fn parts_of_cases(&self) -> Vec<Narrow<'_>> {
        if self.everything {
            return vec![Narrow::Everything];
        }
        let parts = [
            self.psea.is_some().then_some(Narrow::Child),
            self.assigned.then_some(Narrow::Assigned),
            self.country.as_deref().map(Narrow::Country),
            self.panel.then_some(Narrow::Panel),
            self.command.then_some(Narrow::Command),
        ];
        self.lane().chain(parts.into_iter().flatten()).collect()
    }

    /// The categories of the PSEA lane, one by one.
    fn lane(&self) -> impl Iterator<Item = Narrow<'_>> {
        let words = self.psea.as_deref().unwrap_or_default().trim_matches(['{', '}']).split(',');
        words.filter(|word| !word.is_empty()).map(Narrow::Category)
    }

    /// The one narrow part that this scope of cases consists of, if it is a single one.
    pub fn only_cases(&self) -> Option<Narrow<'_>> {
        match self.parts_of_cases()[..] {
            [Narrow::Everything] => None,
            [only] => Some(only),
            _ => None,
        }
    }

    /// The parts that this scope of complaints consists of.
    pub fn parts_of_complaints(&self) -> Vec<Narrow<'_>> {
        if self.everything {
            return vec![Narrow::Everything];
        }
        let parts = [
            self.psea.is_some().then_some(Narrow::Child),
            self.new.then_some(Narrow::New),
            self.own.then_some(Narrow::Own),
            self.assigned_complaints.then_some(Narrow::Assigned),
        ];
        self.lane().chain(parts.into_iter().flatten()).collect()
    }
}

/// A part that a scope consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Narrow<'a> {
    /// All of it.
    Everything,
    /// A category; a word of the policy.
    Category(&'a str),
    /// What concerns a child.
    Child,
    /// What nobody has judged yet.
    New,
    /// What the caller works on.
    Assigned,
    /// What was referred to this country.
    Country(&'a str),
    /// What is before the panel.
    Panel,
    /// What waits for command.
    Command,
    /// What the caller handed in.
    Own,
}
