//! Parties: who complains, to whom it was done, who saw it, who is accused.
//!
//! Belongs here: pseudonyms, sealed identities, consents, reveals, and the rules of safe contact. Everybody else calls a person by
//! their pseudonym; who they are leaves only through [`reveal`].
//! Does not belong here: what is said about them; see [`crate::complaints`] and [`crate::cases`].
//! May touch: its own stores, [`crate::personnel`], [`crate::users`], [`crate::vault`], and [`Tx`]. Knows no HTTP.

pub mod consent;
pub mod consents;
mod consents_http;
mod consents_store;
pub(crate) mod http;
pub mod identity;
mod identity_http;
mod pseudonym;
pub mod reveal;
mod reveal_http;
mod reveal_store;
mod seal;
pub mod standing;
mod store;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use self::identity::Identity;
use crate::audit::{Event, What};
use crate::auth::policy::Action;
use crate::coa::Policy;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::temwen::Temwen;
use crate::users::seen_is_current;
use crate::values::{CaseId, ComplaintId, MatterId, PartyId, UserId, text_enum};
use crate::vault::DataKey;

pub(crate) use self::seal::{Belongs, NewConsent, NewParty, Prepared, known_as, prepare};
pub(crate) use self::store::{contact_rules, follow_matter, forget, insert, of_complaint, pseudonyms};

text_enum! {
    /// The part that a person has in a matter.
    PartyRole {
        /// Whoever complains.
        Complainant = "complainant",
        /// Whoever it was done to.
        Victim = "victim",
        /// Whoever saw it.
        Witness = "witness",
        /// Whoever is accused.
        Subject = "subject",
    }
}

impl PartyRole {
    /// The letter that their pseudonyms begin with.
    pub const fn letter(self) -> char {
        match self {
            Self::Complainant => 'R',
            Self::Victim => 'V',
            Self::Witness => 'W',
            Self::Subject => 'S',
        }
    }
}

/// A person of a matter, as everybody who knows of the matter may know them.
#[derive(Debug, Clone, diesel::Queryable, diesel::Selectable)]
#[diesel(table_name = crate::db::schema::parties, check_for_backend(diesel::pg::Pg))]
#[expect(clippy::struct_excessive_bools, reason = "each says something else of them")]
pub struct Party {
    /// Their id.
    pub id: PartyId,
    /// What everybody calls them.
    pub pseudonym: String,
    /// Their part.
    pub role: PartyRole,
    /// The matter.
    pub matter_id: MatterId,
    /// The complaint that they came with.
    pub complaint_id: Option<ComplaintId>,
    /// The case that they were added to.
    pub case_id: Option<CaseId>,
    /// Their place among those of their role in what was handed in.
    pub position: i32,
    /// Whether the reporter's words are theirs.
    pub speaks: bool,
    /// A word of the policy.
    pub sex: Option<String>,
    /// A word of the policy.
    pub age_band: Option<String>,
    /// Whether they are known to be under 18.
    pub child: bool,
    /// ISO 3166-1 alpha-2 code.
    pub country: Option<String>,
    /// Whether a name, number or contact is known.
    pub identified: bool,
    /// Whether nothing that they are sent may name the mission.
    pub discreet: bool,
    /// When they were added.
    pub added_at: DateTime<Utc>,
    /// Counts changes.
    pub version: i32,
}

impl Party {
    /// The data key that seals what belongs to them.
    fn key(&self) -> Uuid {
        self.complaint_id.map_or(self.matter_id.uuid(), ComplaintId::uuid)
    }
}

/// Where a matter is looked at from: its case, or one of its complaints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// A case.
    Case(CaseId),
    /// A complaint.
    Complaint(ComplaintId),
}

/// What the rules of this room need to know of a matter.
#[derive(Debug, Clone)]
pub struct Matter {
    /// Where it is looked at from.
    pub at: At,
    /// Which one.
    pub id: MatterId,
    /// What it is taken for; a complaint in a case, for both what it and the case are taken for.
    pub categories: Vec<String>,
    /// Its marks, and those of the case that it is in.
    pub flags: Vec<String>,
    /// The State that it was referred to, or that it concerns.
    pub country: Option<String>,
}

impl Matter {
    /// Whether it concerns sexual exploitation or abuse, or a child.
    pub fn is_psea(&self, policy: &Policy) -> bool {
        let in_lane =
            |category: &String| policy.in_lane("psea", category, self.flags.iter().map(String::as_str));
        self.categories.iter().any(in_lane)
    }

    /// Something happened in it.
    fn event(&self, what: What) -> Event {
        match self.at {
            At::Case(case) => Event::case(what, case, self.id),
            At::Complaint(complaint) => Event::complaint(what, complaint, self.id),
        }
    }

    /// Something happened to one of its persons.
    fn about(&self, what: What, party: &Party) -> Event {
        self.event(what).with("party", party.id.uuid()).with("pseudonym", party.pseudonym.as_str())
    }
}

/// Which person is meant: by id, or by pseudonym as people type it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// By id.
    Id(PartyId),
    /// By pseudonym.
    Pseudonym(String),
}

impl Named {
    /// Reads what stands in an address; what is neither names nobody.
    pub fn parse(text: &str) -> Result<Self> {
        let id = Uuid::try_parse(text).ok().map(|id| Self::Id(PartyId::from(id)));
        id.or_else(|| pseudonym::typed(text).map(Self::Pseudonym)).ok_or_else(Error::not_found)
    }
}

