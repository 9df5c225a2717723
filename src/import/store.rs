//! SQL of an import: many rows in few statements.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::allegation_row::Content;
use crate::auth::Role;
use crate::cases::workflow::Stage;
use crate::complaints::Precision;
use crate::db::Tx;
use crate::db::statement::{Bare, Fixed, Text};
use crate::error::{Error, Kind, Result};
use crate::values::{AllegationId, CaseId, ComplaintId, MatterId};

struct UseIndexes;
impl Text for UseIndexes {
    const GIVEN: &'static str = "";
    // Statements are planned once for a connection, which here means: while the tables are still empty. A plan made for an
    // empty table reads the whole of it, and the import would slow down with every row.
    const SQL: &'static str = "select set_config('enable_seqscan', 'off', true)";
    type Row = sql::Text;
}

async fn use_indexes(mut conn: &AsyncPgConnection) -> QueryResult<()> {
    Bare::new(UseIndexes).get_result::<String>(&mut conn).await.map(|_| ())
}

/// A complaint that is there already.
#[derive(Debug, Clone)]
pub(super) struct There {
    pub(super) external_ref: Option<String>,
    pub(super) submission_id: Uuid,
    pub(super) digest: Vec<u8>,
}

struct ComplaintsThere;
impl Text for ComplaintsThere {
    const GIVEN: &'static str = "refs, ids";
    const SQL: &'static str = " select c.external_ref, c.submission_id, c.submission_digest from complaints c \
             where c.external_ref = any ((select refs from given)::text[]) \
         union select c.external_ref, c.submission_id, c.submission_digest from complaints c \
             where c.submission_id = any ((select ids from given)::uuid[])";
    type Row = (sql::Nullable<sql::Text>, sql::Uuid, sql::Binary);
}

/// Which of these complaints are there already.
pub(super) async fn complaints_there(
    conn: &AsyncPgConnection,
    refs: &[&str],
    ids: &[Uuid],
) -> QueryResult<Vec<There>> {
    let binds =
        (refs.to_vec().into_sql::<sql::Array<sql::Text>>(), ids.to_vec().into_sql::<sql::Array<sql::Uuid>>());
    let mut asking = conn;
    let (indexes, rows) = futures_util::join!(
        use_indexes(conn),
        Fixed::with(ComplaintsThere, binds).load::<(Option<String>, Uuid, Vec<u8>)>(&mut asking)
    );
    indexes?;
    let there = |(external_ref, submission_id, digest)| There { external_ref, submission_id, digest };
    Ok(rows?.into_iter().map(there).collect())
}

struct NextNumbers;
impl Text for NextNumbers {
    const GIVEN: &'static str = "years, counts";
    // In the order of the years, so that two imports wait for each other instead of for ever.
    const SQL: &'static str = " insert into case_numbers (year, last) \
         select n.year, n.many from given, unnest(years, counts) as n (year, many) order by n.year \
         on conflict (year) do update set last = case_numbers.last + excluded.last returning year, last";
    type Row = (sql::Integer, sql::Integer);
}

/// Takes `counts` case numbers of each of `years`; the last of each is answered. Held until the transaction ends.
pub(super) async fn next_numbers(tx: &mut Tx, years: &[i32], counts: &[i32]) -> Result<Vec<(i32, i32)>> {
    let binds = (
        years.to_vec().into_sql::<sql::Array<sql::Integer>>(),
        counts.to_vec().into_sql::<sql::Array<sql::Integer>>(),
    );
    tx.ask(async |mut conn| Fixed::with(NextNumbers, binds).load(&mut conn).await).await
}

