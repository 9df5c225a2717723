//! SQL of the chain of custody.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::custody::{Deed, Row};
use crate::db::Tx;
use crate::db::schema::custody_events;
use crate::error::Result;
use crate::values::{CustodyEventId, EvidenceId};

pub(super) async fn insert(
    tx: &mut Tx,
    id: CustodyEventId,
    file: EvidenceId,
    deed: Deed,
    happened_at: DateTime<Utc>,
    place: Option<Vec<u8>>,
    note: Option<Vec<u8>>,
) -> Result<Row> {
    let row = (
        custody_events::id.eq(id),
        custody_events::evidence_id.eq(file),
        custody_events::kind.eq(deed),
        custody_events::actor_kind.eq(tx.actor().identity().kind),
        custody_events::actor_id.eq(tx.actor().user()),
        custody_events::happened_at.eq(happened_at),
        custody_events::recorded_at.eq(tx.now()),
        custody_events::place.eq(place),
        custody_events::note.eq(note),
    );
    tx.ask(async |mut conn| {
        diesel::insert_into(custody_events::table)
            .values(row)
            .returning(Row::as_returning())
            .get_result(&mut conn)
            .await
    })
    .await
}

/// The events of a file, oldest first.
pub(super) async fn of_file(
    tx: &mut Tx,
    file: EvidenceId,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> Result<Vec<Row>> {
    let mut query = custody_events::table.filter(custody_events::evidence_id.eq(file)).into_boxed();
    if let Some((at, id)) = after {
        query = query.filter(
            custody_events::recorded_at
                .gt(at)
                .or(custody_events::recorded_at.eq(at).and(custody_events::id.gt(CustodyEventId::from(id)))),
        );
    }
    tx.ask(async |mut conn| {
        query
            .order((custody_events::recorded_at, custody_events::id))
            .limit(rows)
            .select(Row::as_select())
            .load(&mut conn)
            .await
    })
    .await
}
