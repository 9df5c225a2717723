//! SQL of reveals.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::consent::{Basis, Lack, Purpose};
use super::reveal::Reveal;
use super::{At, Matter, Party, store};
use crate::db::Tx;
use crate::db::schema::{assignments, cases, complaints, parties, reveals};
use crate::db::statement::{Fixed, Text};
use crate::error::Result;
use crate::values::{CaseId, ComplaintId, MatterId, RevealId, UserId};

/// A reveal on its way into the database.
#[derive(Clone, Copy)]
pub(super) struct New<'a> {
    pub(super) party: &'a Party,
    pub(super) purpose: Purpose,
    pub(super) by: UserId,
    pub(super) basis: Basis,
    pub(super) under: Option<RevealId>,
    pub(super) missing: &'a [&'static str],
    pub(super) lack: Option<Lack>,
}

pub(super) async fn insert(tx: &mut Tx, id: RevealId, new: &New<'_>, reason: Vec<u8>) -> Result<()> {
    let row = (
        reveals::id.eq(id),
        reveals::party_id.eq(new.party.id),
        reveals::purpose.eq(new.purpose),
        reveals::basis.eq(new.basis),
        reveals::under.eq(new.under),
        reveals::missing.eq(new.missing.to_vec()),
        reveals::lack.eq(new.lack),
        reveals::asked_by.eq(new.by),
        reveals::asked_at.eq(tx.now()),
        reveals::reason.eq(reason),
    );
    tx.ask(async |mut conn| diesel::insert_into(reveals::table).values(row).execute(&mut conn).await)
        .await
        .map(|_| ())
}

/// An approval that has not ended.
pub(super) struct Approved {
    pub(super) id: RevealId,
    pub(super) until: DateTime<Utc>,
    /// The second officer.
    pub(super) by: UserId,
}

/// The approvals under which whoever asks is told now, if the second officer still counts: those that were given after all that
/// the person said, newest first.
pub(super) async fn approved(
    tx: &mut Tx,
    new: &New<'_>,
    said: Option<DateTime<Utc>>,
) -> Result<Vec<Approved>> {
    let now = tx.now();
    let found: Vec<(RevealId, Option<DateTime<Utc>>, Option<UserId>)> = tx
        .ask(async |mut conn| {
            let mut query = reveals::table
                .filter(
                    reveals::party_id
                        .eq(new.party.id)
                        .and(reveals::asked_by.eq(new.by))
                        .and(reveals::purpose.eq(new.purpose))
                        .and(reveals::valid_until.gt(now)),
                )
                .into_boxed();
            if let Some(said) = said {
                query = query.filter(reveals::decided_at.ge(said));
            }
            query
                .order(reveals::valid_until.desc())
                .select((reveals::id, reveals::valid_until, reveals::decided_by))
                .limit(20)
                .load(&mut conn)
                .await
        })
        .await?;
    Ok(found
        .into_iter()
        .filter_map(|(id, until, by)| Some(Approved { id, until: until?, by: by? }))
        .collect())
}

struct Walled;
impl Text for Walled {
    const GIVEN: &'static str = "account, matter";
    // Whoever asks may not see who else is walled.
    const SQL: &'static str = " select walled(account, matter) from given";
    type Row = sql::Bool;
}

/// Whether a matter is hidden from an account.
pub(super) async fn is_walled(tx: &mut Tx, user: UserId, matter: MatterId) -> Result<bool> {
    tx.ask(async |mut conn| {
        let given = (user.into_sql::<sql::Uuid>(), matter.into_sql::<sql::Uuid>());
        Fixed::with(Walled, given).get_result(&mut conn).await
    })
    .await
}

struct RefusedAfterwards;
impl Text for RefusedAfterwards {
    const GIVEN: &'static str = "account";
    const SQL: &'static str = " select refused_afterwards(account) from given";
    type Row = sql::Bool;
}

/// Whether a second officer refused to sign what an account was told in danger or on a legal order, in whatever matter.
pub(super) async fn refused_afterwards(tx: &mut Tx, user: UserId) -> Result<bool> {
    tx.ask(async |mut conn| {
        Fixed::with(RefusedAfterwards, (user.into_sql::<sql::Uuid>(),)).get_result(&mut conn).await
    })
    .await
}

/// The same request, if it waits already.
pub(super) async fn waiting(tx: &mut Tx, new: &New<'_>) -> Result<Option<RevealId>> {
    tx.ask(async |mut conn| {
        reveals::table
            .filter(
                reveals::party_id
                    .eq(new.party.id)
                    .and(reveals::asked_by.eq(new.by))
                    .and(reveals::purpose.eq(new.purpose))
                    .and(reveals::basis.eq(Basis::SecondPerson))
                    .and(reveals::lack.is_not_distinct_from(new.lack))
                    .and(reveals::under.is_null())
                    .and(reveals::decided_at.is_null()),
            )
            .select(reveals::id)
            .first(&mut conn)
            .await
            .optional()
    })
    .await
}

