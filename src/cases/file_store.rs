//! SQL of the case file: a case with all that hangs on it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::Case;
use super::workflow::Duty;
use crate::auth::Role;
use crate::coa::Policy;
use crate::complaints::Complaint;
use crate::complaints::particulars::Particulars;
use crate::db::Tx;
use crate::db::schema::{allegations, assignments, case_duties, cases};
use crate::deadlines::Deadline;
use crate::error::{Error, Result};
use crate::values::{AllegationId, CaseId, ComplaintId, UserId};

/// One allegation of a case.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = allegations, check_for_backend(diesel::pg::Pg))]
pub struct Allegation {
    /// Its id.
    pub id: AllegationId,
    /// Its place in the case.
    pub position: i32,
    /// A word of the policy.
    pub type_: Option<String>,
    /// What its source calls it.
    pub reported_as: Option<String>,
    /// What it is taken for.
    pub category: String,
    /// The source's number of whoever is accused.
    pub subject_ref: Option<String>,
    /// Their unit.
    pub subject_unit: Option<String>,
    /// Their rank.
    pub subject_rank: Option<String>,
    /// What was found.
    pub finding: Option<String>,
    /// What came of it, in our vocabulary.
    pub outcome: Option<String>,
    /// What followed.
    pub discipline: Option<String>,
}

/// Somebody who works on a case.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = assignments, check_for_backend(diesel::pg::Pg))]
pub struct Assignment {
    /// Their account.
    pub user_id: UserId,
    /// As what.
    pub role: Role,
    /// Since when.
    pub assigned_at: DateTime<Utc>,
}

/// A case with all that hangs on it.
#[derive(Debug)]
pub struct CaseFile {
    /// The case.
    pub case: Case,
    /// Who works on it.
    pub assignments: Vec<Assignment>,
    /// The complaints that it grew from.
    pub complaints: Vec<Complaint>,
    /// What is alleged.
    pub allegations: Vec<Allegation>,
    /// Its clocks.
    pub deadlines: Vec<Deadline>,
    /// The reader's own part in it.
    pub duty: Option<Duty>,
}

/// Reads a case with all that hangs on it; everything in one round trip.
pub async fn read_file(conn: &AsyncPgConnection, id: CaseId, user: UserId) -> QueryResult<Option<CaseFile>> {
    let case = async {
        let mut conn = conn;
        cases::table.find(id).select(Case::as_select()).first(&mut conn).await.optional()
    };
    let working = async {
        let mut conn = conn;
        assignments::table
            .filter(assignments::case_id.eq(id).and(assignments::ended_at.is_null()))
            .order((assignments::assigned_at, assignments::id))
            .limit(100)
            .select(Assignment::as_select())
            .load(&mut conn)
            .await
    };
    let alleged = async {
        let mut conn = conn;
        allegations::table
            .filter(allegations::case_id.eq(id))
            .order(allegations::position)
            .limit(500)
            .select(Allegation::as_select())
            .load(&mut conn)
            .await
    };
    let duty = async {
        let mut conn = conn;
        case_duties::table
            .find((id, user))
            .select(case_duties::duty)
            .first::<Duty>(&mut conn)
            .await
            .optional()
    };
    let (case, working, complaints, alleged, clocks, duty) = futures_util::join!(
        case,
        working,
        crate::complaints::of_case(conn, id),
        alleged,
        crate::deadlines::of_case(conn, id),
        duty
    );
    let (assignments, complaints, allegations, deadlines, duty) =
        (working?, complaints?, alleged?, clocks?, duty?);
    Ok(case?.map(|case| CaseFile { case, assignments, complaints, allegations, deadlines, duty }))
}

/// The allegations of a complaint become those of its case, in words of the policy.
pub(super) async fn take_over_allegations(
    tx: &mut Tx,
    policy: &Policy,
    case: CaseId,
    complaint: ComplaintId,
) -> Result<()> {
    let said = tx.ask(async |conn| crate::complaints::said(conn, complaint).await).await?;
    let Some(said) = said else { return Ok(()) };
    let particulars: Particulars = serde_json::from_str(&said.particulars).map_err(Error::internal)?;
    let rows: Vec<_> = particulars
        .allegations
        .iter()
        .zip(1_i32..)
        .map(|(alleged, position)| {
            let category =
                policy.allegation_type(&alleged.r#type).map_or("", |known| known.category.as_str());
            (
                allegations::id.eq(AllegationId::new()),
                allegations::case_id.eq(case),
                allegations::position.eq(position),
                allegations::type_.eq(alleged.r#type.clone()),
                allegations::category.eq(category.to_owned()),
            )
        })
        .collect();
    tx.ask(async |mut conn| diesel::insert_into(allegations::table).values(rows).execute(&mut conn).await)
        .await
        .map(|_| ())
}