/// A complaint with its case, on the way into the database.
pub(super) struct New<'a> {
    pub(super) complaint: ComplaintId,
    pub(super) case: CaseId,
    pub(super) matter: MatterId,
    pub(super) reference: String,
    pub(super) number: String,
    pub(super) submission_id: Uuid,
    pub(super) digest: [u8; 32],
    pub(super) channel: &'a str,
    pub(super) language: &'static str,
    pub(super) category: &'a str,
    pub(super) department: Option<&'a str>,
    pub(super) country: Option<&'a str>,
    pub(super) incident_from: Option<NaiveDate>,
    pub(super) incident_precision: Precision,
    pub(super) received_at: DateTime<Utc>,
    pub(super) closed_at: Option<DateTime<Utc>>,
    pub(super) stage: Stage,
    pub(super) outcome: Option<&'a str>,
    pub(super) owner_role: Role,
    pub(super) external_ref: &'a str,
    pub(super) narrative: &'a str,
    pub(super) particulars: String,
}

struct InsertCases;
impl Text for InsertCases {
    const GIVEN: &'static str = "priority, policy, at, ids, numbers, matters, stages, categories, countries, departments, owners, openeds, \
         closeds, outcomes, refs";
    const SQL: &'static str = " insert into cases (priority, policy, updated_at, id, number, matter_id, stage, category, country, department, \
             owner_role, opened_at, closed_at, outcome, external_ref) \
         select priority, policy, at, each.* from given, unnest(ids, numbers, matters, stages, categories, countries, departments, owners, \
             openeds, closeds, outcomes, refs) as each";
    type Row = ();
}

struct InsertComplaints;
impl Text for InsertComplaints {
    const GIVEN: &'static str = "priority, policy, at, ids, references_, matters, cases, submission_ids, digests, channels, languages, \
         categories, departments, countries, froms, precisions, receiveds, owners, refs";
    const SQL: &'static str = " insert into complaints (priority, policy, assessed_at, anonymity, status, id, reference, matter_id, case_id, \
             submission_id, submission_digest, channel, language, category, department, country, incident_from, incident_precision, \
             received_at, clock_start, owner_role, external_ref) \
         select priority, policy, at, 'anonymous', 'in_case', e.id, e.reference, e.matter, e.of_case, e.submission, e.digest, e.channel, \
             e.language, e.category, e.department, e.country, e.since, e.exactly, e.received, e.received, e.owner, e.ref \
         from given, unnest(ids, references_, matters, cases, submission_ids, digests, channels, languages, categories, departments, \
             countries, froms, precisions, receiveds, owners, refs) \
             as e (id, reference, matter, of_case, submission, digest, channel, language, category, department, country, since, exactly, \
                 received, owner, ref)";
    type Row = ();
}

struct InsertSubmissions;
impl Text for InsertSubmissions {
    const GIVEN: &'static str = "ids, narratives, particulars";
    const SQL: &'static str = " insert into submissions (complaint_id, narrative, particulars) \
         select each.* from given, unnest(ids, narratives, particulars) as each";
    type Row = ();
}

type Texts = sql::Array<sql::Text>;
type MaybeTexts = sql::Array<sql::Nullable<sql::Text>>;
type Ids = sql::Array<sql::Uuid>;
type Moments = sql::Array<sql::Timestamptz>;