pub(super) async fn find(tx: &mut Tx, id: RevealId) -> Result<Option<Reveal>> {
    tx.ask(async |mut conn| {
        reveals::table.find(id).select(Reveal::as_select()).first(&mut conn).await.optional()
    })
    .await
}

/// Whom a reveal is about.
pub(super) async fn whose(tx: &mut Tx, id: RevealId) -> Result<Option<Party>> {
    tx.ask(async |mut conn| {
        let found = reveals::table.find(id).inner_join(parties::table).select(Party::as_select());
        found.first(&mut conn).await.optional()
    })
    .await
}

pub(super) async fn lock(tx: &mut Tx, id: RevealId) -> Result<Option<Reveal>> {
    tx.ask(async |mut conn| {
        reveals::table.find(id).for_update().select(Reveal::as_select()).first(&mut conn).await.optional()
    })
    .await
}

pub(super) async fn decide(
    tx: &mut Tx,
    id: RevealId,
    approve: bool,
    reason: Vec<u8>,
    until: Option<DateTime<Utc>>,
) -> Result<Reveal> {
    let by = tx.actor().user();
    let set = (
        reveals::decided_by.eq(by),
        reveals::decided_at.eq(tx.now()),
        reveals::approved.eq(approve),
        reveals::decision_reason.eq(reason),
        reveals::valid_until.eq(until),
        reveals::version.eq(reveals::version + 1),
    );
    tx.ask(async |mut conn| {
        diesel::update(reveals::table.find(id))
            .set(set)
            .returning(Reveal::as_returning())
            .get_result(&mut conn)
            .await
    })
    .await
}

/// Reveals and requests, with the person, oldest first.
pub(super) async fn list(
    tx: &mut Tx,
    waiting: Option<bool>,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> Result<Vec<(Reveal, Party)>> {
    tx.ask(async |mut conn| {
        let mut query = reveals::table.inner_join(parties::table).into_boxed();
        let open = reveals::decided_at.is_null().and(reveals::under.is_null()).and(reveals::basis.eq_any([
            Basis::SecondPerson,
            Basis::Danger,
            Basis::LegalOrder,
        ]));
        match waiting {
            Some(true) => query = query.filter(open),
            Some(false) => query = query.filter(diesel::dsl::not(open)),
            None => {}
        }
        if let Some((at, id)) = after {
            query = query.filter(reveals::asked_at.ge(at)).filter(
                reveals::asked_at.gt(at).or(reveals::asked_at.eq(at).and(reveals::id.gt(RevealId::from(id)))),
            );
        }
        query
            .order((reveals::asked_at, reveals::id))
            .limit(rows)
            .select((Reveal::as_select(), Party::as_select()))
            .load(&mut conn)
            .await
    })
    .await
}

/// The matter of a person, as whoever acts may know of it: by its case, else by the complaint.
pub(super) async fn matter_of(tx: &mut Tx, party: &Party) -> Result<Option<Matter>> {
    let case: Option<CaseId> = tx
        .ask(async |mut conn| {
            cases::table
                .filter(cases::matter_id.eq(party.matter_id))
                .select(cases::id)
                .first(&mut conn)
                .await
                .optional()
        })
        .await?;
    match (case, party.complaint_id) {
        (Some(case), _) => store::matter(tx, At::Case(case)).await,
        (None, Some(complaint)) => store::matter(tx, At::Complaint(complaint)).await,
        (None, None) => Ok(None),
    }
}

/// What part an account has in a matter.
pub(super) struct Part {
    pub(super) assigned: bool,
    /// Whether it handed the complaint in.
    pub(super) own: bool,
    pub(super) received_at: Option<DateTime<Utc>>,
}

pub(super) async fn part(
    tx: &mut Tx,
    matter: MatterId,
    complaint: Option<ComplaintId>,
    user: UserId,
) -> Result<Part> {
    let assigned = async |conn: &AsyncPgConnection| {
        let mut conn = conn;
        assignments::table
            .filter(
                assignments::matter_id
                    .eq(matter)
                    .and(assignments::user_id.eq(user))
                    .and(assignments::ended_at.is_null()),
            )
            .select(assignments::id)
            .first::<Uuid>(&mut conn)
            .await
            .optional()
    };
    let handed_in = async |conn: &AsyncPgConnection| {
        let mut conn = conn;
        complaints::table
            .filter(complaints::id.nullable().eq(complaint))
            .select((complaints::submitted_by, complaints::received_at))
            .first::<(Option<UserId>, DateTime<Utc>)>(&mut conn)
            .await
            .optional()
    };
    let (assigned, handed_in) = tx
        .ask(async |conn| {
            let (assigned, handed_in) = futures_util::join!(assigned(conn), handed_in(conn));
            Ok((assigned?, handed_in?))
        })
        .await?;
    Ok(Part {
        assigned: assigned.is_some(),
        own: handed_in.is_some_and(|(by, _)| by == Some(user)),
        received_at: handed_in.map(|(_, at)| at),
    })
}
