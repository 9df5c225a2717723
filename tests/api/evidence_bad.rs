//! Files that lie, clients that stumble, and requests that want too much.

use actix_web::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::files::{
    begin, bytes, give, investigated, location, metadata, objects, patch, photo, send, send_pieces, sha256,
    tus,
};
use crate::fixtures::{complaint, submitted};
use crate::harness::TestApp;

#[actix_web::test]
async fn a_file_that_lies_about_its_hash_is_refused_and_leaves_nothing() {
    let app = TestApp::start().await;
    let (case, _, investigator) = investigated(&app).await;
    let at = format!("/v1/cases/{case}/evidence");
    let said = metadata(&[("sha256", &sha256(b"another file"))]);
    for parts in [1, 2] {
        let upload = location(&begin(&investigator, &format!("{at}/uploads"), 10, &said).await);
        let file = b"0123456789";
        if parts == 2 {
            assert_eq!(send(&investigator, &upload, 0, &file[..5]).await.status, 204);
        }
        let from = if parts == 2 { 5 } else { 0 };
        let refused = send(&investigator, &upload, from, &file[from..]).await;
        refused.refused(422, "invalid-request");
        assert_eq!(refused.faults(), ["Upload-Metadata/sha256"]);
        send(&investigator, &upload, 0, b"0123456789").await.refused(410, "expired");
    }
    assert_eq!(investigator.get(&at).await.expect(200)["items"], json!([]));
    assert_eq!(objects(&app), []);
    assert_eq!(app.count("select 1 from audit_entries where action = 'evidence.refused'").await, 2);
}

#[actix_web::test]
async fn a_file_that_lies_about_its_size_is_refused() {
    let app = TestApp::start().await;
    let (case, _, investigator) = investigated(&app).await;
    let at = format!("/v1/cases/{case}/evidence/uploads");
    let upload = location(&begin(&investigator, &at, 10, "").await);
    // Said beforehand, and not said beforehand.
    let request = patch(&investigator, &upload, 0, &bytes(11)).insert_header(("Content-Length", "11"));
    investigator.send(request).await.refused(413, "too-large");
    send_pieces(&investigator, &upload, 0, vec![bytes(8), bytes(8)], false).await.refused(413, "too-large");
    let head = investigator.send(tus(&investigator, Method::HEAD, &upload)).await;
    assert_eq!(head.header("upload-offset"), Some("0"), "nothing of a lie is kept");
    assert_eq!(send(&investigator, &upload, 0, &bytes(10)).await.status, 204);
    // Larger than any file may be; and numbers that are none.
    begin(&investigator, &at, 64 * 1024 * 1024 + 1, "").await.refused(413, "too-large");
    for odd in ["0", "-1", "1e3", "99999999999999999999999", "", "0x10", "+10"] {
        let request = tus(&investigator, Method::POST, &at).insert_header(("Upload-Length", odd));
        investigator.send(request).await.refused(422, "invalid-request");
    }
    let answer = investigator.send(tus(&investigator, Method::POST, &at)).await;
    assert_eq!(answer.faults(), ["Upload-Length"]);
}

#[actix_web::test]
async fn a_file_that_lies_about_its_type_is_listed_as_such_and_never_served_as_claimed() {
    let app = TestApp::start().await;
    let (case, _, investigator) = investigated(&app).await;
    let at = |rest: &str| format!("/v1/cases/{case}/evidence{rest}");
    let page = b"<!DOCTYPE html><script>alert(1)</script>";
    let said = metadata(&[("filename", "photo.jpg"), ("filetype", "image/jpeg")]);
    let evidence = give(&investigator, &at("/uploads"), page, &said).await;
    let file = investigator.get(&at(&format!("/{evidence}"))).await.expect(200);
    assert!(file["risks"].as_array().unwrap().contains(&json!("another_type")), "{file}");
    assert_eq!(file["claimed_media_type"], "image/jpeg");
    let path = at(&format!("/{evidence}/content"));
    let (_, headers, _) = investigator.bytes(investigator.request(Method::GET, &path)).await;
    assert!(headers.contains(&("content-type".to_owned(), "application/octet-stream".to_owned())));
    assert!(
        headers.iter().any(|(name, value)| name == "content-disposition" && value.starts_with("attachment;"))
    );
}

