//! A copy without metadata, over HTTP.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, post};
use utoipa_actix_web::service_config::ServiceConfig;

use super::http::EvidenceView;
use super::stripped;
use crate::error::Result;
use crate::http::extract::SignedIn;
use crate::http::idempotency::{self, Created, IdempotencyKey};
use crate::http::problem::Refusal;
use crate::temwen::Temwen;
use crate::values::{CaseId, EvidenceId};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(strip_evidence);
}

/// Make a copy of a file without its metadata.
///
/// For JPEG, PNG and WebP pictures, PDF, Office and `OpenDocument` files of up to 32 MiB. The copy is evidence of its own,
/// beside the file, which stays as it is. What a picture shows is not touched: neither are names in the text of a document,
/// comments and tracked changes.
#[utoipa::path(tag = "evidence", security(("token" = [])),
    params(("id" = Uuid, Path, description = "Which case"), ("evidence" = Uuid, Path, description = "Which file"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeats get the first answer again")),
    responses((status = 201, body = EvidenceView, description = "The copy"), Refusal))]
#[post("/cases/{id}/evidence/{evidence}/stripped")]
async fn strip_evidence(
    temwen: Data<Temwen>,
    caller: SignedIn,
    path: Path<(CaseId, EvidenceId)>,
    key: IdempotencyKey,
) -> Result<HttpResponse> {
    let (case, file) = path.into_inner();
    // Taking a file apart is slow, and is done outside of a transaction.
    let copy = stripped::make(&temwen, &caller.0, case, file).await?;
    let mut stored = false;
    let key = key.at(file.uuid());
    let answer = idempotency::once(&temwen, &caller.0, "evidence.derive", &key, b"", async |tx| {
        let (evidence, matter) = copy.store(tx, &temwen.policy, case).await?;
        stored = true;
        let location = format!("/v1/cases/{case}/evidence/{}", evidence.row.id);
        Ok(Created::new(EvidenceView::from(evidence)).at(location).within(matter))
    })
    .await;
    if !stored {
        // It was made before, or may not be made.
        temwen.evidence.clear(copy.id(), &[]).await?;
    }
    answer
}
