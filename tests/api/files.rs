//! Files for tests, and how they are given.

use std::path::PathBuf;

use actix_http::Payload;
use actix_http::error::PayloadError;
use actix_web::http::Method;
use actix_web::test::TestRequest;
use actix_web::web::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use temwen::auth::Role;

use crate::fixtures::{case_from, complaint, id};
use crate::harness::{Answer, Caller, TestApp, postgres};

/// Bytes that do not repeat themselves soon.
pub fn bytes(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |all, byte| all + &format!("{byte:02x}"))
}

pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// A JPEG with EXIF that names a place and a camera.
pub fn photo() -> Vec<u8> {
    let mut file = vec![0xFF, 0xD8];
    let mut part = |marker: u8, contents: &[u8]| {
        file.extend_from_slice(&[0xFF, marker]);
        file.extend_from_slice(&u16::try_from(contents.len() + 2).unwrap().to_be_bytes());
        file.extend_from_slice(contents);
    };
    part(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
    let mut exif = b"Exif\0\0II\x2a\0\x08\0\0\0\x01\0\x25\x88\x04\0\x01\0\0\0\x1a\0\0\0\0\0\0\0".to_vec();
    exif.extend_from_slice(b"SERIAL-OF-THE-CAMERA");
    part(0xE1, &exif);
    part(0xDB, &[0; 65]);
    file.extend_from_slice(&[0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0, 0x12, 0x34, 0x56, 0xFF, 0xD9]);
    file
}

/// What is said of a file, as the protocol writes it.
pub fn metadata(pairs: &[(&str, &str)]) -> String {
    pairs.iter().map(|(key, value)| format!("{key} {}", STANDARD.encode(value))).collect::<Vec<_>>().join(",")
}

/// A request of the protocol.
pub fn tus(caller: &Caller<'_>, method: Method, path: &str) -> TestRequest {
    caller.request(method, path).insert_header(("Tus-Resumable", "1.0.0"))
}

/// Begins an upload.
pub async fn begin(caller: &Caller<'_>, at: &str, length: usize, said: &str) -> Answer {
    let request = tus(caller, Method::POST, at).insert_header(("Upload-Length", length.to_string()));
    caller.send(request.insert_header(("Upload-Metadata", said))).await
}

/// A PATCH with these bytes, to be changed before it is sent.
pub fn patch(caller: &Caller<'_>, at: &str, offset: usize, bytes: &[u8]) -> TestRequest {
    tus(caller, Method::PATCH, at)
        .insert_header(("Upload-Offset", offset.to_string()))
        .insert_header(("Content-Type", "application/offset+octet-stream"))
        .set_payload(bytes.to_vec())
}

/// Sends bytes of a file.
pub async fn send(caller: &Caller<'_>, at: &str, offset: usize, bytes: &[u8]) -> Answer {
    caller.send(patch(caller, at, offset, bytes)).await
}

/// Sends bytes of a file in pieces, after which the request ends, or breaks off.
pub async fn send_pieces(
    caller: &Caller<'_>,
    at: &str,
    offset: usize,
    pieces: Vec<Vec<u8>>,
    breaks: bool,
) -> Answer {
    let request = patch(caller, at, offset, b"").to_request();
    let end = breaks.then_some(Err(PayloadError::Incomplete(None)));
    let pieces = pieces.into_iter().map(|piece| Ok(Bytes::from(piece))).chain(end);
    let payload: Payload = Payload::Stream { payload: Box::pin(stream::iter(pieces.collect::<Vec<_>>())) };
    caller.send_request(request.replace_payload(payload).0).await
}

/// Where an upload was begun.
pub fn location(answer: &Answer) -> String {
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.header("location").unwrap().to_owned()
}

/// Gives a whole file; its id.
pub async fn give(caller: &Caller<'_>, at: &str, file: &[u8], said: &str) -> String {
    let upload = location(&begin(caller, at, file.len(), said).await);
    let answer = send(caller, &upload, 0, file).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    upload.rsplit('/').next().unwrap().to_owned()
}

/// A case and an investigator who works on it.
pub async fn investigated(app: &TestApp) -> (String, Caller<'_>, Caller<'_>) {
    let triage = app.signed_in(Role::TriageOfficer).await;
    let case = case_from(&triage, complaint(), "minor_misconduct").await;
    let case = id(&case).to_owned();
    let investigator = app.signed_in(Role::Investigator).await;
    assign(&triage, &case, &investigator, 1).await;
    (case, triage, investigator)
}

/// Sets an investigator to work on a case.
pub async fn assign(triage: &Caller<'_>, case: &str, investigator: &Caller<'_>, version: i64) -> Value {
    let body = json!({"user_id": investigator.id.unwrap().uuid(), "role": "investigator", "conflict_declared": false});
    triage.post_seen(&format!("/v1/cases/{case}/assignments"), version, body).await.expect(200)
}

/// The directory of a test's evidence.
pub fn directory(app: &TestApp) -> PathBuf {
    postgres().data_dir.join("blobs").join(&app.connect.database).join("evidence")
}

/// Every object that is kept: its path and its bytes.
pub fn objects(app: &TestApp) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for folder in std::fs::read_dir(directory(app)).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            found.push((path.clone(), std::fs::read(path).unwrap()));
        }
    }
    found.sort();
    found
}
