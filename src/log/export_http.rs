//! The whole record, to take away: JSON lines under a checkpoint, for auditors.

use std::collections::HashMap;

use actix_web::web::{Bytes, Data};
use actix_web::{HttpResponse, get};
use futures_util::stream;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::auditors_http::allow;
use super::store;
use crate::audit::leaf::hex;
use crate::audit::{Event, What};
use crate::db::Caller;
use crate::error::{Error, Result};
use crate::http::extract::SignedIn;
use crate::http::problem::Refusal;
use crate::temwen::Temwen;
use crate::tlog::{HASH_BYTES, Head, TILE_WIDTH, TileId};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(export_entries);
}

/// A line of the export: first a checkpoint, then an entry each.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum Line {
    /// The checkpoint that the lines after it make.
    Checkpoint {
        /// The signed note.
        checkpoint: String,
    },
    /// An entry.
    Entry {
        /// Its place in the log, from 0.
        place: u64,
        /// Its exact bytes.
        entry: String,
    },
    /// An entry of a matter that is hidden from the caller: its hash alone, so that the tree can be made.
    Withheld {
        /// Its place in the log, from 0.
        place: u64,
        /// Its leaf hash (RFC 6962), in hexadecimal.
        leaf: String,
    },
}

/// Take a copy of the whole record away, as an auditor.
///
/// JSON lines: the newest checkpoint first, then every entry in order. Hash the entries (RFC 6962), make the tree, compare the
/// root, check the signature: then nothing is missing and nothing was changed. That you took it is recorded.
#[utoipa::path(tag = "audit", security(("token" = [])),
    responses((status = 200, body = Line, content_type = "application/jsonl", description = "A checkpoint and its entries, one JSON object a line"), Refusal))]
#[get("/audit/export")]
async fn export_entries(temwen: Data<Temwen>, caller: SignedIn) -> Result<HttpResponse> {
    allow(&caller)?;
    let checkpoint = temwen.db.read(&caller.0, async |conn| store::checkpoint(conn).await).await?;
    let checkpoint = checkpoint.ok_or_else(|| Error::unavailable(1))?;
    let count = i64::try_from(checkpoint.head.size).unwrap_or(i64::MAX);
    let entry = Event::register(What::EntriesExported).with("count", count);
    temwen.db.read_recorded(&caller.0, "audit.export", entry, async |_| Ok(Some(()))).await?;
    let first = line(&Line::Checkpoint { checkpoint: checkpoint.text()? })?;
    let from = Next { temwen, caller: caller.0, head: checkpoint.head, tile: 0 };
    let tiles = stream::unfold(Some(from), |next| async move {
        let mut next = next?;
        match next.tile().await {
            Ok(Some(lines)) => Some((Ok(lines), Some(next))),
            Ok(None) => None,
            // The connection breaks off: a copy that ends early does not look whole.
            Err(error) => Some((Err(error), None)),
        }
    });
    let whole = futures_util::StreamExt::chain(stream::iter([Ok::<_, Error>(first)]), tiles);
    Ok(HttpResponse::Ok().content_type("application/jsonl").streaming(whole))
}

/// What is still to be exported.
struct Next {
    temwen: Data<Temwen>,
    caller: Caller,
    head: Head,
    tile: u64,
}

impl Next {
    /// The lines of the next tile; `None` after the last.
    async fn tile(&mut self) -> Result<Option<Bytes>> {
        let id = TileId { level: 0, index: self.tile };
        let width = id.width(self.head.size);
        if width == 0 {
            return Ok(None);
        }
        let from = self.tile * u64::from(TILE_WIDTH);
        let first = i64::try_from(from).map_err(Error::internal)?;
        let read = async |conn: &_| {
            futures_util::try_join!(store::entries_from(conn, first, i64::from(width)), store::tile(conn, id))
        };
        let (entries, hashes) = self.temwen.db.read(&self.caller, read).await?;
        let entries: HashMap<i64, String> =
            entries.iter().map(|(place, entry)| (*place, entry.leaf())).collect();
        let hashes = hashes.filter(|hashes| hashes.len() >= HASH_BYTES * width as usize);
        let hashes = hashes.ok_or_else(|| Error::internal("a tile of the log is missing"))?;
        let mut lines = Vec::new();
        for ((place, at), hash) in (from..).zip(first..).zip(hashes.chunks(HASH_BYTES)).take(width as usize) {
            let one = match entries.get(&at) {
                Some(entry) => Line::Entry { place, entry: entry.clone() },
                None => Line::Withheld { place, leaf: hex(hash) },
            };
            lines.extend_from_slice(&line(&one)?);
        }
        self.tile += 1;
        Ok(Some(Bytes::from(lines)))
    }
}

fn line(line: &Line) -> Result<Bytes> {
    let mut text = serde_json::to_vec(line).map_err(Error::internal)?;
    text.push(b'\n');
    Ok(Bytes::from(text))
}