#[actix_web::test]
async fn a_name_is_never_a_path_and_never_in_the_clear() {
    let app = TestApp::start().await;
    let (case, _, investigator) = investigated(&app).await;
    let at = |rest: &str| format!("/v1/cases/{case}/evidence{rest}");
    for (said, name) in [
        ("../../../etc/cron.d/x", "x"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/", "file"),
        ("a\r\nSet-Cookie: x", "aSet-Cookie x"),
        ("\u{202E}gpj.exe", "gpj.exe"),
    ] {
        let evidence = give(&investigator, &at("/uploads"), b"x", &metadata(&[("filename", said)])).await;
        let file = investigator.get(&at(&format!("/{evidence}"))).await.expect(200);
        assert_eq!(file["name"], name, "{said:?}");
    }
    for (path, _) in objects(&app) {
        let names: Vec<_> = path.iter().rev().take(2).map(|part| part.to_str().unwrap()).collect();
        assert!(names.iter().all(|name| uuid::Uuid::parse_str(name).is_ok()), "{names:?}");
    }
    for bad in
        ["filename !!!", "owner cm9vdA==", "sha256 eA==", "filetype eA==", "supersedes eA==", "filename /w=="]
    {
        let answer = begin(&investigator, &at("/uploads"), 5, bad).await;
        assert_eq!(answer.status, 422, "{bad} {}", answer.text);
    }
    let long = format!("filename {}", STANDARD.encode("x".repeat(5000)));
    assert_eq!(begin(&investigator, &at("/uploads"), 5, &long).await.status, 422);
    let unknown = metadata(&[("supersedes", "0199c0de-0000-7000-8000-00000000dead")]);
    begin(&investigator, &at("/uploads"), 5, &unknown).await.refused(422, "invalid-request");
}

#[actix_web::test]
async fn clients_that_stumble_over_the_protocol_hear_where() {
    let app = TestApp::start().await;
    let (case, _, investigator) = investigated(&app).await;
    let at = format!("/v1/cases/{case}/evidence/uploads");
    let upload = location(&begin(&investigator, &at, 10, "").await);
    // The version.
    for version in [None, Some("0.2.2"), Some("1.0.0, 1.0.0")] {
        let mut request = investigator.request(Method::HEAD, &upload);
        if let Some(version) = version {
            request = request.insert_header(("Tus-Resumable", version));
        }
        let answer = investigator.send(request).await;
        assert_eq!((answer.status, answer.header("tus-version")), (412, Some("1.0.0")), "{version:?}");
    }
    // The offset.
    send(&investigator, &upload, 3, b"x").await.refused(409, "wrong-moment");
    for odd in ["", "-1", "zero", "99999999999999999999999"] {
        let request = patch(&investigator, &upload, 0, b"x").insert_header(("Upload-Offset", odd));
        assert_eq!(investigator.send(request).await.status, 422, "{odd:?}");
    }
    // The media type.
    let request = patch(&investigator, &upload, 0, b"x").insert_header(("Content-Type", "application/json"));
    investigator.send(request).await.refused(415, "unsupported-media");
    // A checksum: a wrong one keeps nothing, a right one all.
    let sum = |bytes: &[u8]| format!("sha256 {}", STANDARD.encode(Sha256::digest(bytes)));
    let request =
        patch(&investigator, &upload, 0, b"01234").insert_header(("Upload-Checksum", sum(b"other")));
    investigator.send(request).await.refused(460, "checksum-mismatch");
    for odd in ["md5 eA==", "sha256", "sha256 eA==", "sha256 !"] {
        let request = patch(&investigator, &upload, 0, b"x").insert_header(("Upload-Checksum", odd));
        assert_eq!(investigator.send(request).await.status, 422, "{odd:?}");
    }
    let head = investigator.send(tus(&investigator, Method::HEAD, &upload)).await;
    assert_eq!(head.header("upload-offset"), Some("0"));
    assert_eq!(objects(&app), [], "what was not kept is not there");
    let request =
        patch(&investigator, &upload, 0, b"01234").insert_header(("Upload-Checksum", sum(b"01234")));
    assert_eq!(investigator.send(request).await.status, 204);
    // Bytes with the beginning, and too many beginnings.
    let request = tus(&investigator, Method::POST, &at).insert_header(("Upload-Length", "5"));
    investigator.send(request.insert_header(("Content-Length", "5"))).await.refused(400, "malformed");
    for _ in 0..15 {
        location(&begin(&investigator, &at, 5, "").await);
    }
    begin(&investigator, &at, 5, "").await.refused(409, "wrong-moment");
    // The whole, and then more of it.
    assert_eq!(send(&investigator, &upload, 5, b"56789").await.status, 204);
    send(&investigator, &upload, 10, b"").await.refused(409, "wrong-moment");
    investigator.send(tus(&investigator, Method::DELETE, &upload)).await.refused(409, "wrong-moment");
    // Nothing that is somewhere.
    for nowhere in [format!("{at}/0199c0de-0000-7000-8000-00000000dead"), format!("{at}/..%2f..%2fetc")] {
        assert_eq!(investigator.send(tus(&investigator, Method::HEAD, &nowhere)).await.status, 404);
    }
}

#[actix_web::test]
async fn of_two_that_send_the_same_bytes_one_is_heard() {
    let app = TestApp::start().await;
    let (case, _, investigator) = investigated(&app).await;
    let upload =
        location(&begin(&investigator, &format!("/v1/cases/{case}/evidence/uploads"), 3_000_000, "").await);
    let (one, other) = (bytes(2_000_000), vec![7; 2_000_000]);
    let pieces = |bytes: &[u8]| bytes.chunks(50_000).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let (first, second) = futures_util::join!(
        send_pieces(&investigator, &upload, 0, pieces(&one), false),
        send_pieces(&investigator, &upload, 0, pieces(&other), false)
    );
    let mut both = [first.status, second.status];
    both.sort_unstable();
    assert_eq!(both, [204, 409], "{} {}", first.text, second.text);
    assert_eq!(objects(&app).len(), 1, "what was not heard is not there");
    let kept = if first.status == 204 { one } else { other };
    assert_eq!(send(&investigator, &upload, 2_000_000, &bytes(1_000_000)).await.status, 204);
    let path = upload.replace("/uploads", "") + "/content";
    let (_, _, body) = investigator.bytes(investigator.request(Method::GET, &path)).await;
    assert!(body.unwrap() == [kept, bytes(1_000_000)].concat());
}

#[actix_web::test]
async fn a_full_disk_is_said_and_the_upload_goes_on_when_there_is_room() {
    let app = TestApp::start().await;
    let (case, _, investigator) = investigated(&app).await;
    let at = format!("/v1/cases/{case}/evidence/uploads");
    let file = bytes(1000);
    let upload =
        location(&begin(&investigator, &at, file.len(), &metadata(&[("sha256", &sha256(&file))])).await);
    assert_eq!(send(&investigator, &upload, 0, &file[..400]).await.status, 204);
    app.temwen.evidence.leave_free(u64::MAX / 2);
    let full = send(&investigator, &upload, 400, &file[400..]).await;
    full.refused(507, "no-room");
    assert_eq!(full.header("retry-after"), Some("60"));
    app.temwen.evidence.leave_free(0);
    let head = investigator.send(tus(&investigator, Method::HEAD, &upload)).await;
    assert_eq!(head.header("upload-offset"), Some("400"));
    assert_eq!(send(&investigator, &upload, 400, &file[400..]).await.status, 204);
}

#[actix_web::test]
async fn what_somebody_tells_of_a_file_is_checked() {
    let app = TestApp::start().await;
    let (case, _, investigator) = investigated(&app).await;
    let at = |rest: &str| format!("/v1/cases/{case}/evidence{rest}");
    let evidence = give(&investigator, &at("/uploads"), &photo(), "").await;
    let custody = at(&format!("/{evidence}/custody"));
    for (body, status) in [
        (json!({"kind": "viewed"}), 422),
        (json!({"kind": "verified"}), 422),
        (json!({"kind": "stolen"}), 422),
        (json!({"kind": "copied", "actor_id": "0199c0de-0000-7000-8000-00000000dead"}), 422),
        (json!({"kind": "copied", "happened_at": "2099-01-01T00:00:00Z"}), 422),
        (json!({"kind": "copied", "place": ""}), 422),
        (json!({"kind": "copied", "note": "x".repeat(5000)}), 422),
        (json!({"kind": "copied", "happened_at": "2026-03-02T13:00:00Z"}), 201),
    ] {
        let answer = investigator.post(&custody, body.clone()).await;
        assert_eq!(answer.status, status, "{body} {}", answer.text);
    }
}

#[actix_web::test]
async fn a_reporter_may_not_say_that_a_file_takes_the_place_of_another() {
    let app = TestApp::start().await;
    let reporter = app.reporter(&submitted(&app, complaint()).await).await;
    let said = metadata(&[("supersedes", "0199c0de-0000-7000-8000-00000000dead")]);
    begin(&reporter, "/v1/reporter/evidence", 5, &said).await.refused(422, "invalid-request");
    let answer = app.anyone().get("/v1/reporter/evidence").await;
    answer.refused(401, "unauthenticated");
}