/// Stores complaints, what was said in them, and their cases; all or none.
pub(super) async fn insert(tx: &mut Tx, new: &[New<'_>], priority: &str, policy: &str) -> Result<()> {
    let now = tx.now();
    let texts =
        |of: for<'n> fn(&'n New<'_>) -> &'n str| new.iter().map(|n| of(n).to_owned()).collect::<Vec<_>>();
    let maybe = |of: for<'n> fn(&'n New<'_>) -> Option<&'n str>| {
        new.iter().map(|n| of(n).map(str::to_owned)).collect::<Vec<_>>()
    };
    let ids = |of: fn(&New<'_>) -> Uuid| new.iter().map(of).collect::<Vec<_>>();
    let common = || {
        (
            priority.to_owned().into_sql::<sql::Text>(),
            policy.to_owned().into_sql::<sql::Text>(),
            now.into_sql::<sql::Timestamptz>(),
        )
    };
    let cases = (
        common(),
        ids(|n| n.case.uuid()).into_sql::<Ids>(),
        texts(|n| &n.number).into_sql::<Texts>(),
        ids(|n| n.matter.uuid()).into_sql::<Ids>(),
        texts(|n| n.stage.as_str()).into_sql::<Texts>(),
        texts(|n| n.category).into_sql::<Texts>(),
        maybe(|n| n.country).into_sql::<MaybeTexts>(),
        maybe(|n| n.department).into_sql::<MaybeTexts>(),
        texts(|n| n.owner_role.as_str()).into_sql::<Texts>(),
        new.iter().map(|n| n.received_at).collect::<Vec<_>>().into_sql::<Moments>(),
        new.iter()
            .map(|n| n.closed_at)
            .collect::<Vec<_>>()
            .into_sql::<sql::Array<sql::Nullable<sql::Timestamptz>>>(),
        maybe(|n| n.outcome).into_sql::<MaybeTexts>(),
        texts(|n| n.external_ref).into_sql::<Texts>(),
    );
    let complaints = (
        common(),
        (
            ids(|n| n.complaint.uuid()).into_sql::<Ids>(),
            texts(|n| &n.reference).into_sql::<Texts>(),
            ids(|n| n.matter.uuid()).into_sql::<Ids>(),
            ids(|n| n.case.uuid()).into_sql::<Ids>(),
            ids(|n| n.submission_id).into_sql::<Ids>(),
            new.iter().map(|n| n.digest.to_vec()).collect::<Vec<_>>().into_sql::<sql::Array<sql::Binary>>(),
            texts(|n| n.channel).into_sql::<Texts>(),
            texts(|n| n.language).into_sql::<Texts>(),
        ),
        (
            texts(|n| n.category).into_sql::<Texts>(),
            maybe(|n| n.department).into_sql::<MaybeTexts>(),
            maybe(|n| n.country).into_sql::<MaybeTexts>(),
            new.iter()
                .map(|n| n.incident_from)
                .collect::<Vec<_>>()
                .into_sql::<sql::Array<sql::Nullable<sql::Date>>>(),
            texts(|n| n.incident_precision.as_str()).into_sql::<Texts>(),
            new.iter().map(|n| n.received_at).collect::<Vec<_>>().into_sql::<Moments>(),
            texts(|n| n.owner_role.as_str()).into_sql::<Texts>(),
            texts(|n| n.external_ref).into_sql::<Texts>(),
        ),
    );
    let submissions = (
        ids(|n| n.complaint.uuid()).into_sql::<Ids>(),
        texts(|n| n.narrative).into_sql::<Texts>(),
        texts(|n| &n.particulars).into_sql::<Texts>(),
    );
    let stored = tx
        .ask_for(
            async |conn| {
                let (mut one, mut two, mut three) = (conn, conn, conn);
                let (cases, complaints, submissions) = futures_util::join!(
                    Fixed::with(InsertCases, cases).execute(&mut one),
                    Fixed::with(InsertComplaints, complaints).execute(&mut two),
                    Fixed::with(InsertSubmissions, submissions).execute(&mut three)
                );
                Ok([cases?, complaints?, submissions?])
            },
            taken,
        )
        .await?;
    // A policy that dropped a row in silence would lose it.
    if stored == [new.len(); 3] {
        Ok(())
    } else {
        Err(Error::internal("not every row of a batch was stored"))
    }
}

/// Somebody else was quicker with a reference, or with the very same row: looking again tells which.
fn taken(error: DieselError) -> Error {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => {
            Error::new(Kind::Exists, "a row of the batch was stored by somebody else").because(error)
        }
        other => crate::db::tx::refused(other),
    }
}

/// A case that was taken over.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) external_ref: String,
    pub(super) case: CaseId,
    pub(super) matter: MatterId,
    pub(super) category: String,
    pub(super) flags: Vec<String>,
}

