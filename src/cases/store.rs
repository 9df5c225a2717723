//! SQL of cases.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types as sql;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::workflow::Stage;
use super::{Advance, Case, Classification};
use crate::auth::Role;
use crate::auth::policy::{Narrow, Scope};
use crate::coa::Policy;
use crate::db::schema::{assignments, cases, deadlines};
use crate::db::statement::{Condition, Fixed, Text};
use crate::db::{Tx, parts};
use crate::error::Result;
use crate::values::{CaseId, MatterId, UserId};
use crate::words::Holds;

/// The answer of a statement that holds a case: all that `Case` has, in one round trip.
struct Hold;
impl Text for Hold {
    const GIVEN: &'static str = "id";
    // Whoever was seen to know of a case keeps it in sight until the transaction ends, even when their own step takes it
    // out of their scope.
    const SQL: &'static str = " select set_config('temwen.matter', matter_id::text, true) from cases \
         where id = (select id from given) for update";
    type Row = sql::Text;
}

pub(crate) async fn lock(tx: &mut Tx, id: CaseId) -> Result<Option<Case>> {
    let held: Option<String> = tx
        .ask(async |mut conn| {
            Fixed::with(Hold, (id.into_sql::<sql::Uuid>(),)).get_result(&mut conn).await.optional()
        })
        .await?;
    if held.is_none() {
        return Ok(None);
    }
    tx.ask(async |mut conn| cases::table.find(id).select(Case::as_select()).first(&mut conn).await.optional())
        .await
}

struct NextNumber;
impl Text for NextNumber {
    const GIVEN: &'static str = "year";
    const SQL: &'static str = " insert into case_numbers (year, last) select year, 1 from given \
         on conflict (year) do update set last = case_numbers.last + 1 returning last";
    type Row = sql::Integer;
}

/// The next case number of a year. Its row is held until the transaction ends, so that no number is lost with a
/// transaction that fails: take it late.
pub(crate) async fn next_number(tx: &mut Tx, year: i32) -> Result<String> {
    let last: i32 = tx
        .ask(async |mut conn| {
            Fixed::with(NextNumber, (year.into_sql::<sql::Integer>(),)).get_result(&mut conn).await
        })
        .await?;
    Ok(format!("COA-{year:04}-{last:06}"))
}

/// A case on its way into the database.
pub(crate) struct New<'a> {
    pub(crate) id: CaseId,
    pub(crate) number: String,
    pub(crate) matter: MatterId,
    pub(crate) stage: Stage,
    pub(crate) category: &'a str,
    pub(crate) priority: &'a str,
    pub(crate) flags: &'a [String],
    pub(crate) country: Option<&'a str>,
    pub(crate) department: Option<&'a str>,
    pub(crate) owner_role: Role,
    pub(crate) owner: Option<UserId>,
    pub(crate) opened_by: Option<UserId>,
    pub(crate) opened_at: DateTime<Utc>,
    pub(crate) closed_at: Option<DateTime<Utc>>,
    pub(crate) outcome: Option<&'a str>,
    pub(crate) policy: &'a str,
    pub(crate) external_ref: Option<&'a str>,
}

pub(crate) async fn insert(tx: &mut Tx, new: &New<'_>) -> Result<Case> {
    let row = (
        cases::id.eq(new.id),
        cases::number.eq(&new.number),
        cases::matter_id.eq(new.matter),
        cases::stage.eq(new.stage),
        cases::category.eq(new.category),
        cases::priority.eq(new.priority),
        cases::flags.eq(new.flags),
        cases::country.eq(new.country),
        cases::department.eq(new.department),
        cases::owner_role.eq(new.owner_role),
        cases::owner_id.eq(new.owner),
        cases::opened_by.eq(new.opened_by),
        cases::opened_at.eq(new.opened_at),
        cases::closed_at.eq(new.closed_at),
        cases::outcome.eq(new.outcome),
        (
            cases::policy.eq(new.policy),
            cases::external_ref.eq(new.external_ref),
            cases::updated_at.eq(tx.now()),
        ),
    );
    tx.ask(async |mut conn| {
        diesel::insert_into(cases::table)
            .values(row)
            .returning(Case::as_returning())
            .get_result(&mut conn)
            .await
    })
    .await
}

