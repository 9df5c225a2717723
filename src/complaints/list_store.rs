//! SQL of lists of complaints.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{Complaint, Status};
use crate::auth::policy::{Narrow, Scope};
use crate::db::parts;
use crate::db::schema::complaints;
use crate::db::statement::Condition;
use crate::values::ComplaintId;
use crate::words::Holds;

/// Which complaints are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this status.
    pub status: Option<Status>,
    /// That came this way.
    pub channel: Option<String>,
    /// Taken for this.
    pub category: Option<String>,
    /// From this department.
    pub department: Option<String>,
    /// In this language.
    pub language: Option<String>,
    /// Received at or after.
    pub received_from: Option<DateTime<Utc>>,
    /// Received before.
    pub received_to: Option<DateTime<Utc>>,
    /// With these words.
    pub(crate) words: Option<Looked>,
}

/// What is known of complaints that hold some words.
#[derive(Debug, Clone)]
pub(crate) struct Looked {
    /// Those that may, if they are few.
    pub(crate) few: Option<Vec<Uuid>>,
    /// That one does; not needed where that is known of the few.
    pub(crate) holds: Option<Holds>,
}

/// A part of a scope as a condition, if it is one: as for [`crate::cases::list`].
fn condition(part: Narrow<'_>) -> Option<Condition> {
    let sql = match part {
        Narrow::Category(word) => format!("complaints.category = '{word}'"),
        Narrow::Child => "complaints.child".to_owned(),
        Narrow::New => "complaints.status in ('received', 'acknowledged')".to_owned(),
        Narrow::Own => "complaints.submitted_by = (select acting_user())".to_owned(),
        Narrow::Assigned => {
            "complaints.matter_id = any (array(select matter_id from own_assignments))".to_owned()
        }
        Narrow::Everything | Narrow::Country(_) | Narrow::Panel | Narrow::Command => return None,
    };
    Some(Condition::new(sql))
}

/// Complaints, newest first.
pub async fn list(
    conn: &AsyncPgConnection,
    scope: &Scope,
    filter: &Filter,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> QueryResult<Vec<Complaint>> {
    let each = scope.parts_of_complaints().into_iter().map(|part| list_part(conn, part, filter, after, rows));
    parts::newest(each, rows, |complaint: &Complaint| (complaint.received_at, complaint.id.uuid())).await
}

async fn list_part(
    mut conn: &AsyncPgConnection,
    part: Narrow<'_>,
    filter: &Filter,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> QueryResult<Vec<Complaint>> {
    let mut query = complaints::table.into_boxed();
    if let Some(condition) = condition(part) {
        query = query.filter(condition);
    }
    if let Some(status) = filter.status {
        query = query.filter(complaints::status.eq(status));
    }
    if let Some(channel) = &filter.channel {
        query = query.filter(complaints::channel.eq(channel.clone()));
    }
    if let Some(category) = &filter.category {
        query = query.filter(complaints::category.eq(category.clone()));
    }
    if let Some(department) = &filter.department {
        query = query.filter(complaints::department.eq(department.clone()));
    }
    if let Some(language) = &filter.language {
        query = query.filter(complaints::language.eq(language.clone()));
    }
    if let Some(words) = &filter.words {
        if let Some(holds) = &words.holds {
            query = query.filter(holds.clone());
        }
        if let Some(few) = &words.few {
            query = query.filter(complaints::id.eq_any(few.clone()));
        }
    }
    if let Some(from) = filter.received_from {
        query = query.filter(complaints::received_at.ge(from));
    }
    if let Some(to) = filter.received_to {
        query = query.filter(complaints::received_at.lt(to));
    }
    if let Some((at, id)) = after {
        // The first condition lets the index start there; the second is the exact place.
        query = query.filter(complaints::received_at.le(at)).filter(
            complaints::received_at
                .lt(at)
                .or(complaints::received_at.eq(at).and(complaints::id.lt(ComplaintId::from(id)))),
        );
    }
    query
        .order((complaints::received_at.desc(), complaints::id.desc()))
        .limit(rows)
        .select(Complaint::as_select())
        .load(&mut conn)
        .await
}
