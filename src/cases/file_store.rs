//! SQL of the case file: a case with all that hangs on it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};

use super::Case;
use super::workflow::Duty;
use crate::auth::Role;
use crate::coa::Policy;
use crate::complaints::Complaint;
use crate::complaints::particulars::Particulars;
use crate::db::Tx;
use crate::db::data_keys::{self, Keys};
use crate::db::schema::{allegations, assignments, case_duties, cases};
use crate::deadlines::Deadline;
use crate::error::{Error, Result};
use crate::values::{AllegationId, CaseId, ComplaintId, UserId};
use crate::vault::{DataKey, Place, WrappedKey};

/// What the source of an allegation says of it, in its own words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Told {
    /// What its source calls it.
    pub reported_as: Option<String>,
    /// The source's number of whoever is accused.
    pub subject_ref: Option<String>,
    /// Their unit.
    pub subject_unit: Option<String>,
    /// Their rank.
    pub subject_rank: Option<String>,
    /// What was found.
    pub finding: Option<String>,
    /// What followed.
    pub discipline: Option<String>,
}

impl Told {
    /// Where it stands, sealed.
    fn place(id: AllegationId) -> Place {
        Place::new("allegations", "told", id.uuid())
    }

    /// Seals it for an allegation, with the key of its case; nothing, where nothing is told.
    pub(crate) fn seal(&self, key: &DataKey, id: AllegationId) -> Result<Option<Vec<u8>>> {
        if *self == Self::default() {
            return Ok(None);
        }
        let json = serde_json::to_vec(self).map_err(Error::internal)?;
        Ok(Some(key.seal(Self::place(id), &json)?))
    }

    /// Opens it; nothing, where nothing is told or it was erased.
    pub(crate) fn open(keys: &Keys, id: AllegationId, sealed: Option<&[u8]>) -> Result<Self> {
        let json = keys.some_text(Self::place(id), sealed)?;
        json.map_or(Ok(Self::default()), |json| serde_json::from_str(&json).map_err(Error::internal))
    }
}

/// One allegation of a case, as it is stored.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = allegations, check_for_backend(diesel::pg::Pg))]
pub struct Allegation {
    /// Its id.
    pub id: AllegationId,
    /// Its place in the case.
    pub position: i32,
    /// A word of the policy.
    pub type_: Option<String>,
    /// What it is taken for.
    pub category: String,
    /// What came of it, in our vocabulary.
    pub outcome: Option<String>,
    /// What its source says of it, sealed.
    told_sealed: Option<Vec<u8>>,
}

impl Allegation {
    /// What its source says of it.
    pub fn told(&self, keys: &Keys) -> Result<Told> {
        Told::open(keys, self.id, self.told_sealed.as_deref())
    }
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
    /// What opens what is sealed in it.
    pub key: Option<WrappedKey>,
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
    let (case, working, complaints, alleged, clocks, duty, key) = futures_util::join!(
        case,
        working,
        crate::complaints::of_case(conn, id),
        alleged,
        crate::deadlines::of_case(conn, id),
        duty,
        data_keys::of_case(conn, id)
    );
    let (assignments, complaints, allegations, deadlines, duty, key) =
        (working?, complaints?, alleged?, clocks?, duty?, key?);
    Ok(case?.map(|case| CaseFile { case, assignments, complaints, allegations, deadlines, duty, key }))
}

/// The allegations of a complaint become those of its case, in words of the policy.
pub(super) async fn take_over_allegations(
    tx: &mut Tx,
    policy: &Policy,
    case: CaseId,
    complaint: ComplaintId,
) -> Result<()> {
    let said = crate::complaints::said_in(tx, complaint).await?;
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
