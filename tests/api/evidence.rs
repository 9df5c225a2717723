//! Files: given, listed, handed out, copied without metadata, and who had them when.

use actix_web::http::Method;
use chrono::TimeDelta;
use serde_json::json;
use temwen::auth::Role;

use crate::files::{
    begin, bytes, give, investigated, location, metadata, objects, patch, photo, send, send_pieces, sha256,
    tus,
};
use crate::fixtures::{complaint, id, submitted};
use crate::harness::TestApp;

const MIB: usize = 1024 * 1024;

#[actix_web::test]
async fn a_file_is_given_listed_and_handed_out_and_everybody_who_had_it_is_in_its_chain() {
    let app = TestApp::start().await;
    let (case, triage, investigator) = investigated(&app).await;
    let at = |rest: &str| format!("/v1/cases/{case}/evidence{rest}");
    let file = photo();
    let said = metadata(&[
        ("filename", "../../mache a.jpg"),
        ("filetype", "image/jpeg"),
        ("sha256", &sha256(&file)),
    ]);
    let options = investigator.send(tus(&investigator, Method::OPTIONS, &at("/uploads"))).await;
    assert_eq!(options.status, 204, "{}", options.text);
    assert_eq!(options.header("tus-version"), Some("1.0.0"));
    assert_eq!(options.header("tus-extension"), Some("creation,expiration,checksum,termination"));
    assert_eq!(options.header("tus-max-size"), Some("67108864"));

    let begun = begin(&investigator, &at("/uploads"), file.len(), &said).await;
    assert_eq!(begun.header("tus-resumable"), Some("1.0.0"));
    assert!(begun.header("upload-expires").unwrap().ends_with(" GMT"));
    let upload = location(&begun);
    // Nobody else's list shows what is half-way, and nobody else goes on with it.
    assert_eq!(triage.get(&at("")).await.expect(200)["items"], json!([]));
    assert_eq!(triage.send(tus(&triage, Method::HEAD, &upload)).await.status, 404);
    let first = send(&investigator, &upload, 0, &file[..50]).await;
    assert_eq!((first.status, first.header("upload-offset")), (204, Some("50")));
    let head = investigator.send(tus(&investigator, Method::HEAD, &upload)).await;
    assert_eq!((head.status, head.header("upload-offset")), (200, Some("50")));
    assert_eq!(head.header("cache-control"), Some("no-store"));
    assert_eq!(send(&investigator, &upload, 50, &file[50..]).await.status, 204);

    let list = triage.get(&at("")).await.expect(200);
    let kept = &list["items"][0];
    assert_eq!(kept["name"], "mache a.jpg");
    assert_eq!(kept["media_type"], "image/jpeg");
    assert_eq!(kept["sha256"], sha256(&file));
    assert_eq!(kept["size"], file.len());
    assert_eq!(kept["risks"], json!(["location", "camera"]));
    assert_eq!(kept["uploaded_by"], investigator.id.unwrap().to_string());
    let evidence = id(kept).to_owned();
    assert_eq!(triage.get(&at(&format!("/{evidence}"))).await.expect(200), *kept);

    let content = at(&format!("/{evidence}/content"));
    let (status, headers, body) = triage.bytes(triage.request(Method::GET, &content)).await;
    assert_eq!((status, body.as_deref()), (200, Some(&file[..])));
    let header = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    assert_eq!(
        header("content-disposition"),
        Some("attachment; filename=\"mache a.jpg\"; filename*=UTF-8''mache%20a.jpg")
    );
    assert_eq!(header("x-content-type-options"), Some("nosniff"));
    assert_eq!(header("cache-control"), Some("no-store"));
    assert_eq!(header("content-type"), Some("image/jpeg"));
    assert_eq!(header("etag"), Some(format!("\"{}\"", sha256(&file)).as_str()));

    let told = json!({"kind": "handed_over", "happened_at": "2026-03-01T12:00:00Z", "place": "The base in Port-au-Prince",
        "note": "To the forensic service, in a sealed bag."});
    let link = investigator.post(&at(&format!("/{evidence}/custody")), told.clone()).await.expect(201);
    assert_eq!(link["place"], told["place"]);
    let chain = triage.get(&at(&format!("/{evidence}/custody"))).await.expect(200);
    let chain: Vec<_> = chain["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|link| link["kind"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(chain, ["received", "viewed", "handed_over"]);

    // All of it is on record, and the record holds.
    let entries = app.rows("select action from audit_entries where action like 'evidence%' or action like 'custody%' order by at, id").await;
    let entries: Vec<_> = entries.iter().map(|row| row["action"].as_str().unwrap()).collect();
    for action in [
        "evidence.begun",
        "evidence.arrived",
        "evidence.received",
        "evidence.downloaded",
        "custody.recorded",
        "custody.read",
    ] {
        assert!(entries.contains(&action), "{action} is not among {entries:?}");
    }
}

#[actix_web::test]
async fn a_large_file_goes_on_where_it_broke_off_and_comes_back_in_ranges() {
    let app = TestApp::start().await;
    let (case, triage, investigator) = investigated(&app).await;
    let at = |rest: &str| format!("/v1/cases/{case}/evidence{rest}");
    let file = bytes(20 * MIB + 12345);
    let upload = location(
        &begin(&investigator, &at("/uploads"), file.len(), &metadata(&[("sha256", &sha256(&file))])).await,
    );
    // The line breaks in the middle of a chunk, in the middle of a segment.
    let pieces = file[..9 * MIB + 77].chunks(100_000).map(<[u8]>::to_vec).collect();
    send_pieces(&investigator, &upload, 0, pieces, true).await.refused(400, "malformed");
    let head = investigator.send(tus(&investigator, Method::HEAD, &upload)).await;
    let offset: usize = head.header("upload-offset").unwrap().parse().unwrap();
    assert_eq!(offset, 9 * MIB + 77, "what arrived is kept");
    let pieces = file[offset..].chunks(64 * 1024).map(<[u8]>::to_vec).collect();
    let answer = send_pieces(&investigator, &upload, offset, pieces, false).await;
    assert_eq!((answer.status, answer.header("upload-offset")), (204, Some(file.len().to_string().as_str())));
    let evidence = upload.rsplit('/').next().unwrap();
    let path = at(&format!("/{evidence}/content"));
    let (status, _, body) = triage.bytes(triage.request(Method::GET, &path)).await;
    assert!(status == 200 && body.unwrap() == file);

    let range = async |asked: &str| {
        let request = triage.request(Method::GET, &path).insert_header(("Range", asked));
        let (status, headers, body) = triage.bytes(request).await;
        let of = headers.into_iter().find(|(name, _)| name == "content-range").map(|(_, value)| value);
        (status, of.unwrap_or_default(), body.unwrap())
    };
    let size = file.len();
    for (from, to) in [
        (0, 0),
        (65535, 65536),
        (8 * MIB - 5, 8 * MIB + 5),
        (9 * MIB + 70, 9 * MIB + 90),
        (3, 3 * MIB),
        (size - 1, size - 1),
    ] {
        let (status, of, body) = range(&format!("bytes={from}-{to}")).await;
        assert_eq!((status, of), (206, format!("bytes {from}-{to}/{size}")));
        assert!(body == file[from..=to], "{from}-{to}");
    }
    let (status, _, body) = range(&format!("bytes={}-", size - 7)).await;
    assert!(status == 206 && body == file[size - 7..]);
    let (status, _, body) = range("bytes=-9").await;
    assert!(status == 206 && body == file[size - 9..]);
    let (status, _, body) = range("bytes=0-99999999999999").await;
    assert!(status == 200 && body.len() == size, "all of it is the whole");
    let refused = triage.rows_of_views(&app, evidence).await;
    for absurd in [
        format!("bytes={size}-"),
        "bytes=-0".to_owned(),
        "bytes=5-4".to_owned(),
        "bytes=0-1,3-4".to_owned(),
        format!("bytes={}", "0-,".repeat(2000)),
        "bytes=9999999999999999999999-".to_owned(),
    ] {
        let (status, of, _) = range(&absurd).await;
        assert_eq!((status, of), (416, format!("bytes */{size}")), "{}", &absurd[..absurd.len().min(40)]);
    }
    assert_eq!(triage.rows_of_views(&app, evidence).await, refused, "what was refused was not viewed");
    let (status, _, body) = range("lines=1-2").await;
    assert!(status == 200 && body.len() == size);
    // With the right version a range is a range; with another one it is the whole.
    for (version, expected) in [(sha256(&file), 206), (sha256(b"another"), 200)] {
        let request = triage.request(Method::GET, &path).insert_header(("Range", "bytes=0-1"));
        let (status, ..) = triage.bytes(request.insert_header(("If-Range", format!("\"{version}\"")))).await;
        assert_eq!(status, expected);
    }
    // It is not packed on the way.
    let request = triage.request(Method::GET, &path).insert_header(("Accept-Encoding", "gzip"));
    let (_, headers, body) = triage.bytes(request).await;
    assert!(headers.contains(&("content-encoding".to_owned(), "identity".to_owned())));
    assert_eq!(body.unwrap().len(), size);
}

impl crate::harness::Caller<'_> {
    async fn rows_of_views(&self, app: &TestApp, evidence: &str) -> i64 {
        app.count(&format!(
            "select 1 from custody_events where evidence_id = '{evidence}' and kind = 'viewed'"
        ))
        .await
    }
}

