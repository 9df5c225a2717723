//! SQL of complaints.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::said::{Kept, SealedWords};
use super::{Complaint, New, Status};
use crate::auth::Role;
use crate::db::schema::{complaints, data_keys, submissions};
use crate::db::statement::{Fixed, Text};
use crate::db::{Tx, data_keys as keys};
use crate::error::Result;
use crate::values::{CaseId, ComplaintId, MatterId, UserId};
use crate::vault::WrappedKey;

struct Insert;
impl Text for Insert {
    const GIVEN: &'static str = "id, reference, submission_id, submission_digest, access_code_digest, channel, language, reported_category, \
         category, priority, flags, department, country, incident_from, incident_precision, anonymity, captured_at, received_at, clock_start, \
         submitted_by, owner_role, policy, external_ref, narrative, particulars, identities, salt, master, wrapped";
    // Complaint and submission in one statement: either both are there or neither is. A repeated submission, and a
    // reference that is taken, store nothing and say so.
    const SQL: &'static str = ", stored as ( \
         insert into complaints (id, reference, matter_id, submission_id, submission_digest, access_code_digest, channel, language, \
             reported_category, category, priority, flags, department, country, incident_from, incident_precision, anonymity, status, \
             captured_at, received_at, clock_start, submitted_by, owner_role, policy, external_ref) \
         select id, reference, id, submission_id, submission_digest, access_code_digest, channel, language, \
             reported_category, category, priority, flags, department, country, incident_from, incident_precision, anonymity, 'received', \
             captured_at, received_at, clock_start, submitted_by, owner_role, policy, external_ref from given \
         on conflict do nothing returning complaints.id), \
         keyed as ( \
         insert into data_keys (id, matter_id, master, wrapped, made_at) \
         select stored.id, stored.id, master, wrapped, received_at from given, stored) \
         insert into submissions (complaint_id, narrative_sealed, particulars_sealed, identities_sealed, salt_sealed) \
         select stored.id, narrative, particulars, identities, salt from given, stored";
    type Row = ();
}

/// Stores a complaint; false if its submission was stored before, or its reference is taken.
pub(crate) async fn insert(mut conn: &AsyncPgConnection, new: &New<'_>) -> QueryResult<bool> {
    let submission = new.submission;
    let binds = (
        (
            new.id.into_sql::<sql::Uuid>(),
            new.reference.to_string().into_sql::<sql::Text>(),
            submission.id.into_sql::<sql::Uuid>(),
            new.digest.to_vec().into_sql::<sql::Binary>(),
            new.access_code.map(|digest| digest.to_vec()).into_sql::<sql::Nullable<sql::Binary>>(),
            submission.channel.as_str().into_sql::<sql::Text>(),
            submission.language.as_str().into_sql::<sql::Text>(),
            submission.reported_category.as_deref().into_sql::<sql::Nullable<sql::Text>>(),
            submission.category.as_str().into_sql::<sql::Text>(),
            submission.priority.as_str().into_sql::<sql::Text>(),
            submission.flags.clone().into_sql::<sql::Array<sql::Text>>(),
            submission.incident.department.as_deref().into_sql::<sql::Nullable<sql::Text>>(),
            submission.country.as_deref().into_sql::<sql::Nullable<sql::Text>>(),
        ),
        (
            submission.incident_from().into_sql::<sql::Nullable<sql::Date>>(),
            submission.incident_precision().into_sql::<sql::Text>(),
            submission.anonymity.as_str().into_sql::<sql::Text>(),
            submission.captured_at.into_sql::<sql::Nullable<sql::Timestamptz>>(),
            new.received_at.into_sql::<sql::Timestamptz>(),
            new.clock_start.into_sql::<sql::Timestamptz>(),
            new.submitted_by.into_sql::<sql::Nullable<sql::Uuid>>(),
            new.owner_role.into_sql::<sql::Text>(),
            new.policy.as_str().into_sql::<sql::Text>(),
            new.external_ref.into_sql::<sql::Nullable<sql::Text>>(),
            new.words.narrative.as_slice().into_sql::<sql::Binary>(),
            new.words.particulars.as_slice().into_sql::<sql::Binary>(),
            new.words.identities.as_deref().into_sql::<sql::Nullable<sql::Binary>>(),
            new.words.salt.as_slice().into_sql::<sql::Binary>(),
            new.key.master.as_str().into_sql::<sql::Text>(),
            new.key.wrapped.as_deref().into_sql::<sql::Nullable<sql::Binary>>(),
        ),
    );
    Ok(Fixed::with(Insert, binds).execute(&mut conn).await? == 1)
}