pub(super) async fn set_stage(tx: &mut Tx, case: &Case, to: Stage, advance: &Advance) -> Result<Case> {
    let now = tx.now();
    let before = (to == Stage::Suspended).then_some(case.stage);
    let referred = match to {
        Stage::StateNotified => case.country.clone(),
        _ => case.referred_country.clone(),
    };
    let set = (
        cases::stage.eq(to),
        cases::stage_before.eq(before),
        cases::referred_country.eq(referred),
        cases::closed_at.eq(to.is_over().then_some(now)),
        cases::closure_reason.eq(advance.closure_reason.as_deref()),
        cases::updated_at.eq(now),
        cases::version.eq(cases::version + 1),
    );
    change(tx, case.id, set).await
}

pub(super) async fn classify(
    tx: &mut Tx,
    policy: &Policy,
    case: &Case,
    wanted: &Classification,
) -> Result<Case> {
    let category = wanted.category.as_deref().unwrap_or(&case.category);
    let desk = super::assessment::desk(policy, category, &case.flags);
    let set = (
        cases::owner_role.eq(desk),
        cases::owner_id.eq(case.owner_id.filter(|_| desk == case.owner_role)),
        cases::category.eq(category),
        cases::priority.eq(wanted.priority.as_deref().unwrap_or(&case.priority)),
        cases::updated_at.eq(tx.now()),
        cases::version.eq(cases::version + 1),
    );
    let changed = change(tx, case.id, set).await?;
    match &wanted.country {
        None => Ok(changed),
        Some(country) => change(tx, case.id, cases::country.eq(country)).await,
    }
}

/// Changes the columns `set` of a case that is held.
pub(super) async fn change<S>(tx: &mut Tx, id: CaseId, set: S) -> Result<Case>
where
    S: diesel::query_builder::AsChangeset<Target = cases::table>,
    S::Changeset: diesel::query_builder::QueryFragment<diesel::pg::Pg> + Send,
{
    tx.ask(async |mut conn| {
        diesel::update(cases::table.find(id))
            .set(set)
            .returning(Case::as_returning())
            .get_result(&mut conn)
            .await
    })
    .await
}

/// Which cases are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// At this stage.
    pub stage: Option<Stage>,
    /// Taken for this.
    pub category: Option<String>,
    /// Of this priority.
    pub priority: Option<String>,
    /// That this account works on.
    pub assignee: Option<UserId>,
    /// That concern this country.
    pub country: Option<String>,
    /// From this department.
    pub department: Option<String>,
    /// With a missed deadline, or without one.
    pub overdue: Option<bool>,
    /// Opened at or after.
    pub opened_from: Option<DateTime<Utc>>,
    /// Opened before.
    pub opened_to: Option<DateTime<Utc>>,
    /// With these words.
    pub(crate) words: Option<Looked>,
}

/// What is known of cases that hold some words.
#[derive(Debug, Clone)]
pub(crate) struct Looked {
    /// Those that may, if they are few.
    pub(crate) few: Option<Vec<Uuid>>,
    /// That one does; not needed where that is known of the few.
    pub(crate) holds: Option<Holds>,
}

/// A part of a scope as a condition, if it is one. The wall does not depend on it: it lets Postgres start from the few rows of
/// a narrow scope. The words stand in the text, because a plan is made once for all parameters, and only of words in the text
/// does Postgres know which index holds them. They are the policy's and ours, never a caller's.
fn condition(part: Narrow<'_>) -> Option<Condition> {
    let sql = match part {
        Narrow::Category(word) => format!("cases.category = '{word}'"),
        Narrow::Child => "cases.child".to_owned(),
        Narrow::Assigned => "cases.matter_id = any (array(select matter_id from own_assignments))".to_owned(),
        Narrow::Country(_) => "cases.referred_country = (select acting_country())".to_owned(),
        Narrow::Panel => "cases.stage in ('determination', 'action_pending', 'review')".to_owned(),
        Narrow::Command => "cases.stage = 'action_pending'".to_owned(),
        Narrow::Everything | Narrow::New | Narrow::Own => return None,
    };
    Some(Condition::new(sql))
}

/// Cases, newest first.
pub async fn list(
    conn: &AsyncPgConnection,
    scope: &Scope,
    filter: &Filter,
    now: DateTime<Utc>,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> QueryResult<Vec<Case>> {
    // Words are those of complaints and notes: whoever may know of a case without them does not find it by them.
    let with_texts = |part: &Narrow<'_>| match part {
        Narrow::Assigned => scope.assigned_complaints,
        part => !matches!(part, Narrow::Country(_) | Narrow::Panel | Narrow::Command),
    };
    let parts = scope.parts_of_cases().into_iter().filter(|part| filter.words.is_none() || with_texts(part));
    let each = parts.map(|part| list_part(conn, part, filter, now, after, rows));
    parts::newest(each, rows, |case: &Case| (case.opened_at, case.id.uuid())).await
}

