//! Who somebody is, as it comes in over the wire.

use serde::Deserialize;
use utoipa::ToSchema;

use super::identity::{Contact, Identity, Method, SafeContact};
use crate::values::{Email, Faults, Line, Words};

/// What makes contacting somebody safe.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SafeContactGiven {
    /// How.
    method: Option<Method>,
    /// At which times.
    times: Option<String>,
    /// Who else may answer, and be spoken to.
    who_may_answer: Option<String>,
    /// The word by which both know each other.
    code_word: Option<String>,
    /// Whether nothing that they are sent may name the mission.
    #[serde(default)]
    no_mission_name: bool,
}

impl SafeContactGiven {
    /// Checked; faults stand below `pointer`.
    pub(crate) fn parse(self, faults: &mut Faults, pointer: &str) -> SafeContact {
        let mut line = |field: &str, text: Option<String>| {
            faults.take_some(&format!("{pointer}/{field}"), text, Line::parse).map(Line::into_string)
        };
        SafeContact {
            method: self.method,
            times: line("times", self.times),
            who_may_answer: line("who_may_answer", self.who_may_answer),
            code_word: line("code_word", self.code_word),
            no_mission_name: self.no_mission_name,
        }
    }
}

/// How somebody can be reached.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PartyContactGiven)]
struct ContactGiven {
    /// A telephone number.
    phone: Option<String>,
    /// An e-mail address.
    email: Option<String>,
    /// Where they live or can be met.
    address: Option<String>,
    /// What whoever contacts them must keep to.
    safe_contact: Option<SafeContactGiven>,
}

/// Who somebody is. It is sealed, and shown by a reveal alone.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdentityGiven {
    /// The name.
    name: Option<String>,
    /// The number on the badge.
    service_number: Option<String>,
    /// The unit.
    unit: Option<String>,
    /// The rank.
    rank: Option<String>,
    /// What they look like, or who they are, in words.
    description: Option<String>,
    /// How to reach them.
    contact: Option<ContactGiven>,
}

impl IdentityGiven {
    /// Checked; every fault is named.
    pub(crate) fn parse(self, faults: &mut Faults) -> Identity {
        let description = faults
            .take_some("/identity/description", self.description, Words::parse)
            .map(|words| words.as_str().to_owned());
        let contact = self.contact.map(|given| {
            let safe_contact = given
                .safe_contact
                .map(|given| given.parse(faults, "/identity/contact/safe_contact"))
                .unwrap_or_default();
            let email = faults
                .take_some("/identity/contact/email", given.email, Email::parse)
                .map(|email| email.as_str().to_owned());
            let mut line = |field: &str, text: Option<String>| {
                faults
                    .take_some(&format!("/identity/contact/{field}"), text, Line::parse)
                    .map(Line::into_string)
            };
            Contact {
                phone: line("phone", given.phone),
                email,
                address: line("address", given.address),
                safe_contact,
            }
        });
        let mut line = |field: &str, text: Option<String>| {
            faults.take_some(&format!("/identity/{field}"), text, Line::parse).map(Line::into_string)
        };
        Identity {
            name: line("name", self.name),
            service_number: line("service_number", self.service_number),
            unit: line("unit", self.unit),
            rank: line("rank", self.rank),
            description,
            contact: contact.filter(|contact| *contact != Contact::default()),
        }
    }
}
