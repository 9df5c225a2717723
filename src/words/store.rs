//! SQL of words.

use std::collections::HashMap;

use diesel::expression::{AppearsOnTable, Expression, ValidGrouping, is_aggregate};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{Asked, Sets};
use crate::db::schema::{case_words, complaint_words};
use crate::db::statement::{Fixed, Text};
use crate::values::{CaseId, ComplaintId, MatterId};

/// What words are kept of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Object {
    /// A complaint; and through it, its case.
    Complaint(ComplaintId),
    /// A case.
    Case(CaseId),
}

/// Kinds of things that words find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Complaints.
    Complaint,
    /// Cases.
    Case,
}

struct AddNew;
impl Text for AddNew {
    const GIVEN: &'static str = "id, tokens";
    // A complaint that was not stored, because it was there before, gets no words either.
    const SQL: &'static str = " insert into complaint_words (complaint_id, tokens, whole) select given.id, given.tokens, true from given \
         where exists (select from complaints c where c.id = given.id)";
    type Row = ();
}

/// Keeps the tokens of a complaint that is handed in by this very transaction. May be polled together with what stores it,
/// behind that.
pub(crate) async fn add_new(
    mut conn: &AsyncPgConnection,
    complaint: ComplaintId,
    tokens: &[i64],
) -> QueryResult<()> {
    let binds = (complaint.into_sql::<sql::Uuid>(), tokens.into_sql::<sql::Array<sql::BigInt>>());
    Fixed::with(AddNew, binds).execute(&mut conn).await.map(|_| ())
}

struct Add;
impl Text for Add {
    const GIVEN: &'static str = "complaint, in_case, tokens, whole";
    const SQL: &'static str = " select 1 from given, add_words(complaint, in_case, tokens, whole)";
    type Row = sql::Integer;
}

/// Adds tokens to what an object is found by. `whole` says that nothing of it is missing any more.
pub(crate) async fn add(
    mut conn: &AsyncPgConnection,
    object: Object,
    tokens: &[i64],
    whole: bool,
) -> QueryResult<()> {
    let (complaint, case) = match object {
        Object::Complaint(complaint) => (Some(complaint), None),
        Object::Case(case) => (None, Some(case)),
    };
    let binds = (
        complaint.into_sql::<sql::Nullable<sql::Uuid>>(),
        case.into_sql::<sql::Nullable<sql::Uuid>>(),
        tokens.into_sql::<sql::Array<sql::BigInt>>(),
        whole.into_sql::<sql::Bool>(),
    );
    Fixed::with(Add, binds).execute(&mut conn).await.map(|_| ())
}

struct Join;
impl Text for Join {
    const GIVEN: &'static str = "complaint, is_new";
    const SQL: &'static str = " select 1 from given, join_words(complaint, is_new)";
    type Row = sql::Integer;
}

/// The words of a complaint find its case too, from now on; `is_new` says that the case was opened for it.
pub(crate) async fn join(
    mut conn: &AsyncPgConnection,
    complaint: ComplaintId,
    is_new: bool,
) -> QueryResult<()> {
    let binds = (complaint.into_sql::<sql::Uuid>(), is_new.into_sql::<sql::Bool>());
    Fixed::with(Join, binds).execute(&mut conn).await.map(|_| ())
}

struct Expect;
impl Text for Expect {
    const GIVEN: &'static str = "complaints, cases";
    const SQL: &'static str = " select 1 from given, expect_words(complaints, cases)";
    type Row = sql::Integer;
}

/// Has the words of these complaints and cases read later. May be polled together with what stores them, behind that.
pub(crate) async fn expect(
    mut conn: &AsyncPgConnection,
    complaints: Vec<ComplaintId>,
    cases: Vec<CaseId>,
) -> QueryResult<()> {
    let binds = (complaints.into_sql::<sql::Array<sql::Uuid>>(), cases.into_sql::<sql::Array<sql::Uuid>>());
    Fixed::with(Expect, binds).execute(&mut conn).await.map(|_| ())
}

/// The ids after `after` of things that are not, or not wholly, found by their words yet.
pub(crate) async fn to_read(
    mut conn: &AsyncPgConnection,
    kind: Kind,
    after: Uuid,
    rows: i64,
) -> QueryResult<Vec<Uuid>> {
    match kind {
        Kind::Complaint => {
            complaint_words::table
                .filter(complaint_words::whole.eq(false).and(complaint_words::complaint_id.gt(after)))
                .order(complaint_words::complaint_id)
                .limit(rows)
                .select(complaint_words::complaint_id)
                .load(&mut conn)
                .await
        }
        Kind::Case => {
            case_words::table
                .filter(case_words::whole.eq(false).and(case_words::case_id.gt(after)))
                .order(case_words::case_id)
                .limit(rows)
                .select(case_words::case_id)
                .load(&mut conn)
                .await
        }
    }
}

struct Forget;
impl Text for Forget {
    const GIVEN: &'static str = "matter";
    const SQL: &'static str = " select forget_words(matter) from given";
    type Row = sql::BigInt;
}

/// Deletes all words of a matter; of how many complaints and cases.
pub async fn forget(mut conn: &AsyncPgConnection, matter: MatterId) -> QueryResult<i64> {
    Fixed::with(Forget, (matter.into_sql::<sql::Uuid>(),)).get_result(&mut conn).await
}

