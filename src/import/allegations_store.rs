//! SQL of taking allegations over.

use diesel::prelude::*;
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::allegation_row::Content;
use super::store::{Ids, MaybeTexts, Texts, taken, use_indexes};
use crate::auth::Role;
use crate::db::Tx;
use crate::db::statement::{Fixed, Text};
use crate::error::{Error, Result};
use crate::values::{AllegationId, CaseId, MatterId};

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
