//! SQL of parties.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::seal::{Described, Prepared};
use super::{At, ContactRules, Matter, Named, Party, PartyRole};
use crate::db::Tx;
use crate::db::schema::{cases, complaints, parties, party_identities, party_marks};
use crate::db::statement::{Fixed, Text};
use crate::error::Result;
use crate::values::{ComplaintId, MatterId, PartyId};

type Ids = sql::Array<sql::Uuid>;
type Texts = sql::Array<sql::Text>;
type MaybeTexts = sql::Array<sql::Nullable<sql::Text>>;

struct Insert;
impl Text for Insert {
    const GIVEN: &'static str = "matter, complaint, of_case, by, at, ids, offered, roles, positions, speaking, sexes, bands, children, \
         countries, identified, discreet";
    // Those of a complaint that was not stored, because it was there already, are not stored either.
    const SQL: &'static str = " insert into parties (id, pseudonym, role, matter_id, complaint_id, case_id, position, speaks, sex, age_band, child, \
             country, identified, discreet, added_by, added_at, updated_at) \
         select e.id, free_pseudonym(string_to_array(e.offered, ',')), e.role, matter, complaint, of_case, e.position, e.speaks, e.sex, e.band, e.child, \
             e.country, e.identified, e.discreet, by, at, at \
         from given, unnest(ids, offered, roles, positions, speaking, sexes, bands, children, countries, identified, discreet) \
             as e (id, offered, role, position, speaks, sex, band, child, country, identified, discreet) \
         where complaint is null or exists (select from complaints c where c.id = complaint) \
         on conflict (id) do nothing";
    type Row = ();
}

struct InsertDetails;
impl Text for InsertDetails {
    const GIVEN: &'static str = "by, at, how, given_by, identity_ids, identity_parties, identities, mark_parties, marks, consent_ids, consent_parties, \
         purposes, answers";
    const SQL: &'static str = ", told as ( \
             insert into party_identities (id, party_id, version, identity, by_user, at) \
             select e.id, e.party, 1, e.identity, by, at from given, unnest(identity_ids, identity_parties, identities) as e (id, party, identity) \
             where exists (select from parties p where p.id = e.party) on conflict (party_id, version) do nothing), \
         known as ( \
             insert into party_marks (party_id, mark) \
             select e.party, e.mark from given, unnest(mark_parties, marks) as e (party, mark) \
             where exists (select from parties p where p.id = e.party) on conflict (party_id, mark) do nothing) \
         insert into consents (id, party_id, purpose, answer, given_by, how, at, recorded_by) \
         select e.id, e.party, e.purpose, e.answer, given_by, how, at, by \
         from given, unnest(consent_ids, consent_parties, purposes, answers) as e (id, party, purpose, answer) \
         where exists (select from parties p where p.id = e.party)";
    type Row = ();
}