/// What sealing and matching a person takes.
#[derive(Clone, Copy)]
pub struct Keep<'a> {
    /// The policy in force.
    pub policy: &'a Policy,
    /// The register's own key, under which persons are known again.
    pub register: &'a DataKey,
}

impl<'a> Keep<'a> {
    /// From everything that a request may need.
    pub fn of(temwen: &'a Temwen) -> Self {
        Self { policy: &temwen.policy, register: &temwen.register }
    }
}

/// How a reporter may be written to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContactRules {
    /// Nothing that they are sent may name the mission.
    pub no_mission_name: bool,
}

/// The matter seen from `at`, as whoever acts may know of it.
async fn matter(tx: &mut Tx, at: At) -> Result<Matter> {
    store::matter(tx, at).await?.ok_or_else(Error::not_found)
}

/// The same, held until the transaction ends, for whoever may work there: whoever may only read it for a while finds nothing.
async fn hold(tx: &mut Tx, at: At) -> Result<Matter> {
    if store::hold_matter(tx, at).await? { matter(tx, at).await } else { Err(Error::not_found()) }
}

/// A person of a matter, as whoever acts may know of them.
async fn party(tx: &mut Tx, matter: &Matter, named: &Named) -> Result<Party> {
    let found = store::find(tx, matter, named).await?.ok_or_else(Error::not_found)?;
    let roles = tx.actor().officer().map(|officer| officer.roles).unwrap_or_default();
    if consent::seen(roles).contains(&found.role) { Ok(found) } else { Err(Error::not_found()) }
}

/// The persons of a matter by pseudonym, in the order in which they were added.
pub async fn list(
    tx: &mut Tx,
    at: At,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> Result<Vec<Party>> {
    let matter = matter(tx, at).await?;
    tx.allow(Action::ReadParties)?;
    let roles = tx.actor().officer().map(|officer| officer.roles).unwrap_or_default();
    let found = store::list(tx, &matter, consent::seen(roles), after, rows).await?;
    tx.record(matter.event(What::PartiesRead));
    Ok(found)
}

/// One of them.
pub async fn read(tx: &mut Tx, at: At, named: &Named) -> Result<Party> {
    let matter = matter(tx, at).await?;
    let party = party(tx, &matter, named).await?;
    tx.allow(Action::ReadParties)?;
    tx.record(matter.about(What::PartiesRead, &party));
    Ok(party)
}

/// Adds a person to a case that is held.
pub(crate) async fn add(tx: &mut Tx, keep: Keep<'_>, case: CaseId, new: NewParty) -> Result<Party> {
    let matter = matter(tx, At::Case(case)).await?;
    tx.allow(Action::KeepParties)?;
    let key = tx.data_key(matter.id.uuid()).await?;
    let belongs = Belongs::Case(case, matter.id);
    let (id, by, now) = (PartyId::new(), tx.actor().user(), tx.now());
    let prepared = prepare(&[(id, new)], belongs, &key, keep.register, by, now)?;
    tx.ask(async |conn| store::insert(conn, &prepared).await).await?;
    let party = store::find(tx, &matter, &Named::Id(id)).await?.ok_or_else(Error::not_found)?;
    tx.record(
        matter
            .about(What::PartyAdded, &party)
            .with("role", party.role.as_str())
            .with("identified", party.identified)
            .with("child", party.child),
    );
    Ok(party)
}

/// What was learned of a person.
#[derive(Debug, Clone, Default)]
pub struct Learned {
    /// A word of the policy.
    pub sex: Option<String>,
    /// A word of the policy.
    pub age_band: Option<String>,
    /// ISO 3166-1 alpha-2 code.
    pub country: Option<String>,
    /// Who they are; what it does not say stays as it was.
    pub identity: Option<Identity>,
}

/// Describes a person of a case better. What was known before stays beside it.
pub(crate) async fn learn(
    tx: &mut Tx,
    keep: Keep<'_>,
    case: CaseId,
    named: &Named,
    seen: i32,
    learned: Learned,
) -> Result<Party> {
    let matter = matter(tx, At::Case(case)).await?;
    let party = party(tx, &matter, named).await?;
    tx.allow(Action::KeepParties)?;
    let party = store::hold(tx, party.id).await?.ok_or_else(Error::not_found)?;
    seen_is_current(seen, party.version)?;
    let key = tx.data_key(party.key()).await?;
    let before = seal::newest(tx, &party).await?;
    let known = before.as_ref().map(|(_, identity)| identity.clone()).unwrap_or_default();
    let version = before.map_or(1, |(version, _)| version + 1);
    let identity = known.with(learned.identity.unwrap_or_default());
    let child = match learned.age_band.as_deref() {
        Some(band) => keep.policy.is_child(Some(band), []),
        None => party.child,
    };
    let described = seal::Described {
        identity: &identity,
        version,
        sex: learned.sex.or_else(|| party.sex.clone()),
        age_band: learned.age_band.or_else(|| party.age_band.clone()),
        country: learned.country.or_else(|| party.country.clone()),
        child,
    };
    seal::describe(tx, &key, keep.register, &party, &described).await?;
    let changed = store::find(tx, &matter, &Named::Id(party.id)).await?.ok_or_else(Error::not_found)?;
    tx.record(
        matter
            .about(What::PartyChanged, &changed)
            .with("identified", changed.identified)
            .with("child", changed.child),
    );
    Ok(changed)
}

/// Which officer acts.
fn acting(tx: &Tx) -> Result<UserId> {
    tx.actor().user().ok_or_else(Error::forbidden)
}
