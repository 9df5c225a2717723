//! SQL of complaints of before persons had a table of their own.

use diesel::dsl::{exists, not};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Tx;
use crate::db::schema::{complaints, parties};
use crate::error::Result;
use crate::values::ComplaintId;

/// Some complaints of which no person is known yet, held until the transaction ends. Those that were imported tell of nobody.
pub(super) async fn without(tx: &mut Tx, rows: i64) -> Result<Vec<ComplaintId>> {
    tx.ask(async |mut conn| {
        complaints::table
            .filter(complaints::external_ref.is_null())
            .filter(not(exists(parties::table.filter(parties::complaint_id.eq(complaints::id.nullable())))))
            .select(complaints::id)
            .limit(rows)
            .for_update()
            .skip_locked()
            .load(&mut conn)
            .await
    })
    .await
}