/// Stores persons with what is known of them: two statements, which are asked together.
pub(crate) async fn insert(conn: &AsyncPgConnection, new: &Prepared) -> QueryResult<()> {
    if new.rows.is_empty() {
        return Ok(());
    }
    let rows = &new.rows;
    let by = new.by.map(crate::values::UserId::uuid);
    let persons = (
        (
            new.matter.into_sql::<sql::Uuid>(),
            new.complaint.into_sql::<sql::Nullable<sql::Uuid>>(),
            new.case.into_sql::<sql::Nullable<sql::Uuid>>(),
            by.into_sql::<sql::Nullable<sql::Uuid>>(),
            new.at.into_sql::<sql::Timestamptz>(),
        ),
        (
            rows.iter().map(|row| row.id.uuid()).collect::<Vec<_>>().into_sql::<Ids>(),
            rows.iter().map(|row| row.offered.clone()).collect::<Vec<_>>().into_sql::<Texts>(),
            rows.iter().map(|row| row.new.role.as_str()).collect::<Vec<_>>().into_sql::<Texts>(),
            rows.iter()
                .map(|row| row.new.position)
                .collect::<Vec<_>>()
                .into_sql::<sql::Array<sql::Integer>>(),
            rows.iter().map(|row| row.new.speaks).collect::<Vec<_>>().into_sql::<sql::Array<sql::Bool>>(),
            rows.iter().map(|row| row.new.sex.clone()).collect::<Vec<_>>().into_sql::<MaybeTexts>(),
            rows.iter().map(|row| row.new.age_band.clone()).collect::<Vec<_>>().into_sql::<MaybeTexts>(),
            rows.iter().map(|row| row.new.child).collect::<Vec<_>>().into_sql::<sql::Array<sql::Bool>>(),
            rows.iter().map(|row| row.new.country.clone()).collect::<Vec<_>>().into_sql::<MaybeTexts>(),
            rows.iter()
                .map(|row| row.new.identity.names_somebody())
                .collect::<Vec<_>>()
                .into_sql::<sql::Array<sql::Bool>>(),
            rows.iter()
                .map(|row| row.new.identity.is_discreet())
                .collect::<Vec<_>>()
                .into_sql::<sql::Array<sql::Bool>>(),
        ),
    );
    let details = (
        (
            by.into_sql::<sql::Nullable<sql::Uuid>>(),
            new.at.into_sql::<sql::Timestamptz>(),
            new.how.into_sql::<sql::Text>(),
            new.given_by.into_sql::<sql::Text>(),
        ),
        (
            new.identities.iter().map(|(row, ..)| *row).collect::<Vec<_>>().into_sql::<Ids>(),
            new.identities.iter().map(|(_, party, _)| party.uuid()).collect::<Vec<_>>().into_sql::<Ids>(),
            new.identities
                .iter()
                .map(|(.., sealed)| sealed.clone())
                .collect::<Vec<_>>()
                .into_sql::<sql::Array<sql::Binary>>(),
            new.marks.iter().map(|(party, _)| party.uuid()).collect::<Vec<_>>().into_sql::<Ids>(),
            new.marks
                .iter()
                .map(|(_, mark)| mark.to_vec())
                .collect::<Vec<_>>()
                .into_sql::<sql::Array<sql::Binary>>(),
            new.consents.iter().map(|(id, ..)| id.uuid()).collect::<Vec<_>>().into_sql::<Ids>(),
            new.consents.iter().map(|(_, party, ..)| party.uuid()).collect::<Vec<_>>().into_sql::<Ids>(),
            new.consents
                .iter()
                .map(|(_, _, purpose, _)| purpose.clone())
                .collect::<Vec<_>>()
                .into_sql::<Texts>(),
            new.consents.iter().map(|(.., answer)| answer.as_str()).collect::<Vec<_>>().into_sql::<Texts>(),
        ),
    );
    let (mut one, mut two) = (conn, conn);
    if new.identities.is_empty() && new.marks.is_empty() && new.consents.is_empty() {
        return Fixed::with(Insert, persons).execute(&mut one).await.map(|_| ());
    }
    let (stored, told) = futures_util::join!(
        Fixed::with(Insert, persons).execute(&mut one),
        Fixed::with(InsertDetails, details).execute(&mut two)
    );
    stored.and(told).map(|_| ())
}

/// Matter, category, marks, the State that was told, the State concerned.
type CaseRow = (MatterId, String, Vec<String>, Option<String>, Option<String>);

struct Lanes;
impl Text for Lanes {
    const GIVEN: &'static str = "matter";
    // Whoever sees a complaint may not see the case that it is in; its rules hold all the same.
    const SQL: &'static str = " select l.category, l.flags from given, lanes_of_matter(matter) l";
    type Row = (sql::Text, Texts);
}

