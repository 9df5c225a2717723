//! The receipt over HTTP.

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::receipt::{self, LogReceipt};
use crate::error::Result;
use crate::http::extract::Reporter;
use crate::http::problem::Refusal;
use crate::temwen::Temwen;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(fetch_receipt);
}

/// A receipt that anybody can check, offline and without us.
#[derive(Serialize, ToSchema)]
struct LogReceiptView {
    /// The exact bytes of the entry that registers the complaint: what is hashed into the log.
    entry: String,
    /// With it and with your words, anybody can see that the entry means them: SHA-256 of these bytes and the words is
    /// `detail.words` of the entry.
    salt: String,
    /// The proof that the entry is in the log (C2SP `tlog-proof`), with entry and salt as its extra data.
    proof: String,
}

impl From<LogReceipt> for LogReceiptView {
    fn from(LogReceipt { entry, salt, proof }: LogReceipt) -> Self {
        Self { entry, salt, proof }
    }
}

/// Fetch the receipt of your complaint: the proof that it was registered.
///
/// It names nobody and tells nothing of what you reported, but it shows that you reported something: you need not keep it,
/// for you can fetch it again with reference and code. With `Accept: text/plain` it is one text file that holds all of it.
/// In the second before your complaint is in the log, the answer takes that long; past two seconds it is 503 with
/// `Retry-After`.
#[utoipa::path(tag = "reporter", security(("reporter" = [])),
    responses((status = 200, description = "The receipt", content(
        (LogReceiptView = "application/json"), (String = "text/plain"))), Refusal))]
#[get("/reporter/receipt")]
async fn fetch_receipt(
    temwen: Data<Temwen>,
    reporter: Reporter,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let receipt = receipt::fetch(&temwen, &reporter.caller, reporter.complaint).await?;
    if !wants_text(&request) {
        return Ok(HttpResponse::Ok().json(LogReceiptView::from(receipt)));
    }
    Ok(HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"receipt.tlog-proof\""))
        .body(receipt.proof))
}

/// Whether the caller asks for plain text before JSON.
fn wants_text(request: &HttpRequest) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    let wanted = |kind: &&str| !kind.replace(' ', "").to_lowercase().ends_with(";q=0");
    let mut kinds = accept.split(',').filter(wanted).map(|kind| kind.split(';').next().unwrap_or("").trim());
    kinds
        .find(|kind| ["text/plain", "text/*", "application/json", "application/*", "*/*"].contains(kind))
        .is_some_and(|kind| kind.starts_with("text/"))
}
