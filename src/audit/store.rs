//! SQL of the audit record.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Entry;
use super::leaf::{self, Kept, Said};
use crate::auth::credentials::EntrySeal;
use crate::db::schema::audit_entries;
use crate::db::statement::{Bare, Fixed, Text};
use crate::values::{ComplaintId, EntryId, MatterId};

struct Append;
impl Text for Append {
    const GIVEN: &'static str =
        "ids, ats, kinds, actors, requests, actions, object_kinds, object_ids, matters, details, seals";
    // Together with the entry: its place in the queue of the log, and what the transaction's rows look like now.
    const SQL: &'static str = ", queued as (insert into log_queue (entry_id) select unnest(ids) from given) \
         insert into audit_entries (id, at, actor_kind, actor, request_id, action, object_kind, object_id, matter_id, detail, seal, changes) \
         select e.id, e.at, e.actor_kind, e.actor, e.request, e.action, e.object_kind, e.object_id, e.matter, e.detail, e.seal, \
             coalesce(noted.changes, '{}') \
         from given, unnest(ids, ats, kinds, actors, requests, actions, object_kinds, object_ids, matters, details, seals) \
                 with ordinality as e (id, at, actor_kind, actor, request, action, object_kind, object_id, matter, detail, seal, ordinal) \
             left join entry_changes((select object_ids from given)) as noted on noted.ordinal = e.ordinal";
    type Row = ();
}

/// Appends `entries`, all in one statement.
pub(crate) async fn append(
    mut conn: &AsyncPgConnection,
    seal: &EntrySeal,
    entries: &[Entry],
) -> QueryResult<()> {
    let column = |of: fn(&Entry) -> &str| entries.iter().map(of).collect::<Vec<_>>();
    let binds = (
        entries.iter().map(|e| e.id).collect::<Vec<_>>().into_sql::<sql::Array<sql::Uuid>>(),
        entries.iter().map(|e| e.at).collect::<Vec<_>>().into_sql::<sql::Array<sql::Timestamptz>>(),
        column(|e| e.actor_kind).into_sql::<sql::Array<sql::Text>>(),
        column(|e| &e.actor).into_sql::<sql::Array<sql::Text>>(),
        column(|e| &e.request).into_sql::<sql::Array<sql::Text>>(),
        column(|e| e.event.what.as_str()).into_sql::<sql::Array<sql::Text>>(),
        column(|e| e.event.object_kind).into_sql::<sql::Array<sql::Text>>(),
        entries.iter().map(|e| e.event.object_id).collect::<Vec<_>>().into_sql::<sql::Array<sql::Uuid>>(),
        entries
            .iter()
            .map(|e| e.event.matter)
            .collect::<Vec<_>>()
            .into_sql::<sql::Array<sql::Nullable<sql::Uuid>>>(),
        entries
            .iter()
            .map(|e| Value::Object(e.event.detail.clone()))
            .collect::<Vec<_>>()
            .into_sql::<sql::Array<sql::Jsonb>>(),
        entries.iter().map(|e| e.seal(seal)).collect::<Vec<_>>().into_sql::<sql::Array<sql::Binary>>(),
    );
    let written = Fixed::with(Append, binds).execute(&mut conn).await?;
    // A policy that dropped a row in silence would be a hole in the record.
    if written == entries.len() { Ok(()) } else { Err(diesel::result::Error::RollbackTransaction) }
}

const ONE: &str = "id, at, kind, actor, request, action, object_kind, object_id, detail, seal";

// The select stands behind the wall: for whoever may not know of the object, nothing is written. One statement for each
// kind of object, because each table brings its whole wall into the plan.
macro_rules! append_if_seen {
    ($name:ident, $from:literal) => {
        struct $name;
        impl Text for $name {
            const GIVEN: &'static str = ONE;
            const SQL: &'static str = concat!(
                ", seen as materialized (select given.*, c.matter_id from given join ",
                $from,
                "), queued as (insert into log_queue (entry_id) select id from seen) \
                 insert into audit_entries \
                     (id, at, actor_kind, actor, request_id, action, object_kind, object_id, matter_id, detail, seal, changes) \
                 select id, at, kind, actor, request, action, object_kind, object_id, matter_id, detail, seal, \
                     coalesce((select changes from entry_changes(array[object_id])), '{}') from seen"
            );
            type Row = ();
        }
    };
}
append_if_seen!(AppendIfCaseSeen, "cases c on c.id = given.object_id and given.object_kind = 'case'");
append_if_seen!(
    AppendIfComplaintSeen,
    "complaints c on c.id = given.object_id and given.object_kind = 'complaint'"
);

