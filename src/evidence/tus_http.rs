//! The tus protocol, version 1.0.0, as this server speaks it: core, creation, expiration, checksum and termination
//! (<https://tus.io/protocols/resumable-upload>). Officers and reporters speak it alike.

use std::time::Duration;

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use serde::Serialize;
use tokio::time::timeout;
use tracing::Instrument as _;
use utoipa::ToSchema;
use uuid::Uuid;

use super::arriving::{Arriving, Checksum};
use super::uploads::{self, Announced};
use super::{Given, Home, Row, unhex};
use crate::db::Caller;
use crate::error::{Error, Kind, Result};
use crate::http::extract::single;
use crate::http::idempotency::{self, Created, IdempotencyKey};
use crate::temwen::Temwen;
use crate::values::{EvidenceId, Faults};

const VERSION: &str = "1.0.0";
const EXTENSIONS: &str = "creation,expiration,checksum,termination";
const CHECKSUMS: &str = "sha256,sha1";
const BYTES: &str = "application/offset+octet-stream";
/// How long a client may be silent in the middle of a request.
const SILENCE: Duration = Duration::from_secs(30);
/// The most characters of a file's name.
const NAME: usize = 200;
/// The most bytes of what is said of a file.
const METADATA: usize = 4096;

const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
const TUS_MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
const TUS_CHECKSUMS: HeaderName = HeaderName::from_static("tus-checksum-algorithm");
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
const UPLOAD_CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");

/// An upload.
#[derive(Serialize, ToSchema)]
pub(super) struct UploadView {
    #[schema(value_type = Uuid)]
    id: EvidenceId,
    /// How many bytes the file has.
    size: i64,
    /// How many of them are there.
    offset: i64,
    /// Until when it is to go on.
    expires_at: DateTime<Utc>,
}

impl From<&Row> for UploadView {
    fn from(row: &Row) -> Self {
        Self { id: row.id, size: row.size, offset: row.arrived, expires_at: row.expires_at }
    }
}

/// Every answer says which version was spoken, also a refusal.
pub(super) fn spoken(outcome: Result<HttpResponse>) -> HttpResponse {
    let mut response = match outcome {
        Ok(response) => response,
        Err(error) => {
            let mut response = error.error_response();
            if error.kind() == Kind::TusVersion {
                response.headers_mut().insert(TUS_VERSION, HeaderValue::from_static(VERSION));
            }
            response
        }
    };
    response.headers_mut().insert(TUS_RESUMABLE, HeaderValue::from_static(VERSION));
    response
}

fn version(request: &HttpRequest) -> Result<()> {
    match single(request, &TUS_RESUMABLE)?.as_deref() {
        Some(VERSION) => Ok(()),
        _ => Err(Error::new(Kind::TusVersion, "this server speaks version 1.0.0 of the tus protocol")),
    }
}

/// A whole number of a header: digits alone.
fn number(request: &HttpRequest, name: &HeaderName) -> Result<Option<u64>> {
    let Some(text) = single(request, name)? else { return Ok(None) };
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits);
    number.map(Some).ok_or_else(|| Error::fault(name.as_str(), "must be a whole number"))
}

fn expires(headers: &mut HeaderMap, at: DateTime<Utc>) {
    // As HTTP writes a date (RFC 9110 section 5.6.7).
    let date = at.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(value) = HeaderValue::from_str(&date) {
        headers.insert(UPLOAD_EXPIRES, value);
    }
}

/// What this server can do.
pub(super) fn options(temwen: &Temwen) -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((TUS_VERSION, VERSION))
        .insert_header((TUS_EXTENSION, EXTENSIONS))
        .insert_header((TUS_CHECKSUMS, CHECKSUMS))
        .insert_header((TUS_MAX_SIZE, temwen.evidence.largest().to_string()))
        .finish()
}

/// Begins an upload; `at` is the address below which it will be found.
pub(super) async fn create(
    temwen: &Temwen,
    caller: &Caller,
    home: Home,
    at: &str,
    key: &IdempotencyKey,
    request: &HttpRequest,
) -> Result<HttpResponse> {
    version(request)?;
    let announced = announced(request, temwen.evidence.largest())?;
    let said = format!("{announced:?}");
    let id = match home {
        Home::Case(case) => case.uuid(),
        Home::Complaint(complaint) => complaint.uuid(),
    };
    let mut until = None;
    let work = async |tx: &mut _| {
        let most = temwen.evidence.largest();
        let (row, matter) = uploads::begin(tx, &temwen.policy, home, &announced, most).await?;
        until = Some(row.expires_at);
        let location = format!("{at}/{}", row.id);
        Ok(Created::new(UploadView::from(&row)).at(location).within(matter))
    };
    let mut response =
        idempotency::once(temwen, caller, "evidence.begin", &key.at(id), said.as_bytes(), work).await?;
    if let Some(until) = until {
        expires(response.headers_mut(), until);
    }
    Ok(response)
}