struct CasesThere;
impl Text for CasesThere {
    const GIVEN: &'static str = "refs";
    const SQL: &'static str = " select c.external_ref, c.id, c.matter_id, c.category, c.flags from cases c \
         where c.external_ref = any ((select refs from given)::text[])";
    type Row = (sql::Nullable<sql::Text>, sql::Uuid, sql::Uuid, sql::Text, Texts);
}

struct AllegationsThere;
impl Text for AllegationsThere {
    const GIVEN: &'static str = "refs";
    const SQL: &'static str = " select a.case_id, a.position, a.type, a.reported_as, a.category, a.subject_ref, a.subject_unit, a.subject_rank, \
             a.finding, a.outcome, a.discipline \
         from cases c join allegations a on a.case_id = c.id where c.external_ref = any ((select refs from given)::text[])";
    type Row = (
        sql::Uuid,
        sql::Integer,
        sql::Nullable<sql::Text>,
        sql::Nullable<sql::Text>,
        sql::Text,
        sql::Nullable<sql::Text>,
        sql::Nullable<sql::Text>,
        sql::Nullable<sql::Text>,
        sql::Nullable<sql::Text>,
        sql::Nullable<sql::Text>,
        sql::Nullable<sql::Text>,
    );
}

type Maybe = Option<String>;
type AllegationRow = (CaseId, i32, Maybe, Maybe, String, Maybe, Maybe, Maybe, Maybe, Maybe, Maybe);

/// The cases of these references, and the allegations that they have.
pub(super) async fn cases_there(
    conn: &AsyncPgConnection,
    refs: &[&str],
) -> QueryResult<(Vec<Known>, Vec<(CaseId, Content)>)> {
    let (mut one, mut two) = (conn, conn);
    let binds = || (refs.to_vec().into_sql::<Texts>(),);
    let (indexes, cases, allegations) = futures_util::join!(
        use_indexes(conn),
        Fixed::with(CasesThere, binds())
            .load::<(Option<String>, CaseId, MatterId, String, Vec<String>)>(&mut one),
        Fixed::with(AllegationsThere, binds()).load::<AllegationRow>(&mut two)
    );
    indexes?;
    let known = |(external_ref, case, matter, category, flags): (Option<String>, _, _, _, _)| {
        external_ref.map(|external_ref| Known { external_ref, case, matter, category, flags })
    };
    let content = |(
        case,
        position,
        kind,
        reported_as,
        category,
        subject_ref,
        subject_unit,
        subject_rank,
        finding,
        outcome,
        discipline,
    )| {
        let content = Content {
            position,
            kind,
            reported_as,
            category,
            subject_ref,
            subject_unit,
            subject_rank,
            finding,
            outcome,
            discipline,
        };
        (case, content)
    };
    Ok((cases?.into_iter().filter_map(known).collect(), allegations?.into_iter().map(content).collect()))
}

struct InsertAllegations;
impl Text for InsertAllegations {
    const GIVEN: &'static str = "ids, cases, positions, kinds, saids, categories, subjects, units, ranks, findings, outcomes, disciplines";
    const SQL: &'static str = " insert into allegations (id, case_id, position, type, reported_as, category, subject_ref, subject_unit, \
             subject_rank, finding, outcome, discipline) \
         select each.* from given, unnest(ids, cases, positions, kinds, saids, categories, subjects, units, ranks, findings, outcomes, \
             disciplines) as each";
    type Row = ();
}

struct TouchCases;
impl Text for TouchCases {
    const GIVEN: &'static str = "at, ids";
    const SQL: &'static str = " update cases set updated_at = e.at, version = version + 1 \
         from (select given.at, each.id from given, unnest(ids) as each (id)) e where cases.id = e.id";
    type Row = ();
}

struct RaiseCases;
impl Text for RaiseCases {
    const GIVEN: &'static str = "ids, categories, marks, owners";
    const SQL: &'static str = " update cases set category = e.category, flags = string_to_array(e.marks, ','), owner_role = e.owner \
         from (select each.* from given, unnest(ids, categories, marks, owners) as each (id, category, marks, owner)) e \
         where cases.id = e.id";
    type Row = ();
}