/// Appends `entry` if whoever acts can see its object, and says whether it did. What is no part of a matter, everybody sees.
pub(crate) async fn append_if_seen(
    mut conn: &AsyncPgConnection,
    seal: &EntrySeal,
    entry: &Entry,
) -> QueryResult<bool> {
    let binds = (
        entry.id.into_sql::<sql::Uuid>(),
        entry.at.into_sql::<sql::Timestamptz>(),
        entry.actor_kind.into_sql::<sql::Text>(),
        entry.actor.as_str().into_sql::<sql::Text>(),
        entry.request.as_str().into_sql::<sql::Text>(),
        entry.event.what.as_str().into_sql::<sql::Text>(),
        entry.event.object_kind.into_sql::<sql::Text>(),
        entry.event.object_id.into_sql::<sql::Uuid>(),
        Value::Object(entry.event.detail.clone()).into_sql::<sql::Jsonb>(),
        entry.seal(seal).into_sql::<sql::Binary>(),
    );
    let written = match entry.event.object_kind {
        "case" => Fixed::with(AppendIfCaseSeen, binds).execute(&mut conn).await?,
        "complaint" => Fixed::with(AppendIfComplaintSeen, binds).execute(&mut conn).await?,
        _ => {
            append(conn, seal, std::slice::from_ref(entry)).await?;
            1
        }
    };
    Ok(written == 1)
}

struct AppendWhatFollowed;
impl Text for AppendWhatFollowed {
    const GIVEN: &'static str = "settings, ids, ats, kinds, actors, requests, actions, object_kinds, object_ids, matters, details, seals";
    // Behind the entry that they follow, so that of one row the later state has the later place in the log.
    const SQL: &'static str = ", followed as materialized ( \
             select e.*, case e.setting when 'apart' then array(select substr(line, 38) \
                 from string_to_table(rtrim(current_setting('temwen.apart', true), E'\n'), E'\n') as line) else '{}' end as changes \
             from given, unnest(settings, ids, ats, kinds, actors, requests, actions, object_kinds, object_ids, matters, details, seals) \
                 with ordinality as e (setting, id, at, kind, actor, request, action, object_kind, object_id, matter, detail, seal, ordinal) \
             where coalesce(current_setting('temwen.' || e.setting, true), '') <> ''), \
         queued as (insert into log_queue (entry_id) select id from followed order by ordinal) \
         insert into audit_entries (id, at, actor_kind, actor, request_id, action, object_kind, object_id, matter_id, detail, seal, changes) \
         select id, at, kind, actor, request, action, object_kind, object_id, matter, detail, seal, changes from followed";
    type Row = ();
}

/// Appends those of `entries` of which the transaction says, in the setting named with each, that they came to pass.
pub(crate) async fn append_what_followed(
    mut conn: &AsyncPgConnection,
    seal: &EntrySeal,
    entries: &[(&str, Entry)],
) -> QueryResult<usize> {
    if entries.is_empty() {
        return Ok(0);
    }
    let column = |of: fn(&Entry) -> &str| entries.iter().map(|(_, entry)| of(entry)).collect::<Vec<_>>();
    let ids = |of: fn(&Entry) -> Uuid| entries.iter().map(|(_, entry)| of(entry)).collect::<Vec<_>>();
    let details = entries.iter().map(|(_, e)| Value::Object(e.event.detail.clone())).collect::<Vec<_>>();
    let matters = entries.iter().map(|(_, e)| e.event.matter).collect::<Vec<_>>();
    let binds = (
        entries.iter().map(|(setting, _)| *setting).collect::<Vec<_>>().into_sql::<sql::Array<sql::Text>>(),
        ids(|e| e.id.uuid()).into_sql::<sql::Array<sql::Uuid>>(),
        entries.iter().map(|(_, e)| e.at).collect::<Vec<_>>().into_sql::<sql::Array<sql::Timestamptz>>(),
        column(|e| e.actor_kind).into_sql::<sql::Array<sql::Text>>(),
        column(|e| &e.actor).into_sql::<sql::Array<sql::Text>>(),
        column(|e| &e.request).into_sql::<sql::Array<sql::Text>>(),
        column(|e| e.event.what.as_str()).into_sql::<sql::Array<sql::Text>>(),
        column(|e| e.event.object_kind).into_sql::<sql::Array<sql::Text>>(),
        ids(|e| e.event.object_id).into_sql::<sql::Array<sql::Uuid>>(),
        matters.into_sql::<sql::Array<sql::Nullable<sql::Uuid>>>(),
        details.into_sql::<sql::Array<sql::Jsonb>>(),
        entries.iter().map(|(_, e)| e.seal(seal)).collect::<Vec<_>>().into_sql::<sql::Array<sql::Binary>>(),
    );
    Fixed::with(AppendWhatFollowed, binds).execute(&mut conn).await
}

