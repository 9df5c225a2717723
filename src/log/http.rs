//! The log over HTTP: everybody may read and check it.

use actix_web::http::header::{self, ContentEncoding};
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::auth::policy::{self, Action};
use crate::error::{Error, Result};
use crate::http::extract::{SignedIn, Stranger};
use crate::http::problem::Refusal;
use crate::temwen::Temwen;
use crate::tlog;

const TEXT: &str = "text/plain; charset=utf-8";
/// What was signed never changes: whoever fetched it need not ask again.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// A newer one may be there in a second.
const FOR_A_MOMENT: &str = "public, max-age=1";

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(read_checkpoint)
        .service(read_key)
        .service(read_bundle_among_tiles)
        .service(read_bundle)
        .service(read_tile)
        .configure(super::auditors_http::routes)
        .configure(super::export_http::routes);
}

/// Read the log's newest checkpoint: how many entries it holds, and the root of their tree, signed.
///
/// A C2SP `tlog-checkpoint` with the cosignatures of outside witnesses. Keep one, and nobody can ever show you another past.
#[utoipa::path(tag = "log", security(()), responses((status = 200, body = String, content_type = "text/plain", description = "The signed checkpoint"), Refusal))]
#[get("/log/checkpoint")]
async fn read_checkpoint(temwen: Data<Temwen>, caller: Stranger) -> Result<HttpResponse> {
    let text = super::checkpoint(&temwen, &caller.0).await?.ok_or_else(|| Error::unavailable(1))?;
    Ok(HttpResponse::Ok().content_type(TEXT).insert_header((header::CACHE_CONTROL, FOR_A_MOMENT)).body(text))
}

/// Read the key that the log's checkpoints are checked with.
///
/// A note verifier key as one line of text; more lines are older keys that still sign. Get it a second time by another way,
/// such as on paper: who gives you a false log can give you a false key.
#[utoipa::path(tag = "log", security(()), responses((status = 200, body = String, content_type = "text/plain", description = "The verifier key"), Refusal))]
#[get("/log/key")]
async fn read_key(temwen: Data<Temwen>) -> HttpResponse {
    let keys: Vec<String> = temwen.keys.log_verifiers().iter().map(|key| format!("{key}\n")).collect();
    HttpResponse::Ok().content_type(TEXT).body(keys.concat())
}

/// Read a tile of the log's tree: up to 256 hashes.
///
/// C2SP `tlog-tiles`: `index` is written in groups of three digits, such as `x001/234`, and ends in `.p/` and a width where a
/// tile is not full. Hashes tell nothing of what they are of.
#[utoipa::path(tag = "log", security(()),
    params(("level" = String, Path, description = "0 for the leaves, and so on upwards", example = "0"),
        ("index" = String, Path, description = "Which tile of that level", example = "000.p/1")),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream", description = "Hashes of 32 bytes each"), Refusal))]
#[get("/log/tile/{level}/{index:.*}")]
async fn read_tile(
    temwen: Data<Temwen>,
    caller: Stranger,
    path: Path<(String, String)>,
) -> Result<HttpResponse> {
    let (level, index) = path.into_inner();
    let (id, width) = tlog::parse_path(&level, &index).map_err(|_| Error::not_found())?;
    let hashes = super::tile(&temwen, &caller.0, id, width).await?.ok_or_else(Error::not_found)?;
    Ok(bytes(hashes, FOR_EVER))
}

/// Read a bundle of entries, as an auditor.
///
/// C2SP `tlog-tiles`: the leaves of a tile of level 0, each after its length in two bytes. That you read them is recorded.
#[utoipa::path(tag = "log", security(("token" = [])),
    params(("index" = String, Path, description = "Which bundle, as a tile of level 0 is named", example = "000.p/1")),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream", description = "Entries, each after its length"), Refusal))]
#[get("/log/entries/{index:.*}")]
async fn read_bundle(temwen: Data<Temwen>, caller: SignedIn, index: Path<String>) -> Result<HttpResponse> {
    bundle(&temwen, &caller, &index).await
}

/// Read a bundle of entries, as an auditor, at the address that tools expect.
///
/// The same as `/v1/log/entries/{index}`, where C2SP `tlog-tiles` has it.
#[utoipa::path(tag = "log", security(("token" = [])),
    params(("index" = String, Path, description = "Which bundle, as a tile of level 0 is named", example = "000.p/1")),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream", description = "Entries, each after its length"), Refusal))]
#[get("/log/tile/entries/{index:.*}")]
async fn read_bundle_among_tiles(
    temwen: Data<Temwen>,
    caller: SignedIn,
    index: Path<String>,
) -> Result<HttpResponse> {
    bundle(&temwen, &caller, &index).await
}

async fn bundle(temwen: &Temwen, caller: &SignedIn, index: &str) -> Result<HttpResponse> {
    if !policy::allows(&caller.0.actor, Action::Audit) {
        return Err(Error::forbidden());
    }
    let (index, width) = tlog::parse_index(index).map_err(|_| Error::not_found())?;
    let bundle = super::bundle(temwen, &caller.0, index, width).await?.ok_or_else(Error::not_found)?;
    // Kept by nobody, unlike tiles: the next to use that client may be no auditor, or no longer.
    Ok(HttpResponse::Ok().content_type("application/octet-stream").body(bundle))
}

fn bytes(hashes: Vec<u8>, keep: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/octet-stream")
        .insert_header((header::CACHE_CONTROL, keep))
        .insert_header(ContentEncoding::Identity)
        .body(hashes)
}