/// The matter seen from a case or a complaint; nothing if whoever acts may not know of it.
pub(super) async fn matter(tx: &mut Tx, at: At) -> Result<Option<Matter>> {
    tx.ask(async |mut conn| {
        let found = match at {
            At::Case(id) => {
                let row: Option<CaseRow> = cases::table
                    .find(id)
                    .select((
                        cases::matter_id,
                        cases::category,
                        cases::flags,
                        cases::referred_country,
                        cases::country,
                    ))
                    .first(&mut conn)
                    .await
                    .optional()?;
                row.map(|(id, category, flags, referred, country)| {
                    (id, category, flags, referred.or(country))
                })
            }
            At::Complaint(id) => complaints::table
                .find(id)
                .select((complaints::matter_id, complaints::category, complaints::flags, complaints::country))
                .first(&mut conn)
                .await
                .optional()?,
        };
        let Some((id, category, mut flags, country)) = found else { return Ok(None) };
        let mut categories = vec![category];
        if matches!(at, At::Complaint(_)) {
            let case: Option<(String, Vec<String>)> =
                Fixed::with(Lanes, (id.into_sql::<sql::Uuid>(),)).get_result(&mut conn).await.optional()?;
            if let Some((category, more)) = case {
                categories.push(category);
                flags.extend(more);
            }
        }
        Ok(Some(Matter { at, id, categories, flags, country }))
    })
    .await
}

/// Holds what a matter is looked at from until the transaction ends; whether whoever acts may work there, and not only read.
pub(super) async fn hold_matter(tx: &mut Tx, at: At) -> Result<bool> {
    let held: Option<MatterId> = tx
        .ask(async |mut conn| match at {
            At::Case(id) => {
                let case = cases::table.find(id).for_no_key_update().select(cases::matter_id);
                case.first(&mut conn).await.optional()
            }
            At::Complaint(id) => {
                let complaint = complaints::table.find(id).for_no_key_update().select(complaints::matter_id);
                complaint.first(&mut conn).await.optional()
            }
        })
        .await?;
    Ok(held.is_some())
}

/// A person of a matter; seen from a complaint, one who came with it.
pub(super) async fn find(tx: &mut Tx, matter: &Matter, named: &Named) -> Result<Option<Party>> {
    tx.ask(async |mut conn| {
        let mut query = parties::table.filter(parties::matter_id.eq(matter.id)).into_boxed();
        if let At::Complaint(complaint) = matter.at {
            query = query.filter(parties::complaint_id.eq(complaint));
        }
        query = match named {
            Named::Id(id) => query.filter(parties::id.eq(*id)),
            Named::Pseudonym(pseudonym) => query.filter(parties::pseudonym.eq(pseudonym.clone())),
        };
        query.select(Party::as_select()).first(&mut conn).await.optional()
    })
    .await
}

/// A person by id, held until the transaction ends.
pub(super) async fn hold(tx: &mut Tx, id: PartyId) -> Result<Option<Party>> {
    tx.ask(async |mut conn| {
        parties::table.find(id).for_update().select(Party::as_select()).first(&mut conn).await.optional()
    })
    .await
}

