//! SQL of what falls due.

use chrono::{DateTime, Months, Utc};
use diesel::prelude::*;
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::coa::{Retention, RetentionStart};

/// A matter that is over.
#[derive(Debug, QueryableByName)]
pub(super) struct Row {
    #[diesel(sql_type = sql::Bool)]
    pub(super) is_case: bool,
    #[diesel(sql_type = sql::Uuid)]
    pub(super) id: Uuid,
    #[diesel(sql_type = sql::Text)]
    pub(super) name: String,
    #[diesel(sql_type = sql::Text)]
    pub(super) category: String,
    #[diesel(sql_type = sql::Array<sql::Text>)]
    pub(super) flags: Vec<String>,
    #[diesel(sql_type = sql::Timestamptz)]
    pub(super) over_at: DateTime<Utc>,
    #[diesel(sql_type = sql::Nullable<sql::Timestamptz>)]
    pub(super) service_ended: Option<DateTime<Utc>>,
    #[diesel(sql_type = sql::Bool)]
    pub(super) held: bool,
    #[diesel(sql_type = sql::Nullable<sql::Uuid>)]
    pub(super) erasure_id: Option<Uuid>,
}

/// The classes of the policy, as the statement takes them, and the fewest years of any.
pub(super) struct Classes {
    rows: Value,
    fewest: u32,
}

pub(super) fn classes(all: &[Retention]) -> Classes {
    let row = |class: &Retention| {
        let service = class.from == RetentionStart::EndOfService;
        json!({"years": class.years, "service": service, "categories": class.categories, "flags": class.flags})
    };
    Classes {
        rows: Value::Array(all.iter().map(row).collect()),
        fewest: all.iter().map(|class| class.years).min().unwrap_or(0),
    }
}

/// What is over, was not erased, and is kept by no class beyond the horizon; those that ended first first. Where it is not known
/// whether those accused still serve, as if they had left at the end: it is shown, and does not fall due.
const LIST: &str = "\
    with classes as materialized (select * from jsonb_to_recordset($1) as k (years integer, service boolean, categories text[], flags text[])), \
    ended as ( \
        (select true as is_case, c.id, c.number as name, c.category, c.flags, c.closed_at as over_at, c.matter_id from cases c \
            where c.closed_at <= $3 and ($4 is null or (c.closed_at, c.id) > ($4, $5))) \
        union all \
        (select false, c.id, c.reference, c.category, c.flags, c.assessed_at, c.matter_id from complaints c \
            where c.status in ('referred_out', 'closed') and c.assessed_at <= $3 and ($4 is null or (c.assessed_at, c.id) > ($4, $5)))), \
    falling as ( \
        select e.*, s.at as service_ended from ended e cross join lateral (select end_of_service(e.matter_id) as at offset 0) s \
        where not exists (select from erasures r where r.matter_id = e.matter_id and r.approved) \
            and not exists (select from classes k where (cardinality(k.categories) = 0 or e.category = any (k.categories)) \
                and (cardinality(k.flags) = 0 or e.flags && k.flags) \
                and case when k.service then greatest(e.over_at, s.at) else e.over_at end + make_interval(years => k.years) > $2) \
            and exists (select from classes k where (cardinality(k.categories) = 0 or e.category = any (k.categories)) \
                and (cardinality(k.flags) = 0 or e.flags && k.flags)) \
        order by e.over_at, e.id limit $6) \
    select f.is_case, f.id, f.name, f.category, f.flags, f.over_at, f.service_ended, \
        exists (select from legal_holds h where h.ended_at is null and (h.case_id = f.id or h.complaint_id = f.id \
            or (f.is_case and h.complaint_id in (select c.id from complaints c where c.case_id = f.id)))) as held, \
        (select r.id from erasures r where r.decided_at is null and (r.case_id = f.id or r.complaint_id = f.id)) as erasure_id \
    from falling f order by f.over_at, f.id";

pub(super) async fn list(
    mut conn: &AsyncPgConnection,
    classes: &Classes,
    horizon: DateTime<Utc>,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> QueryResult<Vec<Row>> {
    // Nothing that ended later can be due by then, whatever it is.
    let latest = horizon
        .checked_sub_months(Months::new(classes.fewest.saturating_mul(12)))
        .unwrap_or(DateTime::<Utc>::MIN_UTC);
    diesel::sql_query(LIST)
        .bind::<sql::Jsonb, _>(&classes.rows)
        .bind::<sql::Timestamptz, _>(horizon)
        .bind::<sql::Timestamptz, _>(latest)
        .bind::<sql::Nullable<sql::Timestamptz>, _>(after.map(|(at, _)| at))
        .bind::<sql::Nullable<sql::Uuid>, _>(after.map(|(_, id)| id))
        .bind::<sql::BigInt, _>(rows)
        .load(&mut conn)
        .await
}