#[actix_web::test]
async fn a_reporter_gives_a_file_and_gets_a_receipt_and_nothing_else() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let receipt = submitted(&app, complaint()).await;
    let reporter = app.reporter(&receipt).await;
    let file = photo();
    let said = metadata(&[("filename", "foto.jpg")]);
    let evidence = give(&reporter, "/v1/reporter/evidence", &file, &said).await;
    let list = reporter.get("/v1/reporter/evidence").await.expect(200);
    let item = list["items"][0].as_object().unwrap();
    let names: Vec<&str> = item.keys().map(String::as_str).collect();
    assert_eq!(names, ["id", "received_at", "sha256", "size"]);
    assert_eq!(item["sha256"], sha256(&file));
    // Another reporter knows nothing of it.
    let other = app.reporter(&submitted(&app, complaint()).await).await;
    assert_eq!(other.get("/v1/reporter/evidence").await.expect(200)["items"], json!([]));
    let upload = format!("/v1/reporter/evidence/{evidence}");
    assert_eq!(other.send(tus(&other, Method::HEAD, &upload)).await.status, 404);
    assert_eq!(send(&other, &upload, 0, b"x").await.status, 404);

    // It goes with the complaint into the case, and with it to whoever works there.
    let body = json!({"decision": "open_case", "category": "minor_misconduct", "priority": "routine", "reason": "It can be a breach."});
    let case =
        triage.post_seen(&format!("/v1/complaints/{}/assessment", id(&receipt)), 1, body).await.expect(201);
    let path = format!("/v1/cases/{}/evidence", id(&case));
    let list = triage.get(&path).await.expect(200);
    assert_eq!(list["items"][0]["complaint_id"], id(&receipt));
    assert_eq!(list["items"][0]["name"], "foto.jpg");
    let content = format!("{path}/{evidence}/content");
    assert_eq!(triage.bytes(triage.request(Method::GET, &content)).await.2.unwrap(), file);
    // What officers add is not the reporter's.
    give(&triage, &format!("{path}/uploads"), b"a note on paper", "").await;
    assert_eq!(reporter.get("/v1/reporter/evidence").await.expect(200)["items"].as_array().unwrap().len(), 1);
    let chain = triage.get(&format!("{path}/{evidence}/custody")).await.expect(200);
    assert_eq!(chain["items"][0]["actor_kind"], "reporter");
}

