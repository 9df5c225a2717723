//! Lists: a page, its cursor, its `Link`.

use actix_web::HttpResponse;
use actix_web::http::header;
use chrono::{DateTime, Datelike as _, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::credentials::cursor;
use crate::auth::credentials::keys::Keys;
use crate::error::{Error, Result};
use crate::values::Faults;

/// How many items a page has unless it is asked otherwise.
const DEFAULT: u32 = 50;
/// The most items of a page.
const MOST: u32 = 200;

/// Where a page begins: after this moment and id, in the order of the list.
pub type Position = (DateTime<Utc>, Uuid);

/// Which page is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Where it begins.
    pub after: Option<Position>,
    /// How many items it has at most.
    pub limit: u32,
}

impl Page {
    /// Checks `limit` and `after`. A cursor is good for the list that gave it, named `list`, and for no other.
    pub fn parse(keys: &Keys, list: &str, limit: Option<u32>, after: Option<&str>) -> Result<Self> {
        let limit = match limit {
            None => DEFAULT,
            Some(limit @ 1..=MOST) => limit,
            Some(_) => return Err(Error::fault("limit", "must be 1 to 200")),
        };
        let bad = || Error::fault("after", "is not a cursor of this list");
        let after = after.map(|text| open(keys, list, text).ok_or_else(bad)).transpose()?;
        Ok(Self { after, limit })
    }

    /// How many rows to ask for: one more than shown, to know whether another page follows.
    pub fn rows(&self) -> i64 {
        i64::from(self.limit) + 1
    }
}

/// Refuses moments of a filter, by their names, that no calendar in use has: the database knows them neither.
pub fn moments(given: &[(&str, Option<DateTime<Utc>>)]) -> Result<()> {
    let mut faults = Faults::default();
    for (name, at) in given {
        if at.is_some_and(|at| !(1..=9999).contains(&at.year())) {
            faults.add(*name, "must be in the years 1 to 9999");
        }
    }
    faults.check()
}

fn open(keys: &Keys, list: &str, text: &str) -> Option<Position> {
    let bytes = cursor::open_cursor(keys, list, text)?;
    let (micros, id) = bytes.split_at_checked(8)?;
    let at = DateTime::from_timestamp_micros(i64::from_be_bytes(micros.try_into().ok()?))?;
    Some((at, Uuid::from_slice(id).ok()?))
}

fn seal(keys: &Keys, list: &str, (at, id): Position) -> String {
    let mut bytes = at.timestamp_micros().to_be_bytes().to_vec();
    bytes.extend_from_slice(id.as_bytes());
    cursor::seal_cursor(keys, list, &bytes)
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Items<T> {
    /// What is on this page.
    pub items: Vec<T>,
    /// The cursor of the next page, or null on the last.
    pub next: Option<String>,
}

/// Answers with a page made of `rows`, of which one may be over the limit.
pub fn answer<R, T: Serialize>(
    keys: &Keys,
    list: &str,
    page: Page,
    mut rows: Vec<R>,
    position: impl Fn(&R) -> Position,
    view: impl FnMut(R) -> T,
    request: &actix_web::HttpRequest,
) -> HttpResponse {
    let limit = page.limit as usize;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|last| seal(keys, list, position(last)));
    let mut response = HttpResponse::Ok();
    if let Some(next) = &next {
        response.insert_header((header::LINK, link(request, next)));
    }
    response.json(Items { items: rows.into_iter().map(view).collect(), next })
}

/// The same address with the next cursor (RFC 8288).
fn link(request: &actix_web::HttpRequest, next: &str) -> String {
    let kept: Vec<&str> = request
        .query_string()
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("after="))
        .collect();
    let query = kept.into_iter().chain([format!("after={next}").as_str()]).collect::<Vec<_>>().join("&");
    format!("<{}?{query}>; rel=\"next\"", request.path())
}