/// An entry as it is read again.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = audit_entries, check_for_backend(diesel::pg::Pg))]
pub struct Seen {
    /// Its id.
    pub id: EntryId,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What kind of actor did it.
    pub actor_kind: String,
    /// Who did it.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// To what kind of thing.
    pub object_kind: String,
    /// To which.
    pub object_id: Uuid,
    /// In which request.
    pub request_id: String,
    /// Ids and words that belong to it.
    pub detail: Value,
    /// The matter it belongs to.
    pub matter_id: Option<Uuid>,
    /// What makes its hash tell nothing.
    pub salt: Uuid,
    /// The server's seal; none before the log began.
    pub seal: Option<Vec<u8>>,
    /// Table, key and state of every row that was changed, between spaces.
    pub changes: Vec<String>,
}

impl Seen {
    fn said<'a>(&'a self, detail: &'a Map<String, Value>) -> Said<'a> {
        Said {
            id: self.id.uuid(),
            at: self.at,
            actor_kind: &self.actor_kind,
            actor: &self.actor,
            action: &self.action,
            object_kind: &self.object_kind,
            object_id: self.object_id,
            request: &self.request_id,
            detail,
        }
    }

    /// The exact bytes of its leaf.
    pub fn leaf(&self) -> String {
        let nothing = Map::new();
        let said = self.said(self.detail.as_object().unwrap_or(&nothing));
        let (matter, salt) = (self.matter_id, self.salt);
        leaf::of(&said, &Kept { matter, salt, seal: self.seal.as_deref(), changes: &self.changes })
    }

    /// Whether a server that holds this key wrote it.
    pub fn sealed_by(&self, seal: &EntrySeal) -> bool {
        let nothing = Map::new();
        let said = self.said(self.detail.as_object().unwrap_or(&nothing));
        self.seal.as_deref().is_some_and(|given| seal.fits(said.canonical().as_bytes(), given))
    }
}

/// The entries of a matter and of its complaints that the caller may see, but those of the
/// actions `without`, oldest first, after the entry `after`.
pub async fn of_matter(
    mut conn: &AsyncPgConnection,
    matter: MatterId,
    complaints: &[ComplaintId],
    without: &[&str],
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> QueryResult<Vec<Seen>> {
    let complaints: Vec<Uuid> = complaints.iter().map(|id| id.uuid()).collect();
    let of_complaint =
        audit_entries::object_kind.eq("complaint").and(audit_entries::object_id.eq_any(complaints));
    let mut query = audit_entries::table
        .filter(audit_entries::matter_id.is_not_distinct_from(matter).or(of_complaint))
        .filter(audit_entries::action.ne_all(without))
        .into_boxed();
    if let Some((at, id)) = after {
        query = query.filter(
            audit_entries::at
                .gt(at)
                .or(audit_entries::at.eq(at).and(audit_entries::id.gt(EntryId::from(id)))),
        );
    }
    query
        .order((audit_entries::at, audit_entries::id))
        .limit(limit)
        .select(Seen::as_select())
        .load(&mut conn)
        .await
}

struct LastPolicy;
impl Text for LastPolicy {
    const GIVEN: &'static str = "";
    // The action stands in the text, so that its partial index is found.
    const SQL: &'static str = "select detail ->> 'digest' from audit_entries \
         where action = 'policy.took_effect' order by at desc, id desc limit 1";
    type Row = sql::Nullable<sql::Text>;
}

/// The digest of the policy that took effect last, for the register itself alone.
pub async fn last_policy_digest(mut conn: &AsyncPgConnection) -> QueryResult<Option<String>> {
    Bare::new(LastPolicy).get_result::<Option<String>>(&mut conn).await.optional().map(Option::flatten)
}

struct LastStart;
impl Text for LastStart {
    const GIVEN: &'static str = "";
    const SQL: &'static str =
        "select detail from audit_entries where action = 'server.started' order by at desc, id desc limit 1";
    type Row = sql::Jsonb;
}

/// What a server put on record when it started.
#[derive(Debug, Clone, Default, serde::Deserialize)]
pub struct Start {
    /// The digest of its settings.
    pub configuration: String,
    /// The keys that it used.
    pub keys: Vec<String>,
}

/// What the server that started last put on record, for the register itself alone.
pub async fn last_start(mut conn: &AsyncPgConnection) -> QueryResult<Option<Start>> {
    let detail: Option<Value> = Bare::new(LastStart).get_result(&mut conn).await.optional()?;
    Ok(detail.and_then(|detail| serde_json::from_value(detail).ok()))
}