#[actix_web::test]
async fn a_file_is_superseded_and_stays() {
    let app = TestApp::start().await;
    let (case, triage, investigator) = investigated(&app).await;
    let at = |rest: &str| format!("/v1/cases/{case}/evidence{rest}");
    let first =
        give(&investigator, &at("/uploads"), b"the first scan", &metadata(&[("filename", "scan.txt")])).await;
    let second =
        give(&investigator, &at("/uploads"), b"a better scan", &metadata(&[("supersedes", &first)])).await;
    let list = triage.get(&at("")).await.expect(200);
    let items = list["items"].as_array().unwrap();
    assert_eq!((&items[0]["superseded_by"], &items[1]["supersedes"]), (&json!(second), &json!(first)));
    assert_eq!(items[1]["media_type"], json!(null));
    // What has no known type is bytes.
    let (_, headers, body) =
        triage.bytes(triage.request(Method::GET, &at(&format!("/{first}/content")))).await;
    assert_eq!(body.unwrap(), b"the first scan");
    assert!(headers.contains(&("content-type".to_owned(), "application/octet-stream".to_owned())));
    let page = triage.get(&at("?limit=1")).await.expect(200);
    let next = page["next"].as_str().unwrap();
    let rest = triage.get(&at(&format!("?limit=1&after={next}"))).await.expect(200);
    assert_eq!((id(&page["items"][0]), id(&rest["items"][0])), (first.as_str(), second.as_str()));
}

