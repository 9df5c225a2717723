//! One list out of several: a scope of many parts is asked for part by part, each by its own index, all in one round trip.
//!
//! Asked for all at once (`this or that or those`), Postgres would search the whole table for a page of them, or sort all of
//! them for a page, and the page would take the longer the more there are.

use std::future::Future;

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use futures_util::future::try_join_all;
use uuid::Uuid;

/// The newest `rows` of all parts, newest first and each once; every part comes in that order already. `place` is where a
/// row stands in it: its time and its id.
pub(crate) async fn newest<T, F: Future<Output = QueryResult<Vec<T>>>>(
    parts: impl IntoIterator<Item = F>,
    rows: i64,
    place: impl Fn(&T) -> (DateTime<Utc>, Uuid),
) -> QueryResult<Vec<T>> {
    let mut lists = try_join_all(parts).await?;
    if lists.len() == 1 {
        return Ok(lists.pop().unwrap_or_default());
    }
    let mut all: Vec<T> = lists.into_iter().flatten().collect();
    all.sort_by_key(|row| std::cmp::Reverse(place(row)));
    all.dedup_by_key(|row| place(row));
    all.truncate(usize::try_from(rows).unwrap_or(usize::MAX));
    Ok(all)
}