/// What is said of a file that is to come.
fn announced(request: &HttpRequest, most: u64) -> Result<Announced> {
    if single(request, &header::CONTENT_LENGTH)?.is_some_and(|length| length != "0") {
        return Err(Error::new(Kind::Malformed, "an upload begins without bytes; send them with PATCH"));
    }
    let size = number(request, &UPLOAD_LENGTH)?;
    let said = single(request, &UPLOAD_METADATA)?.unwrap_or_default();
    let mut faults = Faults::default();
    let size = size.unwrap_or_default();
    if size == 0 {
        faults.add("Upload-Length", "must say how many bytes the file has, at least 1");
    }
    if size > most {
        return Err(Error::new(Kind::TooLarge, format!("a file may have at most {most} bytes")));
    }
    if said.len() > METADATA {
        faults.add("Upload-Metadata", "must be at most 4096 bytes");
        return Err(faults.check().err().unwrap_or_else(Error::not_found));
    }
    let (mut name, mut media, mut sha256, mut supersedes) = (None, None, None, None);
    for pair in said.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
        let pointer = match key {
            "filename" | "name" => "Upload-Metadata/filename",
            "filetype" | "type" => "Upload-Metadata/filetype",
            "sha256" => "Upload-Metadata/sha256",
            "supersedes" => "Upload-Metadata/supersedes",
            _ => {
                faults.add(
                    "Upload-Metadata",
                    "may say filename, filetype, sha256 and supersedes, and nothing else",
                );
                continue;
            }
        };
        let text = STANDARD.decode(value.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let Some(text) = faults.take(pointer, text.ok_or("must be UTF-8 in base64")) else { continue };
        match pointer {
            "Upload-Metadata/filename" => name = Some(plain_name(&text)),
            "Upload-Metadata/filetype" => media = faults.take(pointer, media_type(&text)),
            "Upload-Metadata/sha256" => {
                let digits = unhex(&text).map(|_| text.to_ascii_lowercase());
                sha256 = faults.take(pointer, digits.ok_or("must be 64 hexadecimal digits"));
            }
            _ => {
                let id = Uuid::parse_str(&text).map_err(|_| "must be the id of a file");
                supersedes = faults.take(pointer, id);
            }
        }
    }
    faults.check()?;
    let given = Given { name: name.unwrap_or_else(|| plain_name("")), media, sha256 };
    Ok(Announced { given, size, supersedes: supersedes.map(EvidenceId::from) })
}

/// A media type without parameters, in small letters.
fn media_type(text: &str) -> std::result::Result<String, &'static str> {
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let token = |part: &str| {
        !part.is_empty()
            && part.len() <= 100
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    match essence.split_once('/') {
        Some((kind, rest)) if token(kind) && token(rest) => Ok(essence),
        _ => Err("must be a media type, such as image/jpeg"),
    }
}

/// The last part of a name, without what could be taken for a path, for a command, or for another name than it is.
fn plain_name(text: &str) -> String {
    let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
    let harmless = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
            && !matches!(c, ':' | '*' | '?' | '"' | '<' | '>' | '|')
    };
    let name: String = last.chars().filter(harmless).collect();
    let name: String =
        name.trim_matches(|c: char| c == '.' || c.is_whitespace()).chars().take(NAME).collect();
    if name.is_empty() { "file".to_owned() } else { name }
}

/// Where an upload stands.
pub(super) async fn head(
    temwen: &Temwen,
    caller: &Caller,
    home: Home,
    id: EvidenceId,
    request: &HttpRequest,
) -> Result<HttpResponse> {
    version(request)?;
    let row = uploads::standing(temwen, caller, home, id).await?;
    let mut response = HttpResponse::Ok()
        .insert_header((UPLOAD_OFFSET, row.arrived.to_string()))
        .insert_header((UPLOAD_LENGTH, row.size.to_string()))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish();
    if row.arrived < row.size {
        expires(response.headers_mut(), row.expires_at);
    }
    Ok(response)
}