struct RaiseComplaints;
impl Text for RaiseComplaints {
    const GIVEN: &'static str = "ids, categories, marks, owners";
    const SQL: &'static str = " update complaints set category = e.category, flags = string_to_array(e.marks, ','), owner_role = e.owner, \
             version = version + 1 \
         from (select each.* from given, unnest(ids, categories, marks, owners) as each (id, category, marks, owner)) e \
         where complaints.case_id = e.id";
    type Row = ();
}

/// A case that its allegations make graver than it was taken for.
pub(super) struct Raised {
    pub(super) case: CaseId,
    pub(super) category: String,
    pub(super) flags: Vec<String>,
    pub(super) owner_role: Role,
}

/// Stores allegations of the cases `touched`, and what they make of the cases.
pub(super) async fn insert_allegations(
    tx: &mut Tx,
    new: &[(CaseId, &Content)],
    touched: &[CaseId],
    raised: &[Raised],
) -> Result<()> {
    let now = tx.now();
    let maybe = |of: fn(&Content) -> &Maybe| new.iter().map(|(_, c)| of(c).clone()).collect::<Vec<_>>();
    let allegations = (
        new.iter().map(|_| AllegationId::new()).collect::<Vec<_>>().into_sql::<Ids>(),
        new.iter().map(|(case, _)| *case).collect::<Vec<_>>().into_sql::<Ids>(),
        new.iter().map(|(_, c)| c.position).collect::<Vec<_>>().into_sql::<sql::Array<sql::Integer>>(),
        maybe(|c| &c.kind).into_sql::<MaybeTexts>(),
        maybe(|c| &c.reported_as).into_sql::<MaybeTexts>(),
        new.iter().map(|(_, c)| c.category.clone()).collect::<Vec<_>>().into_sql::<Texts>(),
        maybe(|c| &c.subject_ref).into_sql::<MaybeTexts>(),
        maybe(|c| &c.subject_unit).into_sql::<MaybeTexts>(),
        maybe(|c| &c.subject_rank).into_sql::<MaybeTexts>(),
        maybe(|c| &c.finding).into_sql::<MaybeTexts>(),
        maybe(|c| &c.outcome).into_sql::<MaybeTexts>(),
        maybe(|c| &c.discipline).into_sql::<MaybeTexts>(),
    );
    let touch = (now.into_sql::<sql::Timestamptz>(), touched.to_vec().into_sql::<Ids>());
    let raise = || {
        (
            raised.iter().map(|r| r.case).collect::<Vec<_>>().into_sql::<Ids>(),
            raised.iter().map(|r| r.category.clone()).collect::<Vec<_>>().into_sql::<Texts>(),
            raised.iter().map(|r| r.flags.join(",")).collect::<Vec<_>>().into_sql::<Texts>(),
            raised.iter().map(|r| r.owner_role.as_str()).collect::<Vec<_>>().into_sql::<Texts>(),
        )
    };
    let (cases, complaints) = (raise(), raise());
    let (stored, changed) = tx
        .ask_for(
            async |conn| {
                let (mut one, mut two, mut three, mut four) = (conn, conn, conn, conn);
                let (indexes, stored, changed) = futures_util::join!(
                    use_indexes(conn),
                    Fixed::with(InsertAllegations, allegations).execute(&mut one),
                    Fixed::with(TouchCases, touch).execute(&mut two)
                );
                indexes?;
                if !raised.is_empty() {
                    Fixed::with(RaiseCases, cases).execute(&mut three).await?;
                    Fixed::with(RaiseComplaints, complaints).execute(&mut four).await?;
                }
                Ok((stored?, changed?))
            },
            taken,
        )
        .await?;
    if stored == new.len() && changed == touched.len() {
        Ok(())
    } else {
        Err(Error::internal("not every allegation of a batch was stored"))
    }
}
