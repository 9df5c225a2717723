//! SQL of the reporter's thread.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::Complaint;
use super::thread::{Direction, Message, MessageKind};
use crate::db::Tx;
use crate::db::data_keys::{self, Keys};
use crate::db::schema::{complaints, messages as thread};
use crate::db::statement::{Fixed, Text};
use crate::error::Result;
use crate::values::{ComplaintId, MatterId, MessageId, UserId};
use crate::vault::{Place, WrappedKey};

struct ForCode;
impl Text for ForCode {
    const GIVEN: &'static str = "reference, digest";
    const SQL: &'static str = " select complaint_for_code(reference, digest) from given";
    type Row = sql::Nullable<sql::Uuid>;
}

pub(super) async fn for_code(
    mut conn: &AsyncPgConnection,
    reference: &str,
    digest: &[u8; 32],
) -> QueryResult<Option<ComplaintId>> {
    let binds = (reference.into_sql::<sql::Text>(), digest.to_vec().into_sql::<sql::Binary>());
    Fixed::with(ForCode, binds).get_result(&mut conn).await
}

struct CaseForReporter;
impl Text for CaseForReporter {
    const GIVEN: &'static str = "id";
    const SQL: &'static str = " select stage, next_update from given, case_for_reporter(given.id)";
    type Row = (sql::Nullable<sql::Text>, sql::Nullable<sql::Timestamptz>);
}

type Standing = (Complaint, Option<String>, Option<DateTime<Utc>>);

/// A complaint as its reporter may know it: with the stage of its case, and when they hear next.
pub(super) async fn standing(conn: &AsyncPgConnection, id: ComplaintId) -> QueryResult<Option<Standing>> {
    let of_case = async {
        let mut conn = conn;
        let row: Option<(Option<String>, Option<DateTime<Utc>>)> =
            Fixed::with(CaseForReporter, (id.into_sql::<sql::Uuid>(),))
                .get_result(&mut conn)
                .await
                .optional()?;
        QueryResult::Ok(row)
    };
    let (complaint, of_case) = futures_util::join!(super::store::find(conn, id), of_case);
    Ok(complaint?.zip(of_case?).map(|(complaint, (stage, next))| (complaint, stage, next)))
}

/// The matter of a complaint, and the language it is in.
pub(super) async fn matter_of(tx: &mut Tx, id: ComplaintId) -> Result<Option<(MatterId, String)>> {
    tx.ask(async |mut conn| {
        complaints::table
            .find(id)
            .select((complaints::matter_id, complaints::language))
            .first(&mut conn)
            .await
            .optional()
    })
    .await
}

pub(super) async fn insert(
    tx: &mut Tx,
    complaint: ComplaintId,
    direction: Direction,
    kind: MessageKind,
    text: &str,
) -> Result<Message> {
    let author = match direction {
        Direction::ToReporter => tx.actor().user(),
        Direction::FromReporter => None,
    };
    let (id, sent_at) = (MessageId::new(), tx.now());
    let key = tx.data_key(complaint.uuid()).await?;
    let row = (
        thread::id.eq(id),
        thread::complaint_id.eq(complaint),
        thread::direction.eq(direction),
        thread::author_id.eq(author),
        thread::kind.eq(kind),
        thread::text_sealed.eq(key.seal(place(id), text.as_bytes())?),
        thread::sent_at.eq(sent_at),
    );
    tx.ask(async |mut conn| diesel::insert_into(thread::table).values(row).execute(&mut conn).await).await?;
    Ok(Message { id, direction, author_id: author, kind, text: Some(text.to_owned()), sent_at })
}

/// Where the words of a message stand.
fn place(id: MessageId) -> Place {
    Place::new("messages", "text", id.uuid())
}

/// A message as it is stored.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = thread, check_for_backend(diesel::pg::Pg))]
pub(super) struct SealedMessage {
    id: MessageId,
    direction: Direction,
    author_id: Option<UserId>,
    kind: MessageKind,
    text_sealed: Option<Vec<u8>>,
    sent_at: DateTime<Utc>,
}

impl SealedMessage {
    /// Opens it with the key of its complaint.
    pub(super) fn open(self, keys: &Keys) -> Result<Message> {
        let text = keys.text(place(self.id), self.text_sealed.as_deref())?;
        let Self { id, direction, author_id, kind, sent_at, .. } = self;
        Ok(Message { id, direction, author_id, kind, text, sent_at })
    }
}

/// The messages of a thread, oldest first, and the key that opens them; `None` if whoever acts may not know of the complaint.
pub(super) async fn messages(
    conn: &AsyncPgConnection,
    complaint: ComplaintId,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> QueryResult<Option<(Vec<SealedMessage>, WrappedKey)>> {
    let mut query = thread::table.filter(thread::complaint_id.eq(complaint)).into_boxed();
    if let Some((at, id)) = after {
        query = query.filter(
            thread::sent_at.gt(at).or(thread::sent_at.eq(at).and(thread::id.gt(MessageId::from(id)))),
        );
    }
    let there = async {
        let mut conn = conn;
        complaints::table
            .find(complaint)
            .select(complaints::id)
            .first::<ComplaintId>(&mut conn)
            .await
            .optional()
    };
    let found = async {
        let mut conn = conn;
        query
            .order((thread::sent_at, thread::id))
            .limit(rows)
            .select(SealedMessage::as_select())
            .load(&mut conn)
            .await
    };
    let (there, found, key) = futures_util::join!(there, found, data_keys::one(conn, complaint.uuid()));
    Ok(there?.and(Some(found?).zip(key?)))
}
