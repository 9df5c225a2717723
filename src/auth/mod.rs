//! Who is calling, and what they may do.
//!
//! Belongs here: actors, roles, the policy page, credentials. Knows no feature and no HTTP.

pub mod credentials;
pub mod policy;
mod scope;
pub mod searching;

use std::sync::Arc;

use uuid::Uuid;

use crate::values::{ComplaintId, SessionId, UserId, text_enum};

text_enum! {
    /// What an account is trusted to do.
    Role {
        /// Takes complaints in, in the field, also offline.
        FocalPoint = "focal_point",
        /// Registers what comes by hotline, box and mail; acknowledges.
        IntakeOfficer = "intake_officer",
        /// Judges what a complaint is, and opens cases.
        TriageOfficer = "triage_officer",
        /// Answers for sexual exploitation and abuse and for children.
        PseaCoordinator = "psea_coordinator",
        /// Supports victims; sees no investigation.
        VictimSupport = "victim_support",
        /// Finds out what happened, in the cases assigned to them.
        Investigator = "investigator",
        /// Deals with contributing countries.
        LegalLiaison = "legal_liaison",
        /// Answers for one contributing country.
        NationalAuthority = "national_authority",
        /// Watches for the Office of the High Commissioner for Human Rights, and may investigate.
        OhchrMonitor = "ohchr_monitor",
        /// Decides, from one of the three seats of the panel.
        PanelMember = "panel_member",
        /// Orders measures and imposes sanctions.
        Commander = "commander",
        /// Checks the record; sees no content.
        Auditor = "auditor",
        /// Counts; sees nobody.
        StatisticsOfficer = "statistics_officer",
        /// Keeps accounts and settings; sees no case.
        Administrator = "administrator",
        /// Another system.
        Integration = "integration",
    }
}

text_enum! {
    /// A seat of the panel.
    Seat {
        /// The mission.
        Mss = "mss",
        /// The Haitian National Police.
        Pnh = "pnh",
        /// The Office of the High Commissioner for Human Rights.
        Ohchr = "ohchr",
    }
}

impl Role {
    const fn bit(self) -> u32 {
        1 << (self as u32)
    }

    /// Roles that an account may only hold alone: whoever keeps accounts or checks the record works no case.
    pub const fn stands_alone(self) -> bool {
        matches!(
            self,
            Self::Administrator
                | Self::Auditor
                | Self::StatisticsOfficer
                | Self::Integration
                | Self::NationalAuthority
        )
    }
}

/// The roles of one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Roles(u32);

impl Roles {
    /// Whether `role` is among them.
    pub const fn has(self, role: Role) -> bool {
        self.0 & role.bit() != 0
    }

    /// Whether any of `roles` is among them.
    pub fn any(self, roles: &[Role]) -> bool {
        roles.iter().any(|role| self.has(*role))
    }

    /// They, in order.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.iter().copied().filter(move |role| self.has(*role))
    }

    /// Their words, in order.
    pub fn words(self) -> Vec<String> {
        self.iter().map(|role| role.as_str().to_owned()).collect()
    }

    /// The roles that these words stand for; unknown words are passed over.
    pub fn from_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        words.into_iter().filter_map(Role::from_word).collect()
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        Self(roles.into_iter().fold(0, |bits, role| bits | role.bit()))
    }
}

/// Somebody who signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Officer {
    /// Their account.
    pub id: UserId,
    /// Their session.
    pub session: SessionId,
    /// What they are trusted to do.
    pub roles: Roles,
    /// For which country, where a role is for one.
    pub country: Option<String>,
    /// From which seat of the panel, for a panel member.
    pub seat: Option<Seat>,
    /// The version of these rights; the database refuses an older one.
    pub rights: i32,
}

/// On whose behalf something is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Somebody who signed in.
    Officer(Arc<Officer>),
    /// Somebody who showed the reference and the code of this complaint.
    Reporter(ComplaintId),
    /// Somebody who need not say who they are.
    Public,
    /// A part of the system, by name. It never acts as a user.
    System(&'static str),
}

/// An actor as the database and the record name it.
#[derive(Debug, Clone)]
pub struct Identity {
    /// `user`, `reporter`, `public` or `system`.
    pub kind: &'static str,
    /// The id of the account or complaint, or the name of the part of the system.
    pub name: String,
    /// The account.
    pub user: Option<Uuid>,
    /// The session.
    pub session: Option<Uuid>,
    /// The version of the account's rights.
    pub rights: i32,
}

impl Actor {
    /// How the database and the record name this actor.
    pub fn identity(&self) -> Identity {
        let of = |kind, name| Identity { kind, name, user: None, session: None, rights: 0 };
        match self {
            Self::Officer(officer) => Identity {
                user: Some(officer.id.uuid()),
                session: Some(officer.session.uuid()),
                rights: officer.rights,
                ..of("user", officer.id.to_string())
            },
            Self::Reporter(complaint) => of("reporter", complaint.to_string()),
            Self::Public => of("public", "public".to_owned()),
            Self::System(name) => of("system", (*name).to_owned()),
        }
    }

    /// The officer, if one is acting.
    pub fn officer(&self) -> Option<&Officer> {
        match self {
            Self::Officer(officer) => Some(officer),
            _ => None,
        }
    }

    /// The account, if one is acting.
    pub fn user(&self) -> Option<UserId> {
        self.officer().map(|officer| officer.id)
    }

    /// Whether an officer with `role` is acting.
    pub fn has(&self, role: Role) -> bool {
        self.officer().is_some_and(|officer| officer.roles.has(role))
    }
}
