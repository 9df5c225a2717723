//! What a complaint looks like on the wire, before it is checked.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Precision;
use crate::parties::http::SafeContactGiven;

/// What a complainant sends. Only `channel` and `narrative` are required.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "channel": "web_form", "language": "ht", "narrative": "Yon ofisye te frape frè m nan pòt mache a.",
    "reported_category": "serious_misconduct",
    "incident": {"from": "2026-11-02", "precision": "day", "department": "HT-OU", "commune": "Cité Soleil"},
    "anonymity": "anonymous", "allegations": [{"type": "physical_assault"}]
}))]
pub(super) struct SubmitComplaint {
    /// Made by the client: the same complaint sent twice is stored once.
    pub(super) submission_id: Option<Uuid>,
    /// The way it came; a word of the policy.
    pub(super) channel: String,
    /// `ht`, `fr`, `en` or `es`; from `Accept-Language` unless given.
    pub(super) language: Option<String>,
    /// What happened, in the reporter's own words: up to 65536 bytes, kept exactly as sent.
    pub(super) narrative: String,
    /// What the reporter takes it for; a word of the policy.
    pub(super) reported_category: Option<String>,
    /// When and where it happened.
    pub(super) incident: Option<IncidentGiven>,
    /// How far the reporter is known; a word of the policy.
    pub(super) anonymity: Option<String>,
    /// Who hands it in.
    pub(super) reporter: Option<ReporterGiven>,
    /// Those it was done to.
    #[serde(default)]
    pub(super) victims: Vec<VictimGiven>,
    /// Those who are accused.
    #[serde(default)]
    pub(super) subjects: Vec<SubjectGiven>,
    /// Those who saw it.
    #[serde(default)]
    pub(super) witnesses: Vec<WitnessGiven>,
    /// What is alleged, in words of the policy.
    #[serde(default)]
    pub(super) allegations: Vec<AllegedGiven>,
    /// What may be done with it.
    #[serde(default)]
    pub(super) consents: Vec<ConsentGiven>,
    /// The danger that the reporter sees.
    pub(super) risk: Option<RiskGiven>,
    /// When a device recorded it.
    pub(super) captured_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct IncidentGiven {
    /// The day, or any day of the month or year that is known.
    pub(super) from: Option<NaiveDate>,
    /// The last day, if it took longer.
    pub(super) to: Option<NaiveDate>,
    /// How exactly that is known; `day` unless given.
    pub(super) precision: Option<Precision>,
    /// ISO 3166-2 code of the department.
    pub(super) department: Option<String>,
    /// The commune.
    pub(super) commune: Option<String>,
    /// Where exactly.
    pub(super) place: Option<String>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReporterGiven {
    /// What they have to do with it; a word of the policy.
    pub(super) relation: Option<String>,
    /// Their name.
    pub(super) name: Option<String>,
    /// How to reach them.
    pub(super) contact: Option<ContactGiven>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ContactGiven {
    /// A telephone number.
    pub(super) phone: Option<String>,
    /// An e-mail address.
    pub(super) email: Option<String>,
    /// When it is safe to call or write.
    pub(super) safe_times: Option<String>,
    /// What else makes it safe: how, who may answer, a code word, and whether the mission must not be named.
    pub(super) safe_contact: Option<SafeContactGiven>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VictimGiven {
    /// A word of the policy.
    pub(super) sex: Option<String>,
    /// A word of the policy, such as `15-17`.
    pub(super) age_band: Option<String>,
    /// Their name.
    pub(super) name: Option<String>,
    /// Words of the policy.
    #[serde(default)]
    pub(super) vulnerabilities: Vec<String>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SubjectGiven {
    /// Their name.
    pub(super) name: Option<String>,
    /// The number on the badge.
    pub(super) service_number: Option<String>,
    /// ISO 3166-1 alpha-2 code of their country.
    pub(super) country: Option<String>,
    /// Their unit.
    pub(super) unit: Option<String>,
    /// Their rank.
    pub(super) rank: Option<String>,
    /// What they looked like.
    pub(super) description: Option<String>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WitnessGiven {
    /// Their name.
    pub(super) name: Option<String>,
    /// Who they are.
    pub(super) description: Option<String>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AllegedGiven {
    /// A word of the policy.
    pub(super) r#type: String,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsentGiven {
    /// A word of the policy.
    pub(super) purpose: String,
    /// Whether it was granted.
    pub(super) granted: bool,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RiskGiven {
    /// A word of the policy.
    pub(super) retaliation: Option<String>,
    /// In the reporter's words.
    pub(super) note: Option<String>,
}
