//! The receipt: what a reporter can take away, and anybody can check without us.
//!
//! It holds the entry that registers the complaint, the salt that ties it to the reporter's words, and the proof that the
//! entry is in the log. It names nobody, and says nothing of what was reported. It can be had again with reference and code
//! alone, so that nobody has to keep it where it may be found.

use std::time::Duration;

use serde::Serialize;

use super::store;
use crate::audit::leaf::hex;
use crate::audit::{Event, What};
use crate::db::Caller;
use crate::error::{Error, Kind, Result};
use crate::log::{self, Place};
use crate::temwen::Temwen;
use crate::values::ComplaintId;

/// How often, and how long in between, a receipt that is not ready is waited for: two seconds in all.
const TRIES: usize = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// What a receipt holds.
#[derive(Debug, Clone)]
pub(super) struct LogReceipt {
    /// The exact bytes of the entry that registers the complaint.
    pub(super) entry: String,
    /// The salt of the commitment to its words, in hexadecimal.
    pub(super) salt: String,
    /// The text of the proof (c2sp.org/tlog-proof), which carries entry and salt as its extra data.
    pub(super) proof: String,
}

/// What the proof carries besides, so that the file alone is enough.
#[derive(Serialize)]
struct Extra<'a> {
    entry: &'a str,
    salt: &'a str,
}

/// The receipt of the reporter's own complaint, as soon as it is in the log.
pub(super) async fn fetch(temwen: &Temwen, caller: &Caller, complaint: ComplaintId) -> Result<LogReceipt> {
    let event = Event::complaint_read(What::ReceiptFetched, complaint);
    let kept = temwen
        .db
        .read_recorded(caller, "reporter.receipt", event, async |conn| store::said(conn, complaint).await)
        .await?
        .ok_or_else(Error::not_found)?;
    let gone = || {
        Error::new(
            Kind::Erased,
            "the words were erased, and with them the salt; a receipt that you kept stays good",
        )
    };
    let salt = hex(&kept.salt(temwen.db.vault())?.ok_or_else(gone)?);
    let registers = [What::ComplaintReceived, What::ComplaintImported];
    let entry = log::first_about(temwen, caller, complaint.uuid(), &registers).await?;
    let entry = entry.ok_or_else(Error::not_found)?;
    for _ in 0..TRIES {
        match log::prove(temwen, caller, entry.uuid()).await? {
            Place::Unknown => return Err(Error::not_found()),
            Place::Waits => tokio::time::sleep(PAUSE).await,
            Place::Proven(proven) => {
                let extra = serde_json::to_vec(&Extra { entry: &proven.entry, salt: &salt });
                let mut proof = proven.proof;
                proof.extra = Some(extra.map_err(Error::internal)?);
                return Ok(LogReceipt { entry: proven.entry, salt, proof: proof.to_text() });
            }
        }
    }
    Err(Error::unavailable(2).because("the complaint has no signed place in the log yet"))
}