async fn list_part(
    mut conn: &AsyncPgConnection,
    part: Narrow<'_>,
    filter: &Filter,
    now: DateTime<Utc>,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> QueryResult<Vec<Case>> {
    let mut query = cases::table.into_boxed();
    let of = |user: UserId| {
        assignments::table
            .filter(assignments::user_id.eq(user).and(assignments::ended_at.is_null()))
            .select(assignments::matter_id)
    };
    if let Some(condition) = condition(part) {
        query = query.filter(condition);
    }
    if let Some(stage) = filter.stage {
        query = query.filter(cases::stage.eq(stage));
    }
    if let Some(category) = &filter.category {
        query = query.filter(cases::category.eq(category.clone()));
    }
    if let Some(priority) = &filter.priority {
        query = query.filter(cases::priority.eq(priority.clone()));
    }
    if let Some(assignee) = filter.assignee {
        query = query.filter(cases::matter_id.eq_any(of(assignee)));
    }
    if let Some(country) = &filter.country {
        query = query.filter(cases::country.eq(country.clone()));
    }
    if let Some(department) = &filter.department {
        query = query.filter(cases::department.eq(department.clone()));
    }
    if let Some(overdue) = filter.overdue {
        let missed = deadlines::table
            .filter(
                deadlines::met_at
                    .is_null()
                    .and(deadlines::cancelled_at.is_null())
                    .and(deadlines::paused_at.is_null()),
            )
            .filter(deadlines::due_at.lt(now))
            .select(deadlines::matter_id);
        query = if overdue {
            query.filter(cases::matter_id.eq_any(missed))
        } else {
            query.filter(cases::matter_id.ne_all(missed))
        };
    }
    if let Some(words) = &filter.words {
        if let Some(holds) = &words.holds {
            query = query.filter(holds.clone());
        }
        if let Some(few) = &words.few {
            query = query.filter(cases::id.eq_any(few.clone()));
        }
    }
    if let Some(from) = filter.opened_from {
        query = query.filter(cases::opened_at.ge(from));
    }
    if let Some(to) = filter.opened_to {
        query = query.filter(cases::opened_at.lt(to));
    }
    if let Some((at, id)) = after {
        // The first condition lets the index start there; the second is the exact place.
        query = query
            .filter(cases::opened_at.le(at))
            .filter(cases::opened_at.lt(at).or(cases::opened_at.eq(at).and(cases::id.lt(CaseId::from(id)))));
    }
    query
        .order((cases::opened_at.desc(), cases::id.desc()))
        .limit(rows)
        .select(Case::as_select())
        .load(&mut conn)
        .await
}

/// The marks of a complaint become those of its case too, and with them its desk. What protects the case protects all its
/// complaints: whoever looks at it from one of those finds the same rules.
pub(super) async fn take_over_flags(
    tx: &mut Tx,
    policy: &Policy,
    case: &Case,
    more: &[String],
) -> Result<Case> {
    let mut flags = case.flags.clone();
    flags.extend(more.iter().filter(|flag| !case.flags.contains(flag)).cloned());
    let desk = super::assessment::desk(policy, &case.category, &flags);
    let protecting: Vec<String> =
        flags.iter().filter(|flag| policy.in_lane("psea", "", [flag.as_str()])).cloned().collect();
    if !protecting.is_empty() {
        crate::complaints::take_over_flags(tx, case.matter_id, &protecting).await?;
    }
    let set = (
        cases::flags.eq(flags),
        cases::owner_role.eq(desk),
        cases::owner_id.eq(case.owner_id.filter(|_| desk == case.owner_role)),
        cases::updated_at.eq(tx.now()),
        cases::version.eq(cases::version + 1),
    );
    change(tx, case.id, set).await
}

/// Counts a change of what hangs on a case.
pub(super) async fn touch(tx: &mut Tx, case: &Case) -> Result<Case> {
    let now = tx.now();
    change(tx, case.id, (cases::updated_at.eq(now), cases::version.eq(cases::version + 1))).await
}

/// Nobody by name owns a case any more; its desk still does.
pub(super) async fn back_to_desk(tx: &mut Tx, case: &Case) -> Result<Case> {
    let now = tx.now();
    let set = (
        cases::owner_id.eq(None::<UserId>),
        cases::updated_at.eq(now),
        cases::version.eq(cases::version + 1),
    );
    change(tx, case.id, set).await
}