struct Found;
impl Text for Found {
    const GIVEN: &'static str = "kind, words, most";
    const SQL: &'static str = " select found from given, found_by_words(kind, words, most) as found";
    type Row = sql::Uuid;
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Complaint => "complaint",
            Self::Case => "case",
        }
    }
}

/// How many things are looked at one by one. Of more than that, a page is full soon, whichever way it is looked for.
const FEW: i32 = 2000;

/// The ids of all things that hold the words, whoever may know of them, if they are few; `None` if they are many.
pub(crate) async fn found(
    mut conn: &AsyncPgConnection,
    kind: Kind,
    asked: &Asked,
) -> QueryResult<Option<Vec<Uuid>>> {
    let set = |(one, other): (&Vec<i64>, &Vec<i64>)| {
        let numbers: Vec<String> = one.iter().chain(other).map(ToString::to_string).collect();
        format!("{{{}}}", numbers.join(","))
    };
    let words: Vec<String> = asked.psea.all.iter().zip(&asked.others.all).map(set).collect();
    let binds = (
        kind.word().into_sql::<sql::Text>(),
        words.into_sql::<sql::Array<sql::Text>>(),
        (FEW + 1).into_sql::<sql::Integer>(),
    );
    let ids: Vec<Uuid> = Fixed::with(Found, binds).load(&mut conn).await?;
    Ok((ids.len() <= usize::try_from(FEW).unwrap_or(usize::MAX)).then_some(ids))
}

macro_rules! matched {
    ($name:ident, $id:literal, $table:literal) => {
        struct $name;
        impl Text for $name {
            const GIVEN: &'static str = "ids, tokens";
            const SQL: &'static str = concat!(
                " select w.",
                $id,
                ", array(select t from unnest(w.tokens) as t where t = any ((select tokens from given)::bigint[])) from ",
                $table,
                " w where w.",
                $id,
                " = any ((select ids from given)::uuid[])"
            );
            type Row = (sql::Uuid, sql::Array<sql::BigInt>);
        }
    };
}
matched!(MatchedComplaints, "complaint_id", "complaint_words");
matched!(MatchedCases, "case_id", "case_words");

/// In what kinds of text each of these things holds a word that was looked for.
pub(crate) async fn matched(
    mut conn: &AsyncPgConnection,
    kind: Kind,
    ids: &[Uuid],
    asked: &Asked,
) -> QueryResult<HashMap<Uuid, Vec<&'static str>>> {
    let tokens: Vec<i64> = asked.fields.keys().copied().collect();
    let binds =
        (ids.to_vec().into_sql::<sql::Array<sql::Uuid>>(), tokens.into_sql::<sql::Array<sql::BigInt>>());
    let rows: Vec<(Uuid, Vec<i64>)> = match kind {
        Kind::Complaint => Fixed::with(MatchedComplaints, binds).load(&mut conn).await?,
        Kind::Case => Fixed::with(MatchedCases, binds).load(&mut conn).await?,
    };
    Ok(rows.into_iter().map(|(id, tokens)| (id, asked.said(&tokens))).collect())
}

/// The condition that a complaint or case holds the words. It is a look into one row for each row that is looked at anyway, and
/// never what a plan begins with.
#[derive(Debug, Clone)]
pub(crate) struct Holds {
    kind: Kind,
    psea: Sets,
    others: Sets,
    /// The condition that a row belongs to the PSEA lane.
    lane: String,
}

impl Holds {
    /// What `asked` asks of rows of a kind; `lane` is the condition, in words of the policy, that one belongs to the PSEA lane.
    pub(crate) fn new(kind: Kind, asked: &Asked, lane: String) -> Self {
        Self { kind, psea: asked.psea.clone(), others: asked.others.clone(), lane }
    }
}

impl Sets {
    fn walk<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("true");
        for set in &self.all {
            overlaps(" and ", set, out)?;
        }
        for term in &self.none {
            out.push_sql(" and not (true");
            for set in term {
                overlaps(" and ", set, out)?;
            }
            out.push_sql(")");
        }
        Ok(())
    }
}

fn overlaps<'b>(before: &str, set: &'b Vec<i64>, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
    out.push_sql(before);
    out.push_sql("w.tokens && ");
    out.push_bind_param::<sql::Array<sql::BigInt>, _>(set)
}

impl Expression for Holds {
    type SqlType = sql::Bool;
}

impl<T> AppearsOnTable<T> for Holds {}

impl ValidGrouping<()> for Holds {
    type IsAggregate = is_aggregate::No;
}

impl QueryId for Holds {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl QueryFragment<Pg> for Holds {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("(select ");
        if self.psea == self.others {
            self.others.walk(&mut out)?;
        } else {
            out.push_sql("case when ");
            out.push_sql(&self.lane);
            out.push_sql(" then ");
            self.psea.walk(&mut out)?;
            out.push_sql(" else ");
            self.others.walk(&mut out)?;
            out.push_sql(" end");
        }
        out.push_sql(match self.kind {
            Kind::Complaint => " from complaint_words w where w.complaint_id = complaints.id)",
            Kind::Case => " from case_words w where w.case_id = cases.id)",
        });
        Ok(())
    }
}
