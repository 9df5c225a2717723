//! What is said in a complaint besides its narrative: without names in [`Particulars`], the names in [`Identities`].
//!
//! The two are kept apart from the first moment, so that a reader who may not know who somebody is never gets near it.
//! Persons stand in the same order in both.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Precision;
use crate::parties::identity::SafeContact;

/// When and where it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Incident {
    /// The day, or the first day of the month or year.
    pub from: Option<NaiveDate>,
    /// The last day, if it took longer.
    pub to: Option<NaiveDate>,
    /// How exactly that is known.
    pub precision: Precision,
    /// ISO 3166-2 code of the department.
    pub department: Option<String>,
    /// The commune.
    pub commune: Option<String>,
    /// Where exactly.
    pub place: Option<String>,
}

impl Default for Incident {
    fn default() -> Self {
        Self {
            from: None,
            to: None,
            precision: Precision::Unknown,
            department: None,
            commune: None,
            place: None,
        }
    }
}

/// A victim, without a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Victim {
    /// A word of the policy.
    pub sex: Option<String>,
    /// A word of the policy.
    pub age_band: Option<String>,
    /// Words of the policy.
    pub vulnerabilities: Vec<String>,
}

/// Somebody accused, without a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Subject {
    /// ISO 3166-1 alpha-2 code.
    pub country: Option<String>,
    /// The unit.
    pub unit: Option<String>,
    /// The rank.
    pub rank: Option<String>,
    /// What they looked like, in words.
    pub description: Option<String>,
}

/// A witness, without a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Witness {
    /// Who they are, in words.
    pub description: Option<String>,
}

/// What somebody is said to have done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Alleged {
    /// A word of the policy.
    pub r#type: String,
}

/// Whether something may be done with what was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Consent {
    /// A word of the policy.
    pub purpose: String,
    /// Whether it was granted. What was not asked is not granted.
    pub granted: bool,
}

/// The danger that the reporter sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Risk {
    /// A word of the policy.
    pub retaliation: Option<String>,
    /// In their words.
    pub note: Option<String>,
}

/// What another register said of a complaint that was taken over from it: its own words, which are not the policy's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ComplaintSource)]
pub struct Source {
    /// Which register, as far as it says.
    pub name: Option<String>,
    /// What it calls the complaint by.
    pub reference: String,
    /// How exactly the moment of receipt is known: `minute`, or `day`, which then stands at midnight.
    pub received_precision: String,
    /// What it takes the complaint for.
    pub category: Option<String>,
    /// What that rests on; where it is `default`, the category is a placeholder and was not taken over.
    pub category_basis: Option<String>,
    /// The way the complaint came to it.
    pub intake_channel: Option<String>,
    /// Its code for the place.
    pub location_code: Option<String>,
    /// What came of the complaint there.
    pub disposition: Option<String>,
    /// What is odd about the record, such as `incident_after_received`.
    pub flags: Vec<String>,
}

/// Everything besides narrative and names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Particulars {
    /// What the reporter has to do with it; a word of the policy.
    pub relation: Option<String>,
    /// When and where it happened.
    pub incident: Incident,
    /// Victims.
    pub victims: Vec<Victim>,
    /// Those accused.
    pub subjects: Vec<Subject>,
    /// Witnesses.
    pub witnesses: Vec<Witness>,
    /// What is alleged.
    pub allegations: Vec<Alleged>,
    /// What may be done with it.
    pub consents: Vec<Consent>,
    /// The danger that the reporter sees.
    pub risk: Option<Risk>,
    /// The register that the complaint was taken over from, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// How a reporter can be reached, and when that is safe.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Contact {
    /// A telephone number.
    pub phone: Option<String>,
    /// An e-mail address.
    pub email: Option<String>,
    /// When it is safe to call or write.
    pub safe_times: Option<String>,
    /// What else makes it safe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[expect(clippy::struct_field_names, reason = "the field's own term")]
    pub safe_contact: Option<SafeContact>,
}

/// The name and contact of a reporter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReporterIdentity {
    /// The name.
    pub name: Option<String>,
    /// How to reach them.
    pub contact: Option<Contact>,
}

/// The name and number of somebody accused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubjectIdentity {
    /// The name.
    pub name: Option<String>,
    /// The number on the badge.
    pub service_number: Option<String>,
}

/// Names and contacts; persons in the order of [`Particulars`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Identities {
    /// The reporter.
    #[serde(default)]
    pub reporter: Option<ReporterIdentity>,
    /// Names of victims.
    #[serde(default)]
    pub victims: Vec<Option<String>>,
    /// Names and numbers of those accused.
    #[serde(default)]
    pub subjects: Vec<SubjectIdentity>,
    /// Names of witnesses.
    #[serde(default)]
    pub witnesses: Vec<Option<String>>,
}
