//! The persons whom a submission tells of, as parties.

use chrono::{DateTime, Utc};

use super::particulars::{Contact as GivenContact, Identities, Particulars};
use super::submission::Submission;
use super::{lock, persons_store as store, said_in};
use crate::audit::{Event, What};
use crate::coa::Policy;
use crate::db::{Caller, Tx};
use crate::error::{Error, Kind, Result};
use crate::parties::identity::{Contact, Identity, SafeContact};
use crate::parties::{self, Belongs, NewConsent, NewParty, PartyRole, Prepared};
use crate::personnel;
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
        ..NewParty::nobody(PartyRole::Complainant)
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
            ..NewParty::nobody(PartyRole::Victim)
        });
    }
    for (index, subject) in said.subjects.iter().enumerate() {
        let accused = names.subjects.get(index).cloned().unwrap_or_default();
        persons.push(NewParty {
            position: place(index),
            country: subject.country.clone(),
            identity: Identity {
                name: accused.name,
                service_number: accused.service_number,
                unit: subject.unit.clone(),
                rank: subject.rank.clone(),
                description: subject.description.clone(),
                contact: None,
            },
            ..NewParty::nobody(PartyRole::Subject)
        });
    }
    for (index, witness) in said.witnesses.iter().enumerate() {
        let name = names.witnesses.get(index).cloned().flatten();
        persons.push(NewParty {
            position: place(index),
            identity: Identity { name, description: witness.description.clone(), ..Identity::default() },
            ..NewParty::nobody(PartyRole::Witness)
        });
    }
    persons.into_iter().map(|person| (PartyId::new(), person)).collect()
}

/// How many complaints one transaction takes over.
const BATCH: i64 = 50;

/// Gives the persons of complaints that were handed in before persons had a table of their own their pseudonyms; how many
/// complaints. What was said stays as it was.
pub async fn take_over(temwen: &Temwen) -> Result<usize> {
    let caller = Caller::system("complaints.take_over_persons");
    let work = async |tx: &mut Tx| {
        let ids = store::without(tx, BATCH).await?;
        let mut done = 0;
        for id in &ids {
            let Some(said) = said_in(tx, *id).await? else { continue };
            let particulars: Particulars =
                serde_json::from_str(&said.particulars).map_err(Error::internal)?;
            let names: Option<Identities> = said
                .identities
                .map(|json| serde_json::from_str(&json))
                .transpose()
                .map_err(Error::internal)?;
            let complaint = lock(tx, *id).await?;
            let persons = of(&particulars, &names.unwrap_or_default(), &temwen.policy);
            let key = tx.data_key(id.uuid()).await?;
            let belongs = Belongs::Complaint(*id);
            let at = complaint.received_at;
            let prepared = parties::prepare(&persons, belongs, &key, &temwen.register, None, at)?;
            tx.ask(async |conn| parties::insert(conn, &prepared).await).await?;
            parties::follow_matter(tx, *id, complaint.matter_id).await?;
            personnel::match_parties(tx, complaint.matter_id).await?;
            let count = i64::try_from(persons.len()).unwrap_or(i64::MAX);
            tx.record(Event::complaint(What::PartyAdded, *id, complaint.matter_id).with("count", count));
            done += 1;
        }
        // Nothing happened, so nothing is to be recorded: undone, rather than committed.
        if done == 0 { Err(Error::not_found()) } else { Ok(done) }
    };
    match temwen.db.write(&caller, "complaints.take_over_persons", work).await {
        Err(error) if error.kind() == Kind::NotFound => Ok(0),
        done => done,
    }
}