#[actix_web::test]
async fn a_copy_without_metadata_stands_beside_the_file() {
    let app = TestApp::start().await;
    let (case, _, investigator) = investigated(&app).await;
    let at = |rest: &str| format!("/v1/cases/{case}/evidence{rest}");
    let file = photo();
    let original = give(&investigator, &at("/uploads"), &file, &metadata(&[("filename", "foto.jpg")])).await;
    let strip = at(&format!("/{original}/stripped"));
    let copy = investigator.post_keyed(&strip, "once", json!({})).await.expect(201);
    assert_eq!(
        (&copy["derived_from"], &copy["risks"], &copy["name"]),
        (&json!(original), &json!([]), &json!("foto.jpg"))
    );
    assert_eq!(investigator.post_keyed(&strip, "once", json!({})).await.expect(201), copy);
    let content = async |evidence: &str| {
        let path = at(&format!("/{evidence}/content"));
        investigator.bytes(investigator.request(Method::GET, &path)).await.2.unwrap()
    };
    let plain = content(id(&copy)).await;
    assert!(!plain.windows(6).any(|window| window == b"SERIAL") && plain.len() < file.len());
    assert_eq!(content(&original).await, file);
    assert_eq!(objects(&app).len(), 2, "a repeated request leaves nothing behind");
    let chain = investigator.get(&at(&format!("/{original}/custody"))).await.expect(200).to_string();
    assert!(chain.contains("derived"));
    // Of what has no such parts, none can be made, and that is said.
    let text = give(&investigator, &at("/uploads"), b"words", "").await;
    let refused = investigator.post(&at(&format!("/{text}/stripped")), json!({})).await;
    refused.refused(422, "invalid-request");
    let broken = give(&investigator, &at("/uploads"), b"\xFF\xD8\xFF\xE1\xFF\xFFbroken", "").await;
    investigator.post(&at(&format!("/{broken}/stripped")), json!({})).await.refused(422, "invalid-request");
}

