//! SQL of an import: many rows in few statements.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::auth::Role;
use crate::cases::workflow::Stage;
use crate::complaints::{Precision, SealedWords};
use crate::db::Tx;
use crate::db::statement::{Bare, Fixed, Text};
use crate::error::{Error, Kind, Result};
use crate::values::{CaseId, ComplaintId, MatterId};
use crate::vault::WrappedKey;
use crate::words;

struct UseIndexes;
impl Text for UseIndexes {
    const GIVEN: &'static str = "";
    // Statements are planned once for a connection, which here means: while the tables are still empty. A plan made for an
    // empty table reads the whole of it, and the import would slow down with every row.
    const SQL: &'static str = "select set_config('enable_seqscan', 'off', true)";
    type Row = sql::Text;
}

pub(super) async fn use_indexes(mut conn: &AsyncPgConnection) -> QueryResult<()> {
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
    pub(super) words: SealedWords,
    pub(super) key: WrappedKey,
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
    const GIVEN: &'static str = "at, ids, narratives, particulars, salts, masters, wrappeds";
    const SQL: &'static str = ", keyed as ( \
         insert into data_keys (id, matter_id, master, wrapped, made_at) \
         select k.id, k.id, k.master, k.wrapped, at from given, unnest(ids, masters, wrappeds) as k (id, master, wrapped)) \
         insert into submissions (complaint_id, narrative_sealed, particulars_sealed, salt_sealed) \
         select each.* from given, unnest(ids, narratives, particulars, salts) as each";
    type Row = ();
}

pub(super) type Texts = sql::Array<sql::Text>;
pub(super) type MaybeTexts = sql::Array<sql::Nullable<sql::Text>>;
pub(super) type Ids = sql::Array<sql::Uuid>;
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
    let sealed = |of: for<'n> fn(&'n New<'_>) -> &'n Vec<u8>| {
        new.iter().map(|n| of(n).clone()).collect::<Vec<_>>().into_sql::<sql::Array<sql::Binary>>()
    };
    let submissions = (
        now.into_sql::<sql::Timestamptz>(),
        ids(|n| n.complaint.uuid()).into_sql::<Ids>(),
        sealed(|n| &n.words.narrative),
        sealed(|n| &n.words.particulars),
        sealed(|n| &n.words.salt),
        texts(|n| &n.key.master).into_sql::<Texts>(),
        new.iter()
            .map(|n| n.key.wrapped.clone())
            .collect::<Vec<_>>()
            .into_sql::<sql::Array<sql::Nullable<sql::Binary>>>(),
    );
    // Their words are read by the server, in its own time.
    let later = (new.iter().map(|n| n.complaint).collect(), new.iter().map(|n| n.case).collect());
    let stored = tx
        .ask_for(
            async |conn| {
                let (mut one, mut two, mut three) = (conn, conn, conn);
                let (cases, complaints, submissions, expected) = futures_util::join!(
                    Fixed::with(InsertCases, cases).execute(&mut one),
                    Fixed::with(InsertComplaints, complaints).execute(&mut two),
                    Fixed::with(InsertSubmissions, submissions).execute(&mut three),
                    words::expect(conn, later.0, later.1)
                );
                let stored = [cases?, complaints?, submissions?];
                expected?;
                Ok(stored)
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
pub(super) fn taken(error: DieselError) -> Error {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => {
            Error::new(Kind::Exists, "a row of the batch was stored by somebody else").because(error)
        }
        other => crate::db::tx::refused(other),
    }
}