/// What is known of a submission that was stored before.
pub(super) struct First {
    pub(super) id: ComplaintId,
    pub(super) reference: String,
    pub(super) digest: Vec<u8>,
    pub(super) code_digest: Option<Vec<u8>>,
    pub(super) received_at: DateTime<Utc>,
    pub(super) clock_start: DateTime<Utc>,
    pub(super) hidden: bool,
}

struct SubmittedBefore;
impl Text for SubmittedBefore {
    const GIVEN: &'static str = "id";
    const SQL: &'static str = " select complaint_id, reference, submission_digest, access_code_digest, received_at, clock_start, hidden \
         from given, submitted_before(given.id)";
    type Row = (
        sql::Uuid,
        sql::Text,
        sql::Binary,
        sql::Nullable<sql::Binary>,
        sql::Timestamptz,
        sql::Timestamptz,
        sql::Bool,
    );
}

type FirstRow = (ComplaintId, String, Vec<u8>, Option<Vec<u8>>, DateTime<Utc>, DateTime<Utc>, bool);

pub(super) async fn submitted_before(mut conn: &AsyncPgConnection, id: Uuid) -> QueryResult<Option<First>> {
    let row: Option<FirstRow> =
        Fixed::with(SubmittedBefore, (id.into_sql::<sql::Uuid>(),)).get_result(&mut conn).await.optional()?;
    Ok(row.map(|(id, reference, digest, code_digest, received_at, clock_start, hidden)| First {
        id,
        reference,
        digest,
        code_digest,
        received_at,
        clock_start,
        hidden,
    }))
}

pub(super) async fn find(mut conn: &AsyncPgConnection, id: ComplaintId) -> QueryResult<Option<Complaint>> {
    complaints::table.find(id).select(Complaint::as_select()).first(&mut conn).await.optional()
}

type Bytes = Option<Vec<u8>>;
type SaidRow = ((Bytes, Bytes, Bytes, Bytes), (Uuid, String, Bytes));

/// What was said in a complaint, and the key that opens it.
pub(super) async fn said(mut conn: &AsyncPgConnection, id: ComplaintId) -> QueryResult<Option<Kept>> {
    let columns = (
        (
            submissions::narrative_sealed,
            submissions::particulars_sealed,
            submissions::identities_sealed,
            submissions::salt_sealed,
        ),
        (data_keys::id, data_keys::master, data_keys::wrapped),
    );
    let row: Option<SaidRow> = submissions::table
        .inner_join(data_keys::table.on(data_keys::id.eq(submissions::complaint_id)))
        .filter(submissions::complaint_id.eq(id))
        .select(columns)
        .first(&mut conn)
        .await
        .optional()?;
    Ok(row.map(|((narrative, particulars, identities, salt), (key, master, wrapped))| Kept {
        complaint: id,
        words: match (narrative, particulars, salt) {
            (Some(narrative), Some(particulars), Some(salt)) => {
                Some(SealedWords { narrative, particulars, identities, salt })
            }
            _ => None,
        },
        key: WrappedKey { id: key, master, wrapped },
    }))
}

struct Hold;
impl Text for Hold {
    const GIVEN: &'static str = "id";
    // Whoever was seen to know of a complaint keeps it in sight until the transaction ends, even when their own change
    // takes it out of their scope.
    const SQL: &'static str = " select set_config('temwen.matter', matter_id::text, true) from complaints \
         where id = (select id from given) for update";
    type Row = sql::Text;
}

pub(super) async fn lock(tx: &mut Tx, id: ComplaintId) -> Result<Option<Complaint>> {
    let held: Option<String> = tx
        .ask(async |mut conn| {
            Fixed::with(Hold, (id.into_sql::<sql::Uuid>(),)).get_result(&mut conn).await.optional()
        })
        .await?;
    if held.is_none() {
        return Ok(None);
    }
    tx.ask(async |conn| find(conn, id).await).await
}

