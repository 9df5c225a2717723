//! Who a person is, and how they can be reached without harm: what is sealed. Pure.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::values::text_enum;

text_enum! {
    /// How somebody can be reached safely.
    Method {
        /// By telephone.
        PhoneCall = "phone_call",
        /// By a text message that says nothing of the matter.
        TextMessage = "text_message",
        /// By e-mail.
        Email = "email",
        /// Face to face.
        InPerson = "in_person",
        /// Through somebody whom they trust.
        ThroughSomebody = "through_somebody",
        /// Only where they look themself: in the reporter's thread.
        ThreadOnly = "thread_only",
    }
}

/// What whoever contacts a person must keep to. It goes with every contact that is revealed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SafeContact {
    /// How.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// At which times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<String>,
    /// Who else may answer, and be spoken to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who_may_answer: Option<String>,
    /// The word by which both know each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_word: Option<String>,
    /// Whether the mission must not be named.
    #[serde(default)]
    pub no_mission_name: bool,
}

/// How a person can be reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PartyContact)]
pub struct Contact {
    /// A telephone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// An e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Where they live or can be met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What to keep to.
    #[serde(default)]
    pub safe_contact: SafeContact,
}

/// Who a person is, as it is known at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Identity {
    /// The name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The number on the badge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_number: Option<String>,
    /// The unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The rank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<String>,
    /// What they look like, or who they are, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How to reach them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
}

/// What `new` says, and otherwise what was said before.
fn newer<T>(new: Option<T>, before: Option<T>) -> Option<T> {
    new.or(before)
}

impl Identity {
    /// Whether it says who somebody is: a name, a number or a contact.
    pub fn names_somebody(&self) -> bool {
        self.name.is_some() || self.service_number.is_some() || self.contact.is_some()
    }

    /// Whether nothing that this person is sent may name the mission.
    pub fn is_discreet(&self) -> bool {
        self.contact.as_ref().is_some_and(|contact| contact.safe_contact.no_mission_name)
    }

    /// This, with what was learned since.
    #[must_use]
    pub fn with(self, new: Self) -> Self {
        Self {
            name: newer(new.name, self.name),
            service_number: newer(new.service_number, self.service_number),
            unit: newer(new.unit, self.unit),
            rank: newer(new.rank, self.rank),
            description: newer(new.description, self.description),
            contact: match (self.contact, new.contact) {
                (Some(before), Some(new)) => Some(before.with(new)),
                (before, new) => newer(new, before),
            },
        }
    }
}

impl Contact {
    /// This, with what was learned since. What makes a contact safe is replaced as a whole where any of it is given: half an old
    /// rule beside half a new one could be the death of somebody.
    fn with(self, new: Self) -> Self {
        Self {
            phone: newer(new.phone, self.phone),
            email: newer(new.email, self.email),
            address: newer(new.address, self.address),
            safe_contact: if new.safe_contact == SafeContact::default() {
                self.safe_contact
            } else {
                new.safe_contact
            },
        }
    }
}