/// Goes on with an upload.
pub(super) async fn patch(
    temwen: &Temwen,
    caller: &Caller,
    home: Home,
    id: EvidenceId,
    request: &HttpRequest,
    payload: Payload,
) -> Result<HttpResponse> {
    version(request)?;
    if single(request, &header::CONTENT_TYPE)?.as_deref() != Some(BYTES) {
        return Err(Error::new(Kind::UnsupportedMedia, format!("the body must be {BYTES}")));
    }
    let offset = number(request, &UPLOAD_OFFSET)?
        .ok_or_else(|| Error::fault("Upload-Offset", "must say where these bytes begin"))?;
    let length = number(request, &header::CONTENT_LENGTH)?;
    let checksum = single(request, &UPLOAD_CHECKSUM)?.map(|text| checksum(&text)).transpose()?;
    let arriving = Arriving::at(temwen, caller, home, id, offset, checksum).await?;
    if length.is_some_and(|length| length > arriving.room()) {
        return Err(Error::new(Kind::TooLarge, "these are more bytes than the file was said to have"));
    }
    // On a task of its own: when the client is gone, what arrived is still kept.
    let work = receive(arriving, payload).in_current_span();
    let row = actix_web::rt::spawn(work).await.map_err(Error::internal)??;
    let mut response =
        HttpResponse::NoContent().insert_header((UPLOAD_OFFSET, row.arrived.to_string())).finish();
    if row.arrived < row.size {
        expires(response.headers_mut(), row.expires_at);
    }
    Ok(response)
}

/// Takes the bytes of one request.
async fn receive(mut arriving: Arriving, mut payload: Payload) -> Result<Row> {
    loop {
        match timeout(SILENCE, payload.next()).await {
            Ok(Some(Ok(bytes))) => {
                if let Err(error) = arriving.take(&bytes).await {
                    if error.kind() == Kind::TooLarge {
                        arriving.give_back().await;
                    } else if let Err(second) = arriving.break_off().await {
                        tracing::warn!(error = %second, "what arrived could not be kept either");
                    }
                    return Err(error);
                }
            }
            Ok(None) => return arriving.end().await,
            Ok(Some(Err(_))) | Err(_) => {
                arriving.break_off().await?;
                return Err(Error::new(
                    Kind::Malformed,
                    "the body broke off; ask for the offset, and go on from there",
                ));
            }
        }
    }
}

fn checksum(text: &str) -> Result<Checksum> {
    let bad = || Error::fault("Upload-Checksum", "must be sha256 or sha1, a space, and the hash in base64");
    let (name, value) = text.split_once(' ').ok_or_else(bad)?;
    let algorithm = match name {
        "sha256" => &SHA256,
        // The protocol asks of every server that it knows this one.
        "sha1" => &SHA1_FOR_LEGACY_USE_ONLY,
        _ => return Err(bad()),
    };
    let expected = STANDARD.decode(value.trim()).map_err(|_| bad())?;
    if expected.len() == algorithm.output_len() { Ok(Checksum { algorithm, expected }) } else { Err(bad()) }
}

/// Ends an upload that is not wanted any more.
pub(super) async fn terminate(
    temwen: &Temwen,
    caller: &Caller,
    home: Home,
    id: EvidenceId,
    request: &HttpRequest,
) -> Result<HttpResponse> {
    version(request)?;
    uploads::give_up(temwen, caller, home, id).await?;
    Ok(HttpResponse::NoContent().finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_a_path() {
        for (said, name) in [
            ("photo.jpg", "photo.jpg"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\x\\photo.jpg", "photo.jpg"),
            ("..", "file"),
            ("", "file"),
            (".bashrc", "bashrc"),
            ("a\0b\r\nc.jpg", "abc.jpg"),
            ("gpj.\u{202E}exe", "gpj.exe"),
            ("a\"b;c.jpg", "ab;c.jpg"),
            ("foto nan mache a é.jpg", "foto nan mache a é.jpg"),
        ] {
            assert_eq!(plain_name(said), name, "{said:?}");
        }
        assert_eq!(plain_name(&"é".repeat(999)).chars().count(), NAME);
    }

    #[test]
    fn a_media_type_is_one() {
        assert_eq!(media_type("Image/JPEG; q=1").unwrap(), "image/jpeg");
        for bad in ["", "image", "image/", "/jpeg", "a b/c", "image/jp\neg"] {
            assert!(media_type(bad).is_err(), "{bad:?}");
        }
    }
}
