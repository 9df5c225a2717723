//! Cases over HTTP.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::proposals_http::{ProposalView, waits};
use super::workflow::{Stage, Step};
use super::{Advance, Case, Classification, Filter, Outcome, search};
use crate::auth::Role;
use crate::auth::policy::{self, Action};
use crate::coa::Vocabulary;
use crate::error::{Error, Result};
use crate::http::body::Body;
use crate::http::extract::{IfMatch, Params, SignedIn};
use crate::http::page::{self, Items, Page};
use crate::http::problem::Refusal;
use crate::http::versioned;
use crate::temwen::Temwen;
use crate::values::{CaseId, Faults, Reason, UserId};
use crate::words::Asked;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(list_cases)
        .service(advance_case)
        .service(classify_case)
        .configure(super::file_http::routes)
        .configure(super::assessment_http::routes)
        .configure(super::people_http::routes)
        .configure(super::liftings_http::routes)
        .configure(super::glances_http::routes)
        .configure(super::notes_http::routes)
        .configure(super::parties_http::routes)
        .configure(super::proposals_http::routes);
}

/// A case as it stands in lists.
#[derive(Serialize, ToSchema)]
pub(crate) struct CaseView {
    #[schema(value_type = Uuid)]
    pub(super) id: CaseId,
    /// What officers call it by, such as `COA-2026-000123`. Without gaps in each year.
    number: String,
    /// How far it has come.
    stage: Stage,
    /// What it is taken for.
    category: String,
    /// How soon it wants attention.
    priority: String,
    /// What rules turn on, such as `child`.
    flags: Vec<String>,
    /// The contributing country concerned.
    country: Option<String>,
    /// Where it happened.
    department: Option<String>,
    /// The desk that answers for it.
    owner_role: Role,
    /// The person there.
    #[schema(value_type = Option<Uuid>)]
    owner_id: Option<UserId>,
    /// The country that was told of it.
    referred_country: Option<String>,
    /// When it was opened.
    opened_at: DateTime<Utc>,
    /// When it was closed or handed on.
    closed_at: Option<DateTime<Utc>>,
    /// Why, in a word of the policy.
    closure_reason: Option<String>,
    /// The finding that an imported case came with.
    outcome: Option<String>,
    /// The policy it was opened under.
    policy: String,
    /// When it was last changed.
    updated_at: DateTime<Utc>,
    /// Counts its changes; send it back in `If-Match`.
    pub(super) version: i32,
    /// In an answer to `q`: in what kinds of text the words were found (`narrative`, `particulars`, `message`, `note`, `name`).
    #[serde(skip_serializing_if = "Option::is_none")]
    matched: Option<Vec<&'static str>>,
}

impl From<Case> for CaseView {
    fn from(case: Case) -> Self {
        let Case {
            id,
            number,
            stage,
            category,
            priority,
            flags,
            country,
            department,
            owner_role,
            owner_id,
            referred_country,
            opened_at,
            closed_at,
            closure_reason,
            outcome,
            policy,
            updated_at,
            version,
            ..
        } = case;
        Self {
            id,
            number,
            stage,
            category,
            priority,
            flags,
            country,
            department,
            owner_role,
            owner_id,
            referred_country,
            opened_at,
            closed_at,
            closure_reason,
            outcome,
            policy,
            updated_at,
            version,
            matched: None,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListCases {
    /// A stage, such as `assessment`.
    stage: Option<Stage>,
    /// A category of the policy.
    category: Option<String>,
    /// A priority of the policy.
    priority: Option<String>,
    /// Cases that this account works on.
    #[param(value_type = Option<Uuid>)]
    assignee: Option<UserId>,
    /// A contributing country of the policy.
    country: Option<String>,
    /// A department of the policy, such as `HT-OU`.
    department: Option<String>,
    /// Only cases with a missed deadline (`true`) or without one (`false`).
    overdue: Option<bool>,
    /// Opened at or after this moment.
    opened_from: Option<DateTime<Utc>>,
    /// Opened before this moment.
    opened_to: Option<DateTime<Utc>>,
    /// Words that must all be in its notes and complaints, in any of the four languages; one with a `-` in front must not.
    q: Option<String>,
    /// How many at most, 1 to 200; 50 unless given.
    limit: Option<u32>,
    /// The cursor of the page before.
    after: Option<String>,
}

/// List cases that you may know of, newest first.
///
/// The newest first, and only those that the caller may know of. No text is shown, so nothing is recorded;
/// the filters narrow what is seen and never widen it. With `q`, what holds these words, for those who may read notes or
/// complaints; that somebody looked is recorded, with the words as hashes.
#[utoipa::path(tag = "cases", security(("token" = [])), params(ListCases),
    responses((status = 200, body = Items<CaseView>, description = "A page of cases"), Refusal))]
#[get("/cases")]
async fn list_cases(
    temwen: Data<Temwen>,
    caller: SignedIn,
    request: HttpRequest,
    query: Params<ListCases>,
) -> Result<HttpResponse> {
    let ListCases {
        stage,
        category,
        priority,
        assignee,
        country,
        department,
        overdue,
        opened_from,
        opened_to,
        q,
        limit,
        after,
    } = query.0;
    if !policy::allows(&caller.0.actor, Action::ReadCases) {
        return Err(Error::forbidden());
    }
    temwen.policy.known_or_fault(&[
        ("category", Vocabulary::Category, category.as_deref()),
        ("priority", Vocabulary::Priority, priority.as_deref()),
        ("country", Vocabulary::Country, country.as_deref()),
        ("department", Vocabulary::Department, department.as_deref()),
    ])?;
    page::moments(&[("opened_from", opened_from), ("opened_to", opened_to)])?;
    let asked = q.as_deref().map(|q| Asked::parse(&temwen.register, q, &caller.0.actor, search::FIELDS));
    let asked = asked.transpose()?;
    // A cursor goes on with the same words only.
    let list = q.map_or_else(|| "cases".to_owned(), |q| format!("cases with {q}"));
    let page = Page::parse(&temwen.keys, &list, limit, after.as_deref())?;
    let filter = Filter {
        stage,
        category,
        priority,
        assignee,
        country,
        department,
        overdue,
        opened_from,
        opened_to,
        words: None,
    };
    let (scope, now) = (temwen.db.scope(&caller.0), temwen.clock.now());
    if let Some(asked) = asked {
        let look = async |tx: &mut _| {
            search::search(tx, &temwen.policy, &scope, &asked, filter, page.after, page.rows()).await
        };
        let rows = temwen.db.write(&caller.0, "cases.search", look).await?;
        let position = |(case, _): &search::Hit| (case.opened_at, case.id.uuid());
        let view = |(case, matched)| CaseView { matched: Some(matched), ..CaseView::from(case) };
        return Ok(page::answer(&temwen.keys, &list, page, rows, position, view, &request));
    }
    let find = async |conn: &_| super::list(conn, &scope, &filter, now, page.after, page.rows()).await;
    let rows = temwen.db.read(&caller.0, find).await?;
    Ok(page::answer(
        &temwen.keys,
        "cases",
        page,
        rows,
        |case| (case.opened_at, case.id.uuid()),
        CaseView::from,
        &request,
    ))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"step": "open_mission_investigation", "reason": "No contributing State is concerned."}))]
