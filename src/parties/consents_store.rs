//! SQL of consents.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::consent::Said;
use super::consents::Consent;
use crate::db::Tx;
use crate::db::schema::{complaints, consents, parties};
use crate::error::Result;
use crate::values::{ComplaintId, MatterId, PartyId};

/// How many words of one person are looked at: the newest, so that nobody is talked over.
const MOST: i64 = 1000;

fn oldest_first(mut rows: Vec<Consent>) -> Vec<Consent> {
    rows.reverse();
    rows
}

/// All that a person said, oldest first.
pub(super) async fn of_party(tx: &mut Tx, party: PartyId) -> Result<Vec<Consent>> {
    tx.ask(async |mut conn| {
        consents::table
            .filter(consents::party_id.eq(party))
            .order((consents::turn.desc().nulls_last(), consents::at.desc(), consents::id.desc()))
            .limit(MOST)
            .select(Consent::as_select())
            .load(&mut conn)
            .await
    })
    .await
    .map(oldest_first)
}

/// The same, as the rules see it.
pub(super) async fn said(tx: &mut Tx, party: PartyId) -> Result<Vec<Said>> {
    Ok(of_party(tx, party).await?.iter().map(Said::from).collect())
}

pub(super) async fn insert(tx: &mut Tx, rows: &[Consent]) -> Result<()> {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                consents::id.eq(row.id),
                consents::party_id.eq(row.party_id),
                consents::purpose.eq(&row.purpose),
                consents::recipient.eq(&row.recipient),
                consents::answer.eq(row.answer),
                consents::condition.eq(&row.condition),
                consents::given_by.eq(row.given_by),
                consents::assent.eq(row.assent),
                consents::how.eq(row.how),
                consents::at.eq(row.at),
                consents::recorded_by.eq(row.recorded_by),
                consents::withdraws.eq(row.withdraws),
            )
        })
        .collect();
    tx.ask(async |mut conn| diesel::insert_into(consents::table).values(rows).execute(&mut conn).await)
        .await
        .map(|_| ())
}

/// What the complainant of a complaint said, oldest first.
pub(super) async fn of_reporter(tx: &mut Tx, complaint: ComplaintId) -> Result<Vec<Consent>> {
    tx.ask(async |mut conn| {
        consents::table
            .inner_join(parties::table)
            .filter(parties::complaint_id.eq(complaint).and(parties::role.eq(super::PartyRole::Complainant)))
            .order((consents::turn.desc().nulls_last(), consents::at.desc(), consents::id.desc()))
            .limit(MOST)
            .select(Consent::as_select())
            .load(&mut conn)
            .await
    })
    .await
    .map(oldest_first)
}

/// The matter of a complaint, and the persons whom its reporter speaks for.
pub(super) async fn speaking(
    tx: &mut Tx,
    complaint: ComplaintId,
) -> Result<Option<(MatterId, Vec<PartyId>)>> {
    tx.ask(async |mut conn| {
        let matter: Option<MatterId> = complaints::table
            .find(complaint)
            .select(complaints::matter_id)
            .first(&mut conn)
            .await
            .optional()?;
        let persons = parties::table
            .filter(parties::complaint_id.eq(complaint).and(parties::speaks))
            .order((parties::added_at, parties::id))
            .select(parties::id)
            .load(&mut conn)
            .await?;
        Ok(matter.map(|matter| (matter, persons)))
    })
    .await
}
