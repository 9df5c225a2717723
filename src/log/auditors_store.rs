//! SQL of auditors' reading.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::audit::Seen;
use crate::db::schema::{audit_entries, log_places};
use crate::values::EntryId;

/// Which entries are asked for; all that is given has to fit.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Who did it.
    pub actor: Option<String>,
    /// What was done.
    pub action: Option<String>,
    /// To which object.
    pub object: Option<Uuid>,
    /// In which matter.
    pub matter: Option<Uuid>,
    /// Not before.
    pub from: Option<DateTime<Utc>>,
    /// Before.
    pub to: Option<DateTime<Utc>>,
}

/// An entry as an auditor sees it, and its place once it has one.
pub type Audited = (Seen, Option<i64>);

/// The newest of these entries, newest first, after the entry `after`.
pub(super) async fn list(
    mut conn: &AsyncPgConnection,
    asked: &Asked,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> QueryResult<Vec<Audited>> {
    let mut query = audit_entries::table
        .left_join(log_places::table.on(log_places::entry_id.eq(audit_entries::id)))
        .into_boxed();
    if let Some(actor) = &asked.actor {
        query = query.filter(audit_entries::actor.eq(actor));
    }
    if let Some(action) = &asked.action {
        query = query.filter(audit_entries::action.eq(action));
    }
    if let Some(object) = asked.object {
        query = query.filter(audit_entries::object_id.eq(object));
    }
    if let Some(matter) = asked.matter {
        query = query.filter(audit_entries::matter_id.is_not_distinct_from(matter));
    }
    if let Some(from) = asked.from {
        query = query.filter(audit_entries::at.ge(from));
    }
    if let Some(to) = asked.to {
        query = query.filter(audit_entries::at.lt(to));
    }
    if let Some((at, id)) = after {
        query = query.filter(
            audit_entries::at
                .lt(at)
                .or(audit_entries::at.eq(at).and(audit_entries::id.lt(EntryId::from(id)))),
        );
    }
    query
        .order((audit_entries::at.desc(), audit_entries::id.desc()))
        .limit(limit)
        .select((Seen::as_select(), log_places::place.nullable()))
        .load(&mut conn)
        .await
}