#[actix_web::test]
async fn p3_only_those_who_need_a_file_know_of_it() {
    let app = TestApp::start().await;
    let (case, triage, investigator) = investigated(&app).await;
    let at = |rest: &str| format!("/v1/cases/{case}/evidence{rest}");
    let evidence = give(&investigator, &at("/uploads"), b"a file", "").await;
    let read = [
        at(""),
        at(&format!("/{evidence}")),
        at(&format!("/{evidence}/content")),
        at(&format!("/{evidence}/custody")),
    ];
    // An investigator who does not work on it, and everybody whose scope does not hold it, guess in vain.
    for role in [
        Role::Investigator,
        Role::LegalLiaison,
        Role::IntakeOfficer,
        Role::FocalPoint,
        Role::Auditor,
        Role::Administrator,
    ] {
        let other = app.signed_in(role).await;
        for path in &read {
            other.get(path).await.refused(404, "not-found");
        }
    }
    for role in [Role::OhchrMonitor] {
        let other = app.signed_in(role).await;
        for path in &read {
            assert_eq!(other.bytes(other.request(Method::GET, path)).await.0, 200, "{role:?} {path}");
        }
    }
    // A file of one case is not found below another, known one.
    let (other_case, _, other) = investigated(&app).await;
    let guess = |rest: &str| format!("/v1/cases/{other_case}/evidence/{evidence}{rest}");
    for path in [guess(""), guess("/content"), guess("/custody")] {
        other.get(&path).await.refused(404, "not-found");
    }
    other.post(&guess("/stripped"), json!({})).await.refused(404, "not-found");
    other.post(&guess("/custody"), json!({"kind": "copied"})).await.refused(404, "not-found");
    // Whoever is walled off knows of nothing at once, in the middle of an upload too.
    let upload = location(&begin(&investigator, &at("/uploads"), 10, "").await);
    send(&investigator, &upload, 0, b"half").await.refused_not();
    let wall = json!({"user_id": investigator.id.unwrap().uuid(), "reason": "A relative is concerned."});
    triage.post(&format!("/v1/cases/{case}/walls"), wall).await.expect(204);
    for path in &read {
        investigator.get(path).await.refused(404, "not-found");
    }
    assert_eq!(send(&investigator, &upload, 4, b"other!").await.status, 404);
    assert_eq!(investigator.send(tus(&investigator, Method::HEAD, &upload)).await.status, 404);
    assert_eq!(investigator.send(tus(&investigator, Method::DELETE, &upload)).await.status, 404);
    assert_eq!(begin(&investigator, &at("/uploads"), 10, "").await.status, 404);
}

impl crate::harness::Answer {
    #[track_caller]
    fn refused_not(&self) {
        assert!(self.status < 300, "{}", self.text);
    }
}

#[actix_web::test]
async fn p3_triage_keeps_out_of_the_files_of_the_psea_lane() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let coordinator = app.signed_in(Role::PseaCoordinator).await;
    let case =
        crate::fixtures::case_from(&triage, crate::fixtures::grave_complaint(), "sexual_exploitation_abuse")
            .await;
    let at = |rest: &str| format!("/v1/cases/{}/evidence{rest}", id(&case));
    let evidence = give(&coordinator, &at("/uploads"), b"a file", "").await;
    triage.get(&at("")).await.refused(403, "forbidden");
    triage.get(&at(&format!("/{evidence}/content"))).await.refused(403, "forbidden");
    begin(&triage, &at("/uploads"), 5, "").await.refused(403, "forbidden");
    coordinator.get(&at("")).await.expect(200);
    assert_eq!(app.count("select 1 from custody_events where kind = 'viewed'").await, 0);
}

#[actix_web::test]
async fn an_upload_rests_for_a_day_and_is_given_up_when_asked() {
    let app = TestApp::start().await;
    let (case, _, investigator) = investigated(&app).await;
    let at = |rest: &str| format!("/v1/cases/{case}/evidence{rest}");
    let upload = location(&begin(&investigator, &at("/uploads"), 10, "").await);
    assert_eq!(send(&investigator, &upload, 0, b"half").await.status, 204);
    app.wait(TimeDelta::hours(23));
    let investigator = app.sign_in(&investigator.email, crate::harness::PASSWORD).await;
    assert_eq!(send(&investigator, &upload, 4, b"more").await.status, 204);
    assert_eq!(objects(&app).len(), 2);
    app.wait(TimeDelta::hours(25));
    let investigator = app.sign_in(&investigator.email, crate::harness::PASSWORD).await;
    send(&investigator, &upload, 8, b"!!").await.refused(410, "expired");
    assert_eq!(investigator.send(tus(&investigator, Method::HEAD, &upload)).await.status, 410);
    let other = location(&begin(&investigator, &at("/uploads"), 10, "").await);
    assert_eq!(send(&investigator, &other, 0, b"half").await.status, 204);
    assert_eq!(investigator.send(tus(&investigator, Method::DELETE, &other)).await.status, 204);
    investigator.send(patch(&investigator, &other, 4, b"late")).await.refused(410, "expired");
}
