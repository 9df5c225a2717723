//! What falls due, over HTTP.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::due::{self, Falling};
use crate::error::{Error, Result};
use crate::http::extract::{Params, SignedIn};
use crate::http::page::{self, Items, Page};
use crate::http::problem::Refusal;
use crate::temwen::Temwen;
use crate::values::{CaseId, ComplaintId, ErasureId};

/// How many days are looked ahead unless it is asked otherwise, and at most.
const DAYS: u32 = 90;
const MOST_DAYS: u32 = 36_525;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(list_due);
}

/// A matter that is over, and when its record may be erased.
#[derive(Serialize, ToSchema)]
struct DueView {
    /// The case, if it is one.
    #[schema(value_type = Option<Uuid>)]
    case_id: Option<CaseId>,
    /// The complaint, if it has no case.
    #[schema(value_type = Option<Uuid>)]
    complaint_id: Option<ComplaintId>,
    /// The case's number, or the complaint's reference.
    name: String,
    /// What it was taken for.
    category: String,
    /// What rules turn on, such as `child`.
    flags: Vec<String>,
    /// When it ended.
    over_at: DateTime<Utc>,
    /// The retention class of the policy that decides: of those that apply, the one that keeps it longest.
    class: String,
    /// The years of that class.
    years: u32,
    /// From when on it may be erased; null while `waits_for` says what is not known.
    due_at: Option<DateTime<Utc>>,
    /// `end_of_service` where the years run from when those accused leave the mission's service, and that is not known.
    waits_for: Option<&'static str>,
    /// Whether a legal hold keeps it, whatever the day.
    held: bool,
    /// The erasure that waits for a second person.
    #[schema(value_type = Option<Uuid>)]
    erasure_id: Option<ErasureId>,
}

impl From<Falling> for DueView {
    fn from(falling: Falling) -> Self {
        Self {
            case_id: falling.case_id,
            complaint_id: falling.complaint_id,
            name: falling.name,
            category: falling.category,
            flags: falling.flags,
            over_at: falling.over_at,
            class: falling.class,
            years: falling.years,
            due_at: falling.due_at,
            waits_for: falling.due_at.is_none().then_some("end_of_service"),
            held: falling.held,
            erasure_id: falling.erasure_id,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListDue {
    /// How many days to look ahead, 0 to 36525; 90 unless given.
    within_days: Option<u32>,
    /// How many at most, 1 to 200; 50 unless given.
    limit: Option<u32>,
    /// The cursor of the page before.
    after: Option<String>,
}

/// List matters whose record has fallen due, or will within some days; those that ended first first.
///
/// Only those that the caller may know of. Nothing is erased because it stands here. A matter for which it is not known whether
/// those accused still serve stands here from the day on which it would be due if they had left at its end.
#[utoipa::path(tag = "retention", security(("token" = [])), params(ListDue),
    responses((status = 200, body = Items<DueView>, description = "A page of matters"), Refusal))]
#[get("/retention/due")]
async fn list_due(
    temwen: Data<Temwen>,
    caller: SignedIn,
    request: HttpRequest,
    query: Params<ListDue>,
) -> Result<HttpResponse> {
    let ListDue { within_days, limit, after } = query.0;
    let days = within_days.unwrap_or(DAYS);
    if days > MOST_DAYS {
        return Err(Error::fault("within_days", "must be 0 to 36525"));
    }
    let page = Page::parse(&temwen.keys, "due", limit, after.as_deref())?;
    let rows = due::list(&temwen, &caller.0, days, page.after, page.rows()).await?;
    let position = |falling: &Falling| (falling.over_at, falling.id);
    Ok(page::answer(&temwen.keys, "due", page, rows, position, DueView::from, &request))
}
