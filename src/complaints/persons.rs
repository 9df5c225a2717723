//! The persons whom a submission tells of, as parties.

use chrono::{DateTime, Utc};

use super::particulars::{Contact as GivenContact, Identities, Particulars};
use super::submission::Submission;
use crate::coa::Policy;
use crate::db::Caller;
use crate::error::Result;
use crate::parties::identity::{Contact, Identity, SafeContact};
use crate::parties::{self, Belongs, NewConsent, NewParty, PartyRole, Prepared};
use crate::temwen::Temwen;
use crate::values::{ComplaintId, PartyId};
use crate::vault::DataKey;

/// All of them, sealed with the complaint's key.
pub(super) fn sealed(
    temwen: &Temwen,
    key: &DataKey,
    caller: &Caller,
    id: ComplaintId,
    submission: &Submission,
    at: DateTime<Utc>,
) -> Result<Prepared> {
    let persons = of(&submission.said, &submission.names, &temwen.policy);
    let belongs = Belongs::Complaint(id);
    parties::prepare(&persons, belongs, key, &temwen.register, caller.actor.user(), at)
}

/// The relation of whoever reports what was done to themself.
const VICTIM: &str = "victim";

fn contact(given: &GivenContact) -> Contact {
    let safe = given.safe_contact.clone().unwrap_or_default();
    Contact {
        phone: given.phone.clone(),
        email: given.email.clone(),
        address: None,
        safe_contact: SafeContact { times: safe.times.or_else(|| given.safe_times.clone()), ..safe },
    }
}

fn place(index: usize) -> i32 {
    i32::try_from(index).unwrap_or(i32::MAX).saturating_add(1)
}

/// All of them: whoever complains, victims, those accused, witnesses; each in the order of what was said.
fn of(said: &Particulars, names: &Identities, policy: &Policy) -> Vec<(PartyId, NewParty)> {
    let nobody = |role| NewParty {
        role,
        position: 1,
        speaks: false,
        sex: None,
        age_band: None,
        child: false,
        country: None,
        identity: Identity::default(),
        consents: Vec::new(),
    };
    let consents: Vec<NewConsent> = said
        .consents
        .iter()
        .map(|consent| NewConsent { purpose: consent.purpose.clone(), granted: consent.granted })
        .collect();
    let reporter = names.reporter.clone().unwrap_or_default();
    let mut persons = vec![NewParty {
        speaks: true,
        identity: Identity {
            name: reporter.name,
            contact: reporter.contact.as_ref().map(contact),
            ..Identity::default()
        },
        consents: consents.clone(),
        ..nobody(PartyRole::Complainant)
    }];
    // Whoever reports what was done to themself speaks for the victim too: they are one person.
    let same = said.relation.as_deref() == Some(VICTIM) && said.victims.len() == 1;
    for (index, victim) in said.victims.iter().enumerate() {
        let name = names.victims.get(index).cloned().flatten();
        persons.push(NewParty {
            position: place(index),
            speaks: same,
            sex: victim.sex.clone(),
            age_band: victim.age_band.clone(),
            child: policy
                .is_child(victim.age_band.as_deref(), victim.vulnerabilities.iter().map(String::as_str)),
            identity: Identity { name, ..Identity::default() },
            consents: if same { consents.clone() } else { Vec::new() },
            ..nobody(PartyRole::Victim)
        });
    }
    for (index, subject) in said.subjects.iter().enumerate() {
        let named = names.subjects.get(index).cloned().unwrap_or_default();
        persons.push(NewParty {
            position: place(index),
            country: subject.country.clone(),
            identity: Identity {
                name: named.name,
                service_number: named.service_number,
                unit: subject.unit.clone(),
                rank: subject.rank.clone(),
                description: subject.description.clone(),
                contact: None,
            },
            ..nobody(PartyRole::Subject)
        });
    }
    for (index, witness) in said.witnesses.iter().enumerate() {
        let name = names.witnesses.get(index).cloned().flatten();
        persons.push(NewParty {
            position: place(index),
            identity: Identity { name, description: witness.description.clone(), ..Identity::default() },
            ..nobody(PartyRole::Witness)
        });
    }
    persons.into_iter().map(|person| (PartyId::new(), person)).collect()
}