/// The persons of a matter who have one of these parts, in the order in which they were added.
pub(super) async fn list(
    tx: &mut Tx,
    matter: &Matter,
    roles: &[PartyRole],
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> Result<Vec<Party>> {
    let roles = roles.to_vec();
    tx.ask(async |mut conn| {
        let mut query = parties::table
            .filter(parties::matter_id.eq(matter.id).and(parties::role.eq_any(roles)))
            .into_boxed();
        if let At::Complaint(complaint) = matter.at {
            query = query.filter(parties::complaint_id.eq(complaint));
        }
        if let Some((at, id)) = after {
            query = query.filter(parties::added_at.ge(at)).filter(
                parties::added_at.gt(at).or(parties::added_at.eq(at).and(parties::id.gt(PartyId::from(id)))),
            );
        }
        query
            .order((parties::added_at, parties::id))
            .limit(rows)
            .select(Party::as_select())
            .load(&mut conn)
            .await
    })
    .await
}

/// Those who came with a complaint, in the order in which they were told of.
pub(crate) async fn of_complaint(
    mut conn: &AsyncPgConnection,
    complaint: ComplaintId,
) -> QueryResult<Vec<Party>> {
    parties::table
        .filter(parties::complaint_id.eq(complaint))
        .order((parties::added_at, parties::id))
        .limit(500)
        .select(Party::as_select())
        .load(&mut conn)
        .await
}

struct Forget;
impl Text for Forget {
    const GIVEN: &'static str = "matter";
    const SQL: &'static str = " select forget_marks(matter) from given";
    type Row = sql::BigInt;
}

/// Forgets what the persons of a matter are known again by, once its data keys are destroyed; how many marks.
pub(crate) async fn forget(mut conn: &AsyncPgConnection, matter: MatterId) -> QueryResult<i64> {
    Fixed::with(Forget, (matter.into_sql::<sql::Uuid>(),)).get_result(&mut conn).await
}

/// By which pseudonyms these persons are called; those whom whoever acts may know of.
pub(crate) async fn pseudonyms(
    mut conn: &AsyncPgConnection,
    ids: &[PartyId],
) -> QueryResult<Vec<(PartyId, String)>> {
    parties::table
        .filter(parties::id.eq_any(ids))
        .select((parties::id, parties::pseudonym))
        .load(&mut conn)
        .await
}

/// How the reporter of a complaint may be written to.
pub(crate) async fn contact_rules(
    mut conn: &AsyncPgConnection,
    complaint: ComplaintId,
) -> QueryResult<ContactRules> {
    let discreet: Vec<bool> = parties::table
        .filter(parties::complaint_id.eq(complaint).and(parties::speaks).and(parties::discreet))
        .select(parties::discreet)
        .limit(1)
        .load(&mut conn)
        .await?;
    Ok(ContactRules { no_mission_name: !discreet.is_empty() })
}

/// The persons of a complaint go with it into another matter.
pub(crate) async fn follow_matter(tx: &mut Tx, complaint: ComplaintId, matter: MatterId) -> Result<()> {
    tx.ask(async |mut conn| {
        diesel::update(parties::table.filter(parties::complaint_id.eq(complaint)))
            .set(parties::matter_id.eq(matter))
            .execute(&mut conn)
            .await
    })
    .await
    .map(|_| ())
}

/// The newest of what is known of who somebody is: row, version, sealed.
pub(super) async fn newest_identity(tx: &mut Tx, party: PartyId) -> Result<Option<(Uuid, i32, Vec<u8>)>> {
    tx.ask(async |mut conn| {
        party_identities::table
            .filter(party_identities::party_id.eq(party))
            .order(party_identities::version.desc())
            .select((party_identities::id, party_identities::version, party_identities::identity))
            .first(&mut conn)
            .await
            .optional()
    })
    .await
}

/// Stores another version of who somebody is, with what is in the clear of them.
pub(super) async fn describe(
    tx: &mut Tx,
    party: &Party,
    described: &Described<'_>,
    (row, identity): (Uuid, Vec<u8>),
    marks: &[[u8; 32]],
) -> Result<()> {
    let (now, by) = (tx.now(), tx.actor().user());
    let version = (
        party_identities::id.eq(row),
        party_identities::party_id.eq(party.id),
        party_identities::version.eq(described.version),
        party_identities::identity.eq(identity),
        party_identities::by_user.eq(by),
        party_identities::at.eq(now),
    );
    let marks: Vec<_> = marks
        .iter()
        .map(|mark| (party_marks::party_id.eq(party.id), party_marks::mark.eq(mark.to_vec())))
        .collect();
    let set = (
        parties::sex.eq(described.sex.as_deref()),
        parties::age_band.eq(described.age_band.as_deref()),
        parties::country.eq(described.country.as_deref()),
        parties::child.eq(described.child),
        parties::identified.eq(described.identity.names_somebody()),
        parties::discreet.eq(described.identity.is_discreet()),
        parties::updated_at.eq(now),
        parties::version.eq(parties::version + 1),
    );
    tx.ask(async |mut conn| {
        diesel::insert_into(party_identities::table).values(version).execute(&mut conn).await?;
        diesel::insert_into(party_marks::table)
            .values(marks)
            .on_conflict_do_nothing()
            .execute(&mut conn)
            .await?;
        diesel::update(parties::table.find(party.id)).set(set).execute(&mut conn).await
    })
    .await
    .map(|_| ())
}