pub(super) async fn acknowledge(tx: &mut Tx, complaint: &Complaint) -> Result<Complaint> {
    let now = tx.now();
    let status = if complaint.status == Status::Received { Status::Acknowledged } else { complaint.status };
    tx.ask(async |mut conn| {
        diesel::update(complaints::table.find(complaint.id))
            .set((
                complaints::acknowledged_at.eq(now),
                complaints::status.eq(status),
                complaints::version.eq(complaints::version + 1),
            ))
            .returning(Complaint::as_returning())
            .get_result(&mut conn)
            .await
    })
    .await
}

/// What triage made of a complaint.
pub(crate) struct Judged<'a> {
    pub(crate) status: Status,
    pub(crate) case: Option<CaseId>,
    pub(crate) matter: MatterId,
    pub(crate) category: &'a str,
    pub(crate) priority: &'a str,
    pub(crate) owner_role: Role,
    pub(crate) owner: Option<UserId>,
}

/// Stores a triage decision.
pub(crate) async fn judge(tx: &mut Tx, id: ComplaintId, judged: &Judged<'_>) -> Result<Complaint> {
    let now = tx.now();
    // What it is sealed with goes where it goes, so that all of a matter can be erased.
    keys::follow(tx, id.uuid(), judged.matter.uuid()).await?;
    tx.ask(async |mut conn| {
        diesel::update(complaints::table.find(id))
            .set((
                complaints::status.eq(judged.status),
                complaints::case_id.eq(judged.case),
                complaints::matter_id.eq(judged.matter),
                complaints::category.eq(judged.category),
                complaints::priority.eq(judged.priority),
                complaints::owner_role.eq(judged.owner_role),
                complaints::owner_id.eq(judged.owner),
                complaints::assessed_at.eq(now),
                complaints::version.eq(complaints::version + 1),
            ))
            .returning(Complaint::as_returning())
            .get_result(&mut conn)
            .await
    })
    .await
}

/// Raises what a complaint is taken for, where it lies in a case that was classified anew.
pub(crate) async fn follow_category(
    tx: &mut Tx,
    case: CaseId,
    category: &str,
    priority: &str,
) -> Result<usize> {
    tx.ask(async |mut conn| {
        diesel::update(complaints::table.filter(complaints::case_id.eq(case)))
            .set((
                complaints::category.eq(category),
                complaints::priority.eq(priority),
                complaints::version.eq(complaints::version + 1),
            ))
            .execute(&mut conn)
            .await
    })
    .await
}

struct TakeOverFlags;
impl Text for TakeOverFlags {
    const GIVEN: &'static str = "matter, marks";
    const SQL: &'static str = " update complaints c \
         set flags = c.flags || array(select mark from unnest(marks) as mark where mark <> all (c.flags)), version = c.version + 1 \
         from given where c.matter_id = matter and not marks <@ c.flags";
    type Row = ();
}

/// The complaints of a matter get the marks that protect it. How many had not all of them.
pub(crate) async fn take_over_flags(tx: &mut Tx, matter: MatterId, marks: &[String]) -> Result<usize> {
    let marks = marks.to_vec();
    tx.ask(async |mut conn| {
        let given = (matter.into_sql::<sql::Uuid>(), marks.into_sql::<sql::Array<sql::Text>>());
        Fixed::with(TakeOverFlags, given).execute(&mut conn).await
    })
    .await
}

/// Nobody by name owns a matter's complaints that `user` owned; their desk still does. How many.
pub(crate) async fn back_to_desk(tx: &mut Tx, matter: MatterId, user: UserId) -> Result<usize> {
    tx.ask(async |mut conn| {
        diesel::update(
            complaints::table.filter(complaints::matter_id.eq(matter).and(complaints::owner_id.eq(user))),
        )
        .set((complaints::owner_id.eq(None::<UserId>), complaints::version.eq(complaints::version + 1)))
        .execute(&mut conn)
        .await
    })
    .await
}

/// The complaints of a case, oldest first.
pub(crate) async fn of_case(mut conn: &AsyncPgConnection, case: CaseId) -> QueryResult<Vec<Complaint>> {
    complaints::table
        .filter(complaints::case_id.eq(case))
        .order((complaints::received_at, complaints::id))
        .limit(500)
        .select(Complaint::as_select())
        .load(&mut conn)
        .await
}