struct AdvanceCase {
    /// One of the case's `steps`.
    step: Step,
    /// Why.
    reason: String,
    /// For `close`: why, in a word of the policy.
    closure_reason: Option<String>,
}

/// Move a case one step along its workflow.
///
/// Ending a protected case (sexual exploitation or abuse, a child, serious misconduct) before a determination waits for a
/// second officer: then the answer is 202 with the proposal.
#[utoipa::path(tag = "cases", security(("token" = [])), request_body = AdvanceCase,
    params(("id" = Uuid, Path, description = "Which case"), ("If-Match" = String, Header, description = "The version that you saw")),
    responses((status = 200, body = CaseView, description = "The case after the step"),
        (status = 202, body = ProposalView, description = "It waits for a second officer"), Refusal))]
#[post("/cases/{id}/transitions")]
async fn advance_case(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<CaseId>,
    seen: IfMatch,
    body: Body<AdvanceCase>,
) -> Result<HttpResponse> {
    let AdvanceCase { step, reason, closure_reason } = body.value;
    let reason = Reason::parse(&reason).map_err(|why| Error::fault("/reason", why))?;
    let wanted = Advance { step, reason, closure_reason };
    let advance = async |tx: &mut _| super::advance(tx, &temwen.policy, *id, seen.0, &wanted).await;
    Ok(answer(temwen.db.write(&caller.0, "cases.advance", advance).await?))
}

fn answer(outcome: Outcome<Case>) -> HttpResponse {
    match outcome {
        Outcome::Done(case) => versioned(case.version, &CaseView::from(*case)),
        Outcome::Waits(proposal) => waits(*proposal),
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"category": "serious_misconduct", "priority": "urgent", "reason": "A medical report shows a fracture."}))]
struct ClassifyCase {
    /// Another category.
    category: Option<String>,
    /// Another priority.
    priority: Option<String>,
    /// The contributing country concerned.
    country: Option<String>,
    /// Why.
    reason: String,
}

/// Give a case another category, priority or country, with a reason.
///
/// Lowering a protected case waits for a second officer: then the answer is 202 with the proposal.
#[utoipa::path(tag = "cases", security(("token" = [])), request_body = ClassifyCase,
    params(("id" = Uuid, Path, description = "Which case"), ("If-Match" = String, Header, description = "The version that you saw")),
    responses((status = 200, body = CaseView, description = "The case"),
        (status = 202, body = ProposalView, description = "It waits for a second officer"), Refusal))]
#[post("/cases/{id}/classification")]
async fn classify_case(
    temwen: Data<Temwen>,
    caller: SignedIn,
    id: Path<CaseId>,
    seen: IfMatch,
    body: Body<ClassifyCase>,
) -> Result<HttpResponse> {
    let ClassifyCase { category, priority, country, reason } = body.value;
    let mut faults = Faults::default();
    let policy = &temwen.policy;
    let unknown = |vocabulary, word: &Option<String>| {
        word.as_deref().is_some_and(|word| !policy.knows(vocabulary, word))
    };
    if unknown(Vocabulary::Category, &category) || category.as_deref() == Some(policy.initial_category()) {
        faults.add("/category", "is not a category that a case can have");
    }
    if unknown(Vocabulary::Priority, &priority) {
        faults.add("/priority", "is not one of the policy's priorities");
    }
    if unknown(Vocabulary::Country, &country) {
        faults.add("/country", "is not one of the policy's countries");
    }
    if category.is_none() && priority.is_none() && country.is_none() {
        faults.add("", "must change the category, the priority or the country");
    }
    let reason = faults.take("/reason", Reason::parse(&reason));
    let reason = faults.none_or(reason)?;
    let wanted = Classification { category, priority, country, reason };
    let classify = async |tx: &mut _| super::classify(tx, &temwen.policy, *id, seen.0, &wanted).await;
    Ok(answer(temwen.db.write(&caller.0, "cases.classify", classify).await?))
}
