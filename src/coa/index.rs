//! Finding a word of the policy without reading its lists.

use std::collections::HashMap;

use super::Policy;
use super::sections::Worded;

macro_rules! vocabularies {
    ($($(#[$doc:meta])* $vocabulary:ident = $section:ident),+ $(,)?) => {
        /// A list of words in the policy.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Vocabulary {
            $($(#[$doc])* $vocabulary),+
        }

        impl Vocabulary {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$vocabulary),+];

            /// The section of the policy file.
            pub const fn section(self) -> &'static str {
                match self { $(Self::$vocabulary => stringify!($section)),+ }
            }
        }

        impl Index {
            /// The index of a policy.
            pub(super) fn of(policy: &Policy) -> Self {
                Self(vec![$(map(&policy.$section)),+])
            }
        }
    };
}

vocabularies! {
    /// The languages of texts for complainants.
    Language = languages,
    /// The categories of misconduct.
    Category = categories,
    /// The marks of a matter.
    Flag = flags,
    /// How soon a matter wants attention.
    Priority = priorities,
    /// What somebody can be said to have done.
    AllegationType = allegation_types,
    /// The ways in which complaints come.
    Channel = channels,
    /// What the reporter has to do with what happened.
    ReporterRelation = reporter_relations,
    /// How far the reporter is known.
    Anonymity = anonymity,
    /// The sexes.
    Sex = sexes,
    /// The ranges of ages.
    AgeBand = age_bands,
    /// What makes a person easier to harm.
    Vulnerability = vulnerabilities,
    /// What a person can consent to.
    ConsentPurpose = consent_purposes,
    /// How exactly a date is known.
    DatePrecision = date_precisions,
    /// How great a risk is.
    RiskLevel = risk_levels,
    /// The kinds of mission personnel.
    PersonnelCategory = personnel_categories,
    /// Forces that acted together with the mission.
    CoActorForce = co_actor_forces,
    /// The contributing States.
    Country = countries,
    /// The departments of Haiti.
    Department = departments,
    /// The bodies that a matter can be handed to.
    ReferralBody = referral_bodies,
    /// Why a matter may be closed.
    ClosureReason = closure_reasons,
    /// The stages of a matter.
    Stage = stages,
    /// The statuses of published figures.
    PublishedStatus = published_statuses,
    /// What can be found.
    Finding = findings,
    /// How sure a finding must be.
    StandardOfProof = standards_of_proof,
    /// What can be ordered before a decision.
    InterimMeasure = interim_measures,
    /// What the mission can impose.
    Sanction = sanctions,
    /// Who may judge, and why.
    JurisdictionBasis = jurisdiction_bases,
    /// How long records are kept.
    Retention = retention,
}

/// Where each word stands in its section; in the order of [`Vocabulary::ALL`].
#[derive(Debug, Clone, Default)]
pub(super) struct Index(Vec<HashMap<Box<str>, usize>>);

impl Index {
    /// Where a word stands.
    pub(super) fn place(&self, vocabulary: Vocabulary, word: &str) -> Option<usize> {
        self.0.get(vocabulary as usize)?.get(word).copied()
    }
}

fn map<T: Worded>(rows: &[T]) -> HashMap<Box<str>, usize> {
    rows.iter().enumerate().map(|(at, row)| (row.word().into(), at)).collect()
}
